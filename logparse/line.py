"""Finds the record of an MTA in a line of any frame, and rewrites the line to the usual frame.

A record is known by its own shape, wherever it stands: the tag of a program of Postfix or Exim, or
a queue id with ``to=<`` behind it, or Exim's message id with its flag. Then what stands before it
is read (`logparse.front`). The first such place decides: before it nothing from outside can stand
in a line of ours, and where another program quotes a record, its own tag stands before it.
Contract: `canonical(text, outer)` gives a line in a shape of `logparse.framing.FRAME`, or of Exim's
own log. A line without a readable time gets `default`, and says so. Lines of other programs come
back as they are; `why` tells where a line looks like a delivery and its frame cannot be read, be it
the shape of it only, anywhere in a line that no other program is known to have written.
Failure: none. Time is linear.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from logparse.dates import exim_stamp, stamp_at
from logparse.fields import read_json
from logparse.framing import ASIDE, framed
from logparse.front import Foreign, Front, read_front
from logparse.reason import LOCAL_AGENTS
from logparse.shapes import DELIVERY, EVENT, EXIM_ID, MTA
from logparse.stamps import OWN

__all__ = ["INSIDE", "Line", "begins_anew", "canonical"]

_BEGINS = rb"(?:(?<=[ \t|>\]=:])|(?<=,\")|\A)"
# groups: 1 the program's name, 2 its process
_TAG = re.compile(_BEGINS + rb"(" + MTA + rb")(?:\[(\d++)\])?:(?: |\Z)(?:" + ASIDE + rb")?+")
# groups: 1 own stamp, 2 process, 3 message id and flag
_EXIM = re.compile(
    _BEGINS + rb"(?:(" + OWN + rb") )?(\[\d++\] )?(" + EXIM_ID + rb" (?:<=|" + EVENT + rb"))"
)
_BARE = re.compile(_BEGINS + DELIVERY)
_HIDDEN = re.compile(
    DELIVERY + rb"[^\n]* status=|(?<![0-9A-Za-z])" + EXIM_ID + rb" (?:=>|->|>>|\*>|\*\*|==) "
)
_PROGRAM = re.compile(rb"(?:\A|(?<=[ \t]))[^ \t\"'<>{}\[\]]{1,64}(\[[\w.-]{1,40}\])?:(?=[ \t])")
_RELAY = re.compile(rb", relay=([^,\[\n ]++)([\[,])")
# a line of Exim's own log that names no message
_EXIMS = re.compile(OWN + rb" (?:\[\d++\] )?(?:H=|[A-Za-z]{1,20}[ :])")
_UNREAD = "a delivery in a frame that cannot be read"
INSIDE = "a delivery behind the name of another program"


class Line(NamedTuple):
    """A line, and what became of it."""

    text: bytes
    ours: bool = False  # an MTA wrote it, and the frame was read
    undated: bool = False
    why: str = ""  # it looks like a delivery, and this is why it was not read


def canonical(
    text: bytes, outer: bytes = b"", default: bytes = b"-", *, deep: bool = False
) -> Line:
    """The line in the usual frame; `outer` is the stamp of its wrapping, which `deep` has a tag."""
    first: tuple[int, int, re.Match[bytes]] | None = None
    for rank, pattern in enumerate((_TAG, _EXIM, _BARE)):
        match = pattern.search(text)
        if match is not None and (first is None or match.start() < first[0]):
            first = match.start(), rank, match
    if first is None:
        return Line(text, why=_hidden(text))
    begin, rank, match = first
    front = read_front(text[:begin], outer)
    if isinstance(front, Foreign):
        tells = rank > 0 or _BARE.match(text, match.end()) or _EXIM.match(text, match.end())
        return Line(text, why=_UNREAD if tells and front is Foreign.UNKNOWN else _hidden(text))
    if deep and rank == 0 and begins_anew(text[match.end() :]):
        return Line(text)
    return (_tagged, _exim, _bare)[rank](text, match, front, default)


def begins_anew(text: bytes) -> bool:
    """Whether what a program said begins with the frame of another line."""
    return _TAG.match(text) is not None or stamp_at(text, 0) is not None


def _hidden(text: bytes) -> str:
    """Whether what looks like a delivery stands somewhere, and no other program wrote the line."""
    hidden = _HIDDEN.search(text)
    if hidden is None or _EXIMS.match(text) is not None:
        return ""
    program = _PROGRAM.search(text, 0, hidden.start())
    if program is None:
        return _UNREAD
    front = read_front(text[: program.start()])
    if not isinstance(front, Front) or not (front.stamp or program[1]):
        return _UNREAD
    # a container's name: but all that is behind it may as well be words from outside
    inner = read_front(text[program.end() : _inner(text, program.end())])
    return INSIDE if isinstance(inner, Front) and inner.stamp else ""


def _inner(text: bytes, at: int) -> int:
    """Where a record begins behind this place."""
    found = (pattern.search(text, at) for pattern in (_TAG, _EXIM))
    return min((match.start() for match in found if match is not None), default=at)


def _tagged(text: bytes, tag: re.Match[bytes], front: Front, default: bytes) -> Line:
    """A line with a tag of Postfix or of Exim."""
    name, rest = tag[1], text[tag.end() :]
    if rest.startswith(b"{"):
        rest = read_json(rest).text
    if begins_anew(rest):  # a container's name, and what the container wrote
        inner = Line(rest) if b"/" in name else canonical(rest, front.stamp, default, deep=True)
        return inner if inner.ours else Line(text, why=INSIDE)
    if name.startswith(b"exim"):
        if (own := _EXIM.match(rest)) is not None and own[1] and not front.stamp:
            return Line(rest, True)
    elif b"/" not in name:
        name += b"/" + _agent(rest)
    return _framed(front, default, name, tag[2] or b"0", rest)


def _exim(text: bytes, match: re.Match[bytes], front: Front, default: bytes) -> Line:
    """A line of Exim's own log, or one with no tag before the message id."""
    own, pid, rest = match[1], match[2] or b"", text[match.start(3) :]
    if own is None:
        return _framed(front, default, b"exim", pid[1:-2] or b"0", rest)
    if not _zoned(own) and _zoned(front.stamp):
        own = exim_stamp(front.stamp)
    return Line(b"%b %b%b" % (own, pid, rest), True)


def _bare(text: bytes, match: re.Match[bytes], front: Front, default: bytes) -> Line:
    """A record of Postfix without a tag; behind a host's name one may be missing."""
    if front.host:
        return Line(text, why="a delivery record that names no program")
    return _framed(front, default, b"postfix/" + _agent(text), b"0", text[match.start() :])


def _zoned(stamp: bytes) -> bool:
    return bool(stamp[19:].lstrip(b".0123456789"))


def _framed(front: Front, default: bytes, name: bytes, pid: bytes, text: bytes) -> Line:
    stamp = front.stamp or default
    return Line(framed(stamp, front.host, name, pid, text), True, not front.stamp)


def _agent(text: bytes) -> bytes:
    """The agent of a line that does not name it: what it delivered to tells."""
    relay = _RELAY.search(text)
    if relay is None or relay[2] == b"[" or relay[1] == b"none":
        return b"smtp" if relay is not None else b"qmgr"
    return relay[1] if relay[1].decode("latin-1") in LOCAL_AGENTS else b"pipe"
