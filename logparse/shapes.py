"""What starts a record: the programs of Postfix and Exim, their message ids, the words behind them.

Told here and nowhere else. The parsers, the short cuts, the search for a log and the reading of
foreign frames are made of these pieces, so that a new shape is added in one place.
Contract: pieces of patterns (bytes, no groups but those named) and words to look for.
Failure: none.
"""

from __future__ import annotations

import re

__all__ = [
    "BROKEN",
    "CONNECT",
    "DELIVERY",
    "ENDED",
    "EVENT",
    "EXIM",
    "EXIM_ID",
    "LONG_ID",
    "MARK",
    "MTA",
    "NEW_EXIM_ID",
    "NEW_PARTS",
    "OLD_EXIM_ID",
    "OLD_PARTS",
    "PROGRAM",
    "QUEUE_ID",
    "SENT_MARK",
    "SHORT_ID",
    "TELLING",
    "TO",
]

# Postfix: the name of the service and the agent. Any other program's name has no slash
PROGRAM = rb"[^][ /\n]++/[^][ \n]++"
_STRICT = rb"(?:[^] \t\"'()<>[{}|,;:=/]++/)++[a-z0-9_-]++|postfix[^] \t\"'()<>[{}|,;:=/]*+"
EXIM = rb"exim[^] \t\n[/:]{0,20}"
MTA = _STRICT + rb"|" + EXIM  # the same where it is not known yet that a name stands there

# short ones are hexadecimal, long ones have the digits and letters that are no vowels
SHORT_ID = rb"[0-9A-F]{5,20}+"
LONG_ID = rb"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,30}+"
QUEUE_ID = rb"(?:(?:" + LONG_ID + rb"|" + SHORT_ID + rb")(?=:)|NOQUEUE)"
TO = b": to="  # behind the queue id of a delivery, before the recipient
DELIVERY = QUEUE_ID + re.escape(TO) + rb"<"
# a host that could not be spoken with: the first of these stands without a queue id
CONNECT = b"connect to "
BROKEN = (b": lost connection with ", b": conversation with ")
# a line of Postfix that has none of these tells no event
TELLING = (TO, b": removed", b": from=<", b": host ", b"expired", CONNECT, *BROKEN)

# Exim: ids since 4.97 are longer; what happened stands behind the id
OLD_PARTS, NEW_PARTS = (6, 6, 2), (6, 11, 4)  # characters between the dashes
OLD_EXIM_ID = rb"-".join(rb"[0-9A-Za-z]{%d}" % part for part in OLD_PARTS)
NEW_EXIM_ID = rb"-".join(rb"[0-9A-Za-z]{%d}" % part for part in NEW_PARTS)
EXIM_ID = rb"(?:" + NEW_EXIM_ID + rb"|" + OLD_EXIM_ID + rb")"
SENT_MARK = rb"[=-]>"
ENDED = rb"Completed"
MARK = rb"[=*>-][=*>]|H="  # of all events but the end, and of nothing else
EVENT = rb"=>|->|>>|\*>|\*\*|==|" + ENDED + rb"(?= QT=|\Z)|H="
