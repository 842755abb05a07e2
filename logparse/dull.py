"""Passes over those lines of a Postfix log that tell no event, for a whole block at once.

Most lines tell none (connections, arrivals, removals nobody asked for), and lines of one log begin
alike: the same hour, the same host, the same name of the mail system. One pattern made for the
first line's beginning finds every line that does not begin so, or that does and may tell an event.
So this is exact: what is passed over has the usual frame, is of Postfix, and tells nothing. A block
with a line of any other beginning is left to those who look at each line.
Contract: `telling(block, removed)` gives the machine of all lines and the places of those that may
tell an event; None for a block in which not all lines begin alike. Ends of messages count only if
`removed`.
Failure: none. Time is linear.
"""

from __future__ import annotations

import re
from functools import lru_cache

from logparse.line import begins_anew
from logparse.shapes import BROKEN, CONNECT, PROGRAM, TO
from logparse.stamps import STAMP, hour

__all__ = ["telling"]

_OTHER = -1  # the place of a group that did not match: a line begins otherwise
_SOME = 100  # bytes of what a program said, to see if it is the frame of another line

# the rest of a program's name: the same as any byte but these, in a quicker order
_AGENT = rb"[^][ \n][a-z/-]*+[^][ \n]*+"
# a record of the queue manager that tells an expiry has these words at its end
_EXPIRED = rb"from=<[^\n]*+(?<=, returned to sender)"

_FIRST = re.compile(
    rb"(" + STAMP + rb") ([^ \n]++)(?<!:) (" + PROGRAM + rb")\[[0-9]++\]: (?![<@{\[])"
)


def telling(block: bytes, removed: bool) -> tuple[bytes, list[int]] | None:
    """The one machine, and where the lines begin that may tell an event."""
    first = _FIRST.match(block)
    if first is None or begins_anew(block[first.end() : first.end() + _SOME]):
        return None
    begins = hour(block)
    service = first[3].partition(b"/")[0]
    pattern = _made_for(begins, len(first[1]) - len(begins), first[2], service, removed)
    end = len(block) - block.endswith(b"\n")  # no line begins behind the last line break
    places = [match.start(1) for match in pattern.finditer(block, 0, end)]
    if _OTHER in places:
        return None
    return first[2], [0, *places]


@lru_cache(maxsize=64)
def _made_for(
    begins: bytes, rest: int, host: bytes, service: bytes, removed: bool
) -> re.Pattern[bytes]:
    """The pattern for lines that begin so."""
    head = rb"%b.{%d} %b %b/%b\[[0-9]++\]: " % (
        re.escape(begins), rest, re.escape(host), re.escape(service), _AGENT,
    )  # fmt: skip
    words = [re.escape(TO.removeprefix(b": ")), rb"host ", _EXPIRED]
    words += [re.escape(broken.removeprefix(b": ")) for broken in BROKEN]
    words += [rb"removed"] if removed else []
    connect = re.escape(CONNECT.removeprefix(b"connect"))  # apart: the others begin alike
    return re.compile(
        rb"\n(?!" + head + rb"[0-9A-Za-z]++(?!" + connect + rb"|: (?:" + rb"|".join(words) + rb")))"
        rb"(" + head + rb"(?![<@{\[]))?"
    )
