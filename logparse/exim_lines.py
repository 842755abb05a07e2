"""Which lines of Exim's log may tell an event, found for a whole block at once.

Most lines of a main log tell nothing here (arrivals, rejected connections, DKIM), and most of the
others say that a remote host took the mail with a plain 250. Lines of one log have the message id
at the same place. So the first line with an id tells the block's layout, and one pattern made for
this layout passes over what has a well-placed id and no mark of interest. Every other line is
handed out, also one of another layout, from another program or in a syslog frame: what is passed
over never tells an event. Character classes are spelled out because ``\\s`` and ``\\d`` are slow.

Contract: `found_in(block)` gives those of whole lines that may tell an event, in their order, with
the parts of each that says "taken with a plain 250" (`Found`).
Failure: none. Time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from logparse.shapes import (
    ENDED,
    EXIM,
    EXIM_ID,
    MARK,
    NEW_EXIM_ID,
    NEW_PARTS,
    OLD_EXIM_ID,
    OLD_PARTS,
    SENT_MARK,
    TO,
)
from logparse.stamps import OWN

__all__ = ["SYSLOG", "Found", "found_in", "only_exim"]

SYSLOG = rb"[^\n\[]{10,100} " + EXIM + rb"\["  # how a line of Exim's begins that syslog wrote

# line, stamp, message id, host with address and port, address, reply, time in the queue ("": not
# told); for a line of any other kind all but the first are empty
Found = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]

_HEAD = re.compile(rb"(?:\A|\n)(" + OWN + rb") (\[[0-9]++\] )?+(" + EXIM_ID + rb") ")
_OWN = re.compile(OWN + rb" ")
_SYSLOG = re.compile(rb"^(" + SYSLOG + rb"[^\n]*+)", re.MULTILINE)
_NO_PARTS = (b"", b"", b"", b"", b"", b"")
_SHORT = sum(OLD_PARTS) + 2  # characters of an id before Exim 4.97

_BLANK = rb" \t\n\r\f\v"
_VALUE = rb'=[^"<' + _BLANK + rb"]++"
_FIELDS = rb'(?: (?:[FP]=<[^<>"' + _BLANK + rb']*+>|[QRTS]=[^"<:' + _BLANK + rb"]++))*+"
_MORE = (
    rb"(?: (?:(?:I|PRX|PS|X|CV|A|DKIM)" + _VALUE + rb'|DN="[^"\\\n]*+"|L\*?|PRDR|K|TFO\*{0,2}))*+'
)
# the fields most lines have come first: a loop over any fields is slower
_SENT = (
    rb" " + SENT_MARK + rb' [^"<>()|/:' + _BLANK + rb']++(?: <[^<>"' + _BLANK + rb"]++>|)"
    rb'(?: R=[^"<:' + _BLANK + rb']++ T=[^"<:' + _BLANK + rb"]++(?= H=)|" + _FIELDS + rb")"
    rb" (H=[^\[\]" + _BLANK + rb"]++ \[([^\]" + _BLANK + rb"]++)\](?::[0-9]++|)\*?)"
    rb"(?: X" + _VALUE + rb" CV" + _VALUE + rb"(?= C=)|" + _MORE + rb")"
    rb' C="(250 [ !#-\[\]-~]{0,999}[!#-\[\]-~])"'
    rb"(?: QT=([0-9.wdhms]++)|)(?: DT=[0-9.wdhms]++|)(?=\n|\Z)"
)


def found_in(block: bytes, removed: bool = True) -> list[Found]:
    """The lines that may tell an event; ends of messages only if `removed`."""
    head = _HEAD.search(block)
    if head is None:
        return [(line, *_NO_PARTS) for line in _SYSLOG.findall(block)]
    pattern = _made_for(len(head[1]), head[2] is not None, len(head[3]), removed)
    found: list[Found] = pattern.findall(b"\n" + block)
    return found


def only_exim(found: Iterable[Found]) -> bool:
    """Whether no line but Exim's is in a block that had these lines to hand out."""
    return all(
        parts[1] or (_OWN.match(parts[0]) is not None and TO not in parts[0]) for parts in found
    )


@lru_cache(maxsize=64)
def _made_for(stamp: int, pid: bool, identity: int, removed: bool) -> re.Pattern[bytes]:
    """The pattern for stamps and ids of these lengths."""
    process = rb"\[[0-9]++\] " if pid else rb""
    parts, known = (OLD_PARTS, OLD_EXIM_ID) if identity == _SHORT else (NEW_PARTS, NEW_EXIM_ID)
    # a dash, a blank and a colon there: it is Exim's own stamp, not syslog's
    well_placed = rb"[^\n]{4}-[^\n]{5} [^\n]{2}:[^\n]{%d} %b" % (stamp - 14, process)
    well_placed += rb"-".join(rb"[^\n]{%d}" % part for part in parts) + rb" "
    marks = MARK + rb"|" + ENDED if removed else MARK
    return re.compile(
        rb"\n(?!" + well_placed + rb"(?!" + marks + rb"))"
        rb"((" + OWN + rb") " + process + rb"(" + known + rb")" + _SENT + rb"|[^\n]++)"
    )
