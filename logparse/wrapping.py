"""Takes the wrapping off one line: RFC 5424, Kubernetes' CRI, JSON, logfmt.

Contract: `unwrap(line)` gives the text, the wrapping's own time, and whether this is a piece of a
longer line. What is left may have any frame (see `logparse.line`).
Failure: none; a line that is not wrapped comes back as it is.
"""

from __future__ import annotations

import re

from logparse.dates import stamp_at
from logparse.fields import read_json, read_logfmt
from logparse.framing import Piece, framed

__all__ = ["BYTE_ORDER", "unwrap"]

BYTE_ORDER = b"\xef\xbb\xbf"
_RFC5424 = re.compile(
    rb"(?:\d{1,6} (?=<))?(?:<\d{1,3}>)?1 ([^ ]++) ([^ ]++) ([^ ]++) ([^ ]++) [^ ]++ "
    rb'(?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*+")*+\])++)(?: (?:\xef\xbb\xbf)?|\Z)'
)
_CRI = re.compile(rb"([^ ]++) (stdout|stderr) ([FP])(?::[^ ]*+)? ")
_LOGFMT = re.compile(rb'[\w.@-]{1,40}=(?:"|[^ "<>]*+ [\w.@-]{1,40}=)')
# what Fluentd writes to files and to its own output: time, tag, fields
_TABBED = re.compile(
    rb"(?:([^\t{]{8,40})\t[^\t{]{0,100}\t"
    rb"|([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{9} [+-][0-9]{4}) [^ \t{:]{1,100}: )(?=\{)"
)
_COMPOSE = re.compile(rb"[\w.-]{1,64} +\| +(?=\{)")


def unwrap(line: bytes) -> Piece:
    """The text in `line`."""
    line = line.lstrip(b"\0").removeprefix(BYTE_ORDER)
    first = line[:1]
    if first == b"{":
        return read_json(line)
    if (match := _TABBED.match(line)) is not None and (
        found := stamp_at(match[1] or match[2], 0)
    ) is not None:
        part = read_json(line[match.end() :])
        return part if part.stamp or part.key else part._replace(stamp=found.text)
    if (match := _RFC5424.match(line)) is not None:
        return _rfc5424(match, line[match.end() :]) or Piece(line)
    if (match := _CRI.match(line)) is not None:
        stamp = stamp_at(match[1], 0)
        told = b"" if stamp is None else stamp.text
        return Piece(line[match.end() :], b"cri " + match[2], match[3] == b"P", told)
    if (match := _COMPOSE.match(line)) is not None:
        return read_json(line[match.end() :])
    return read_logfmt(line) if _LOGFMT.match(line) is not None else Piece(line)


def _rfc5424(match: re.Match[bytes], text: bytes) -> Piece | None:
    stamp, host, program, pid = match.groups()
    pid = pid if pid.isdigit() else b"0"
    found = stamp_at(stamp, 0) if stamp != b"-" else None
    if found is None and stamp == b"-":
        return Piece(b"%b[%b]: %b" % (program, pid, text))
    if found is None or found.end != len(stamp):
        return None
    if program == b"-":  # a relay that read no name passes on what it got
        return Piece(text, stamp=found.text)
    return Piece(framed(found.text, host, program, pid, text))
