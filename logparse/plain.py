"""Takes the wrapping off whole blocks: containers' log files, journald's output, RFC 5424.

Contract: `Plain.lines(block)` gives a block of plain lines (see `logparse.framing.FRAME`) from one
in which each line may be wrapped in its own way. Blocks of plain lines come back as they are. What
is not complete at the end of a block (a journal entry, a long line that a container runtime split)
waits in `carry` for the next block; it belongs to the reader's position.
To be quick only some lines of a large block are looked at: where they are plain, a single wrapped
line between them is left to `PostfixParser.careful`, which unwraps it then.
Failure: none. A piece that never ends is given up as a line when `_LONGEST` bytes have come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from logparse.framing import JOURNAL_FIELDS, dress, is_dull, journal_line, tells_nothing, unwrap

__all__ = ["Plain"]

_LONGEST = 1 << 18
_SMALL = 2048  # blocks up to this size are looked at line by line
_PROBES = 4

# JSON · RFC 5424 · the address a journal entry begins with ("__CURSOR=") · CRI · docker compose
_WRAPPED = re.compile(
    rb"\{|<\d{1,3}>1 |__[A-Z][A-Z0-9_]*+="
    rb"|\d{4}-[^ \n]*+ std(?:out|err) [FP]|[\w.-]{1,64} +\| "
)
_ENTRY = re.compile(rb"__[A-Z][A-Z0-9_]*+=")
_FIELD = re.compile(rb"([A-Z_][A-Z0-9_]*+)(=|\n)")
# an entry of the usual kind: values are in one line, not told by their length
_FIELDS = re.compile(rb"((?:[A-Z_][A-Z0-9_]*+=[^\n]*+\n)++)\n")


class Plain:
    """See the module."""

    def __init__(self) -> None:
        self.carry = b""

    def lines(self, block: bytes) -> bytes:
        """`block` with the wrapping of every line removed."""
        if not self.carry and not _looks_wrapped(block):
            return block
        data, self.carry = self.carry + block, b""
        out: list[bytes] = []
        pieces: dict[bytes, _Pieces] = {}
        at = 0
        while at < len(data):
            if _ENTRY.match(data, at) is not None:
                line, end = _entry(data, at)
                if end == 0 and len(data) - at < _LONGEST:
                    self.carry = data[at:]
                    break
                out.append(line)
                at = end or len(data)
                continue
            end = data.find(b"\n", at)
            end = len(data) if end < 0 else end
            whole = _piece(data[at:end], pieces)
            if whole is not None:
                out.append(whole)
            at = end + 1
        self.carry = b"".join(piece.raw for piece in pieces.values()) + self.carry
        return b"\n".join(out) + b"\n" if out else b""


@dataclass(slots=True)
class _Pieces:
    """What came of one long line so far."""

    raw: bytes = b""
    text: bytes = b""
    stamp: bytes = b""


def _looks_wrapped(block: bytes) -> bool:
    if len(block) <= _SMALL:
        return any(map(_WRAPPED.match, block.split(b"\n")))
    step = len(block) // _PROBES
    at = 0
    for probe in range(_PROBES):
        at = block.find(b"\n", probe * step) + 1 if probe else 0
        if _WRAPPED.match(block, at) is not None:
            return True
    return False


def _piece(line: bytes, pieces: dict[bytes, _Pieces]) -> bytes | None:
    """The plain line that `line` is or completes; None: more of it has to come."""
    if line[:1] == b"{" and is_dull(line):
        return b""
    part = unwrap(line)
    if part.key is None:
        return part.text
    known = pieces.setdefault(part.key, _Pieces(stamp=part.stamp))
    known.raw += line + b"\n"
    known.text += part.text
    if part.more and len(known.raw) < _LONGEST:
        return None
    del pieces[part.key]
    return dress(known.text, known.stamp)


def _entry(data: bytes, at: int) -> tuple[bytes, int]:
    """A journal entry's line and where the next entry begins; 0: it is not complete."""
    match = _FIELDS.match(data, at)
    if match is None:
        return _careful_entry(data, at)
    chunk = b"\n" + match[1]
    if b"=postfix" in chunk and tells_nothing(chunk):
        return b"", match.end()
    fields: dict[bytes, bytes] = {}
    for name in JOURNAL_FIELDS:
        begin = chunk.find(b"\n" + name + b"=")
        if begin >= 0:
            begin += len(name) + 2
            fields[name] = chunk[begin : chunk.index(b"\n", begin)]
    return journal_line(fields), match.end()


def _careful_entry(data: bytes, at: int) -> tuple[bytes, int]:
    """The same where values may hold line breaks and are told by their length.

    A line that is no field is not of the entry, which is then given up: it is read on its own.
    """
    fields: dict[bytes, bytes] = {}
    while True:
        if data.startswith(b"\n", at):
            return journal_line(fields), at + 1
        match = _FIELD.match(data, at)
        if match is None:
            return b"", at if at < len(data) else 0
        begin = match.end()
        if match[2] == b"=":
            end = data.find(b"\n", begin)
        else:
            size = int.from_bytes(data[begin : begin + 8], "little")
            begin += 8
            end = begin + size if begin + size < len(data) else -1
        if end < 0:
            return b"", 0
        fields.setdefault(match[1], data[begin:end])
        at = end + 1
