"""Messages that Exim took in without an attempt: they wait for a queue run, and nobody asked us.

Of an SMTP connection Exim delivers the first ten messages at once (Debian's
smtp_accept_queue_per_connection) and tells of each other one: `ID no immediate delivery: more than
10 messages received in one connection`.

Contract: pure; whole lines of the main log in, the ids of such messages out. A line is believed
from its left end. Failure: none; what is missed waits for Exim's queue run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logparse.shapes import EXIM_ID
from logparse.stamps import OWN

__all__ = ["queued"]

_WORDS = b" no immediate delivery: "
_LINE = re.compile(
    rb"^" + OWN + rb" (?:\[[0-9]++\] )?(" + EXIM_ID + rb") no immediate delivery: ", re.MULTILINE
)


def queued(text: bytes) -> Iterator[str]:
    """The messages, in their order."""
    if _WORDS in text:
        for found in _LINE.finditer(text):
            yield found[found.lastindex or 1].decode("ascii")
