"""The frame around a log line's text: stamp, host, program, process id.

Contract: `FRAME` is the pattern (bytes, three groups: stamp, program, pid) of the syslog shapes in
which the text stands unchanged: RFC 3164 and postlogd (``Feb  3 04:05:06 mx1 postfix/smtp[1]: ``),
RFC 3339 (``2026-02-03T04:05:06.123456+01:00 mx1 …``), both with an optional ``<22>`` before them;
`MTA_FRAME` is the same for programs of Postfix only. `unwrap` takes the wrapping off a line of RFC
5424, the Kubernetes CRI, ``docker compose``, or of JSON or logfmt (`logparse.fields`); what is left
may have any frame, which `logparse.line` reads. `program_of` splits a program's name. `is_dull`
spares the reading of JSON lines that tell no event: most are such.
Failure: none; a line of no known shape stays as it is. One line in, one line out: a line break
inside a wrapped text becomes a space, so that no text can pose as a line of its own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logparse.events import text_of
from logparse.shapes import PROGRAM, TELLING
from logparse.stamps import STAMP

__all__ = [
    "ASIDE",
    "FRAME",
    "MTA_FRAME",
    "Piece",
    "framed",
    "is_dull",
    "program_of",
    "tells_nothing",
]

_BEFORE = rb"(?:<\d{1,3}>)?(" + STAMP + rb") [^ \n]++(?<!:) ("
FRAME = _BEFORE + rb"[^ \[\]\n]++)\[(\d++)\]: "
MTA_FRAME = _BEFORE + PROGRAM + rb")\[(\d++)\]: "

# what may stand between the frame and the text: Solaris and some daemons repeat the level
ASIDE = rb"(?:(?:\[[\w .]{1,40}\]|<[\w.]{1,20}>|(?:info|INFO|notice|@cee):) ){1,2}"

_BYTES = re.compile(rb'"MESSAGE"\s*+:\s*+\[')  # journald's way with what is no text

_KEPT = 4096
_programs: dict[bytes, tuple[str, str]] = {}


class Piece(NamedTuple):
    """A line's text without its wrapping; `key` is told where this is a piece of a longer line."""

    text: bytes
    key: bytes | None = None  # pieces of one line share it
    more: bool = False  # another piece follows
    stamp: bytes = b""  # what the wrapping tells of the time, in canonical form


def program_of(program: bytes) -> tuple[str, str]:
    """A program's name and its last part, the agent: ("postfix/relay/smtp", "smtp")."""
    known = _programs.get(program)
    if known is None:
        if len(_programs) >= _KEPT:
            _programs.clear()
        name = text_of(program)
        known = _programs[program] = (name, name.rpartition("/")[2])
    return known


def framed(stamp: bytes, host: bytes, program: bytes, pid: bytes, text: bytes) -> bytes:
    """One line in the shape of `FRAME`."""
    return b"%b %b %b[%b]: %b" % (stamp, host or b"-", program, pid, text.replace(b"\n", b" "))


def tells_nothing(text: bytes) -> bool:
    """Whether a line of Postfix, wrapped in whatever, has none of the words that tell an event."""
    return not any(word in text for word in TELLING)


def is_dull(line: bytes) -> bool:
    """Whether a JSON line need not be read: Postfix wrote it, it is whole, and it tells nothing."""
    if b"postfix/" not in line or not tells_nothing(line) or _BYTES.search(line) is not None:
        return False
    return b'"MESSAGE"' in line or b'\\n"' in line
