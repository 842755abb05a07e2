"""Which lines of Exim's log may tell an event, found for a whole block at once.

Most lines of a main log tell nothing here (arrivals, rejected connections, DKIM), and most of the
others say that a remote host took the mail with a plain 250. Lines of one log have the message id
at the same place. So the first line with an id tells the block's layout, and one pattern made for
this layout passes over what has a well-placed id and no mark of interest. Every other line is
handed out, also one of another layout, from another program or in a syslog frame: what is passed
over never tells an event. Character classes are spelled out because ``\\s`` and ``\\d`` are slow.

Contract: `candidates(block)` gives the lines of whole lines that may tell an event, in their order;
`sent_lines(block)` the same with the parts of those that say "taken with a plain 250" (`Found`).
Failure: none. Time is linear.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

__all__ = ["ID", "STAMP", "Found", "candidates", "sent_lines"]

STAMP = rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?(?: [+-][0-9]{4})?"
_OLD_ID = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}"
_NEW_ID = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}"
ID = rb"(?:" + _NEW_ID + rb"|" + _OLD_ID + rb")"

# line, stamp, message id, host with address and port, address, reply, time in the queue ("": not
# told); for a line of any other kind all but the first are empty
Found = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]

_HEAD = re.compile(rb"(?:\A|\n)(" + STAMP + rb") (\[[0-9]++\] )?+(" + ID + rb") ")
_SYSLOG = re.compile(rb"\n([^\n\[]{10,100} exim[^ \n\[\]/]{0,20}\[[^\n]*+)")

_BLANK = rb" \t\n\r\f\v"
_VALUE = rb'=[^"<' + _BLANK + rb"]++"
_FIELDS = rb'(?: (?:[FP]=<[^<>"' + _BLANK + rb']*+>|[QRTS]=[^"<:' + _BLANK + rb"]++))*+"
_MORE = (
    rb"(?: (?:(?:I|PRX|PS|X|CV|A|DKIM)" + _VALUE + rb'|DN="[^"\\\n]*+"|L\*?|PRDR|K|TFO\*{0,2}))*+'
)
# the fields most lines have come first: a loop over any fields is slower
_SENT = (
    rb' [=-]> [^"<>()|/:' + _BLANK + rb']++(?: <[^<>"' + _BLANK + rb"]++>|)"
    rb'(?: R=[^"<:' + _BLANK + rb']++ T=[^"<:' + _BLANK + rb"]++(?= H=)|" + _FIELDS + rb")"
    rb" (H=[^\[\]" + _BLANK + rb"]++ \[([^\]" + _BLANK + rb"]++)\](?::[0-9]++|)\*?)"
    rb"(?: X" + _VALUE + rb" CV" + _VALUE + rb"(?= C=)|" + _MORE + rb")"
    rb' C="(250 [ !#-\[\]-~]{0,999}[!#-\[\]-~])"'
    rb"(?: QT=([0-9.wdhms]++)|)(?: DT=[0-9.wdhms]++|)(?=\n|\Z)"
)


def candidates(block: bytes, removed: bool = True) -> list[bytes]:
    """The lines that may tell an event; ends of messages only if `removed`."""
    found: list[bytes] = _scanner(block, removed, False).findall(b"\n" + block)
    return found


def sent_lines(block: bytes, removed: bool = True) -> list[Found]:
    """The same, with the parts of those that tell of mail taken with a plain 250."""
    pattern = _scanner(block, removed, True)
    found: list[Any] = pattern.findall(b"\n" + block)
    return found if pattern.groups > 1 else [(line, b"", b"", b"", b"", b"", b"") for line in found]


def _scanner(block: bytes, removed: bool, sent: bool) -> re.Pattern[bytes]:
    head = _HEAD.search(block)
    if head is None:
        return _SYSLOG
    return _made_for(len(head[1]), head[2] is not None, len(head[3]), removed, sent)


@lru_cache(maxsize=128)
def _made_for(stamp: int, pid: bool, identity: int, removed: bool, sent: bool) -> re.Pattern[bytes]:
    """The pattern for stamps and ids of these lengths."""
    process = rb"\[[0-9]++\] " if pid else rb""
    dashes = rb"[^\n]{6}-[^\n]{6}-[^\n]{2} " if identity == 16 else rb"[^\n]{6}-[^\n]{11}-[^\n]{4} "
    # a dash and a blank there: it is Exim's own stamp, not syslog's
    own = rb"[^\n]{4}-[^\n]{5} [^\n]{%d} " % (stamp - 11)
    marks = rb"[=*>-][=*>]|H=|Completed" if removed else rb"[=*>-][=*>]|H="
    line = rb"[^\n]++"
    if sent:
        known = _OLD_ID if identity == 16 else _NEW_ID
        line = rb"(" + STAMP + rb") " + process + rb"(" + known + rb")" + _SENT + rb"|" + line
    return re.compile(rb"\n(?!" + own + process + dashes + rb"(?!" + marks + rb"))(" + line + rb")")
