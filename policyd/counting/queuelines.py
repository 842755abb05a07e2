"""What the queue manager logs of each message: taken up, from whom, and removed.

Contract: pure; plain log lines in, (queue id, the envelope sender's domain) out for a message that
was taken up, (queue id, None) for one that left the queue, in the order of the lines; what was
removed by hand comes last. Delivery lines name no sender, but shares between senders and verdicts
about a sender's domain need one. What stands in a remote reply is not taken for such a line:
nothing with a "]" may come before the tag.
Failure: a line that is not understood is skipped; its message counts as one of nobody known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policyd.receiver.domains import DomainCache

__all__ = ["queue_lines"]

_TAGS = (b"qmgr[", b"/postsuper[")  # an operator removes messages, too
_LINE = re.compile(
    rb"(?:qmgr|/postsuper)\[\d++\]: ([0-9A-Za-z]{5,30}+): "
    rb"(?:removed$|from=<(?:[^>\n]*@)?([^>@\n]*+)>, size=)",
    re.MULTILINE,
)
_domains = DomainCache()


def queue_lines(text: bytes) -> Iterator[tuple[str, str | None]]:
    """Each message that was taken up or removed in these lines."""
    find, rfind, match = text.find, text.rfind, _LINE.match
    for tag in _TAGS:
        start, at = 0, find(tag)
        while at >= 0:
            found = match(text, at)
            if found is not None and find(b"]", rfind(b"\n", start, at) + 1, at) < 0:
                queue_id, domain = found.groups()
                yield queue_id.decode("ascii"), None if domain is None else _domains[domain]
                start = found.end()
            at = find(tag, at + len(tag))
