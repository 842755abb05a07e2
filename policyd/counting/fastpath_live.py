"""The fast path for accepted mail in the daemon: counted like any other, and told to the pacing.

Nine of ten delivery records say that a receiver took the mail with a plain 250. Pacing needs
little of them: which message, domain and transaction, and where it went. That is read off the
line's match; neither a `Delivery` nor `Evidence` is built.

Contract: a `fastpath.PostfixPath` in front of the one that counts. What the counters and the
pacing know afterwards is what the long way would have left (a test holds it to that). The long way
is left to lines somebody waits for (`special`), to relays not seen before, and to what has a
syslog priority in front. Whether a line is news is decided once for all lines of a minute.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from logparse.events import number_of, text_of
from logparse.framing import program_of
from logparse.reason import Relay, relay_of
from logparse.record import RECIPIENT
from logparse.stamps import STAMP, Stamps, minute
from policyd.counting.fastpath import PostfixPath
from policyd.receiver.domains import DomainCache
from policyd.throttle.evidence import STALE, AcceptedMail

__all__ = ["LiveFastPath"]

_CACHED = 65_536
_STAMP = re.compile(STAMP)
_NOWHERE = ("local", "unknown")  # receivers that are not paced


class _Seconds(dict[bytes, float]):
    """Numbers as they stand in a log: there are few different ones."""

    def __missing__(self, text: bytes) -> float:
        if len(self) >= _CACHED:
            self.clear()
        found = self[text] = float(text)
        return found


class LiveFastPath:
    """See the module."""

    scan = None  # there is no native part of it

    def __init__(
        self,
        counting: PostfixPath,
        special: Callable[[str, tuple[object, ...]], bool],
        tell: Callable[[AcceptedMail], None],
        clock: Callable[[], float],
    ) -> None:
        self.pools: Mapping[str, str] = {}  # by service, where there are any
        self._counting = counting
        self._special = special
        self._tell = tell
        self._clock = clock
        self.stamps = Stamps()  # to be shared with the one who reads all other lines
        self._minute, self._fresh = b"", False
        self._relays: dict[bytes, tuple[str, Relay]] = {}
        self._domains = DomainCache()
        self._seconds = _Seconds()

    def learn(self, relay: bytes, receiver: str) -> None:
        """Remembers who is behind a relay's text."""
        if receiver in _NOWHERE:
            return
        if len(self._relays) >= _CACHED:
            self.forget()
        self._relays[relay] = (receiver, relay_of(text_of(relay)))
        self._counting.learn(relay, receiver)

    def forget(self) -> None:
        """Knows no relay any more."""
        self._relays.clear()
        self._counting.forget()

    def postfix(self, match: re.Match[bytes]) -> bool:
        """Counts a record of Postfix and tells it; False: neither."""
        raw_id, relay, a, b, c = match.group(2, 3, 5, 6, 7)
        known = self._relays.get(relay)
        if known is None:
            return False
        receiver, (host, address, _) = known
        text, start, relay_ends, delay = match.string, match.start(), match.end(3), match.start(4)
        # ", delay=" or ", conn_use=N, delay="
        uses = 1 if delay - relay_ends == 8 else number_of(text[relay_ends + 11 : delay - 8])
        seconds = self._seconds
        try:
            group = (address, uses, (seconds[a], seconds[b], seconds[c]))
        except ValueError:
            return False
        queue_id = raw_id.decode()
        if (
            text[start] == 60  # "<22>"
            or self._special(queue_id, group)
            or not self._counting.postfix(match)
        ):
            return False
        when = minute(text, start)
        if when != self._minute:
            self._look_at_the_clock(match, when)
        begin = match.end(2) + RECIPIENT
        recipient = text[begin : text.index(b">", begin)]
        domain = self._domains[recipient[recipient.rfind(b"@") + 1 :]]
        pool = self._pool(match) if self.pools else None
        self._tell(AcceptedMail(queue_id, domain, host or "", receiver, pool, group, self._fresh))
        return True

    def _pool(self, match: re.Match[bytes]) -> str | None:
        text, end = match.string, match.start(1) - 1  # "postfix/smtp" and "["
        return self.pools.get(program_of(text[text.rfind(b" ", 0, end) + 1 : end])[0])

    def _look_at_the_clock(self, match: re.Match[bytes], minute: bytes) -> None:
        """A new minute in the log: is it news, or is a backlog being read?"""
        now, stamp = self._clock(), _STAMP.match(match.string, match.start())
        self._fresh = stamp is not None and now - self.stamps.posix(stamp[0], now) <= STALE
        self._minute = minute
