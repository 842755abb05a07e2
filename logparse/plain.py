"""Takes frames and wrappings off whole blocks: what comes out has the usual frame, line by line.

Contract: `Plain.lines(block, now)` gives a block of plain lines (`logparse.framing.FRAME`, or
Exim's own) from one in which each line may have a frame of its own. What is not complete at the
end of a block (a journal entry, a long line that a container runtime split) waits in `carry` for
the next block; it belongs to the reader's position. Afterwards `count` tells the lines, `telling`
where in a block that is all Postfix's the lines of interest begin, `machine` the one that all lines
are of (None: it must be looked for, see `logparse.machines`), `undated` how many had no readable
time, and `unread` those of Exim that look like a delivery in a frame nobody knows.
To be quick a block of lines that all begin with a stamp is believed to be plain if its first line
and its first delivery are; a single wrapped line in it is left to `PostfixParser.careful`.
A line without a time gets that of the line before it, else `now`.
Failure: none. A piece that never ends is given up as a line when `_LONGEST` bytes have come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from logparse.dates import rfc3339
from logparse.dull import telling
from logparse.events import Unparsed
from logparse.fields import JOURNAL_FIELDS, journal_line
from logparse.framing import ASIDE, FRAME, is_dull, tells_nothing
from logparse.line import canonical
from logparse.shapes import EXIM, EXIM_ID, PROGRAM, TO
from logparse.stamps import OWN, STAMP
from logparse.wrapping import BYTE_ORDER, unwrap

__all__ = ["Plain"]

_LONGEST = 1 << 18

_FRAMED = FRAME + rb"(?!" + ASIDE + rb")"
_FRAME = re.compile(_FRAMED)
_EXIM = re.compile(OWN + rb" (?:\[\d++\] )?" + EXIM_ID + rb" ")
_EXIMS = re.compile(
    _EXIM.pattern + rb"|(?:<\d{1,3}>)?(?:" + STAMP + rb") [^ \n]++ " + EXIM + rb"\[\d++\]: "
)
_CONTAINER = re.compile(rb"postfix[^/]{0,40}|[0-9a-f]{12}")  # its name before a whole line
_EVENTS = (b" == ", b" => ", b" ** ")
_USUAL = re.compile(_FRAMED + rb"|" + _EXIM.pattern)
_FIRST = re.compile(_FRAMED + rb"|" + OWN + rb" ")
_PRIORITY = rb"(?:<\d{1,3}>)?"
_HOST = re.compile(_PRIORITY + rb"(?:" + STAMP + rb") ([^ \n]++)(?<!:) ")
_STAMPED = re.compile(rb"(?:<\d{1,3}>)?(" + STAMP + rb") ")
_LEADING = re.compile(rb"(?:^|(?<=\n))\0++")
_COLOUR = re.compile(rb"\x1b\[[0-9;]{0,20}m")  # an MTA writes no escape of its own
_LAST = 3  # lines before an undated one in which a time is looked for
_ENTRY = re.compile(rb"__[A-Z][A-Z0-9_]*+=")
_FIELD = re.compile(rb"([A-Z_][A-Z0-9_]*+)(=|\n)")
# an entry of the usual kind: values are in one line, not told by their length
_FIELDS = re.compile(rb"((?:[A-Z_][A-Z0-9_]*+=[^\n]*+\n)++)\n")


class Plain:
    """See the module."""

    def __init__(self, removed: bool = True, neighbours: bool = False) -> None:
        """`neighbours`: the line before an undated one may be in the block before."""
        self.carry = b""
        self.count = 0
        self.telling: list[int] | None = None
        self.machine: bytes | None = None
        self.undated = 0
        self.unread: list[Unparsed] = []
        self._removed = removed
        self._neighbours = neighbours
        self._near = b""

    def lines(self, block: bytes, now: float, thorough: bool = False) -> bytes:
        """`block` with every line in the usual frame."""
        if not self.carry:
            if b"\r" in block:
                block = block.replace(b"\r\n", b"\n")
            if b"\0" in block:
                block = _LEADING.sub(b"", block)
            if b"\x1b" in block:
                block = _COLOUR.sub(b"", block)
            block = block.removeprefix(BYTE_ORDER)
            self.count = block.count(b"\n")
            told = None if thorough else telling(block, self._removed)
            if told is not None:
                self.machine, self.telling = told
                return block
            self.telling = None
            self.machine = None if thorough else _plain_of(block)
            if self.machine is not None:
                return block
        self.telling = self.machine = None
        return self._each(self.carry + block, now)

    def pass_by(self, block: bytes) -> bytes:
        """A block that somebody else knows to be plain, and none of Postfix's."""
        self.count = block.count(b"\n")
        self.telling, self.machine = [], b""
        return block

    def _each(self, data: bytes, now: float) -> bytes:
        """The same, each line looked at."""
        self.carry = b""
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
                out.append(whole.text if whole.done else self._usual(whole, out, now))
            at = end + 1
        self.carry = b"".join(piece.raw for piece in pieces.values()) + self.carry
        self.count = len(out)
        if self._neighbours and out and (last := _STAMPED.match(out[-1])) is not None:
            self._near = last[1]
        return b"\n".join(out) + b"\n" if out else b""

    def _usual(self, line: _Whole, out: list[bytes], now: float) -> bytes:
        """A line in the usual frame."""
        found = canonical(line.text, line.stamp)
        if found.undated:
            self.undated += 1
            return canonical(line.text, b"", self._beside(out) or rfc3339(int(now))).text
        if found.why and TO not in found.text:
            self.unread.append(Unparsed(found.text, found.why))
        return found.text

    def _beside(self, out: list[bytes]) -> bytes:
        """The time of the line before."""
        for line in reversed(out[-_LAST:]):
            if (match := _STAMPED.match(line)) is not None:
                return match[1]
        return self._near


def _plain_of(block: bytes) -> bytes | None:
    """Whose lines these are, if they are of one machine, and all of them are plain.

    They are if all begin with a stamp, and the first one and the first delivery are plain.
    """
    if _FIRST.match(block) is None:
        return None
    first = _HOST.match(block)
    host = b"" if first is None else first[1]
    if _other_than(host).search(block) is not None:
        return None
    at = block.find(TO)
    if at >= 0 and _FRAME.match(block, block.rfind(b"\n", 0, at) + 1) is None:
        return None
    for words in _EVENTS:
        at = block.find(words)
        if at >= 0 and _EXIMS.match(block, block.rfind(b"\n", 0, at) + 1) is None:
            return None
    return host


@lru_cache(maxsize=64)
def _other_than(host: bytes) -> re.Pattern[bytes]:
    """A line without a stamp, or of an MTA on another machine; Exim's own log names none."""
    if not host:
        return re.compile(rb"\n(?!" + OWN + rb" |\Z)")
    other = rb"(?!" + re.escape(host) + rb" )[^ \n]++(?<!:) (?:" + PROGRAM + rb"|" + EXIM + rb")\["
    return re.compile(rb"\n(?!" + _PRIORITY + rb"(?:" + STAMP + rb") (?!" + other + rb")|\Z)")


@dataclass(slots=True)
class _Pieces:
    """What came of one long line so far."""

    raw: bytes = b""
    text: bytes = b""
    stamp: bytes = b""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A whole line without its wrapping, the wrapping's time, and whether its frame is usual."""

    text: bytes
    stamp: bytes = b""
    done: bool = False


def _is_usual(line: bytes) -> bool:
    """Whether a line has the usual frame, and nothing else before its record."""
    frame = _USUAL.match(line)
    if frame is None or (frame[2] is not None and _CONTAINER.fullmatch(frame[2]) is not None):
        return False
    return _EXIMS.match(line) is not None or not any(words in line for words in _EVENTS)


def _piece(line: bytes, pieces: dict[bytes, _Pieces]) -> _Whole | None:
    """The line that `line` is or completes; None: more of it has to come."""
    if _is_usual(line):
        return _Whole(line, done=True)
    if line[:1] == b"{" and is_dull(line):
        return _Whole(b"", done=True)
    part = unwrap(line)
    if part.key is None:
        return _Whole(part.text, part.stamp, _is_usual(part.text))
    known = pieces.setdefault(part.key, _Pieces(stamp=part.stamp))
    known.raw += line + b"\n"
    known.text += part.text
    if part.more and len(known.raw) < _LONGEST:
        return None
    del pieces[part.key]
    return _Whole(known.text, known.stamp)


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
