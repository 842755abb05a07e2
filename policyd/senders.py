"""Who sends a message: read off the queue manager's log lines.

Contract: pure; whole log lines in, (queue id, the envelope sender's domain) out. Delivery lines
name no sender, but shares between senders and verdicts about a sender's domain need one. What
stands in a remote reply is not taken for such a line: nothing with a "]" may come before the tag.
Failure: a line that is not understood is skipped; its message counts as one of nobody known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policyd.throttle.evidence import domain_of

__all__ = ["senders"]

_TAG = b"/qmgr["
_TAKEN_UP = re.compile(rb"/qmgr\[\d+\]: ([0-9A-Za-z]{5,30}): from=<([^>\n]*)>, size=")


def senders(block: bytes) -> Iterator[tuple[str, str]]:
    """Each message that came into the active queue in these lines."""
    at = block.find(_TAG)
    while at >= 0:
        found = _TAKEN_UP.match(block, at)
        if found is not None and b"]" not in block[block.rfind(b"\n", 0, at) + 1 : at]:
            yield found[1].decode("ascii"), domain_of(found[2].decode("utf-8", "replace"))
        at = block.find(_TAG, at + len(_TAG))
