"""The fast path for accepted mail when nobody listens: from a line's match straight to counters.

Nine of ten delivery records say that a receiver took the mail with a plain 250. Nobody judges such
a reply, so no value is built: the relay's text leads to the receiver's row, the texts of the delays
to their buckets. It is written for speed, not for beauty.

Contract: `postfix(match)` counts a match of `logparse.record.SENT` with the numbers
`pipeline` would get by way of the value (a test holds both to it). False, and nothing
counted: the relay is not known; `learn` makes it known. Exim's lines: `fastpath_exim`.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

from logparse.exim_lines import Found
from logparse.record import seconds_of
from logparse.stamps import Stamps
from policyd.counting.counters import Counters
from policyd.counting.histogram import single
from policyd.counting.receivercounts import ReceiverCounts
from policyd.counting.sessions import Sessions

__all__ = ["Delays", "EximPath", "FastPath", "PostfixPath", "RelayRows"]

_CACHED = 65_536


class Delays(dict[bytes | float, int]):
    """Delays, each as a histogram of one: a log has few different ones."""

    def __missing__(self, text: bytes | float) -> int:
        if len(self) >= _CACHED:
            self.clear()
        seconds = text if isinstance(text, float) else seconds_of(text)
        found = self[text] = single(seconds)
        return found


class PostfixPath(Protocol):
    """What the pipeline asks first about a line of mail Postfix delivered; see the module."""

    @property
    def scan(self) -> Callable[[bytes, list[int], int], int] | None: ...
    def learn(self, relay: bytes, receiver: str) -> None: ...
    def forget(self) -> None: ...
    def postfix(self, match: re.Match[bytes]) -> bool: ...


class EximPath(Protocol):
    """What it lets go first over a block's lines of Exim's; see `fastpath_exim`."""

    def learn(self, relay: bytes, receiver: str) -> None: ...
    def forget(self) -> None: ...
    def exim(
        self, lines: Iterable[Found], stamps: Stamps, now: float
    ) -> Iterable[tuple[bytes, bytes]]: ...


class RelayRows:
    """Whose row in the counters a relay's text leads to."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._rows: dict[bytes, ReceiverCounts] = {}
        self._names: dict[bytes, str] = {}  # of receivers that may still earn a row of their own

    def learn(self, relay: bytes, receiver: str) -> None:
        """Remembers who is behind a relay's text."""
        if len(self._rows) + len(self._names) >= _CACHED:
            self.forget()
        row = self._counters.settled(receiver)
        if row is None:
            self._names[relay] = receiver
        else:
            self._rows[relay] = row

    def forget(self) -> None:
        """Knows no relay any more."""
        self._rows.clear()
        self._names.clear()

    def _row(self, relay: bytes) -> ReceiverCounts | None:
        receiver = self._names.get(relay)
        if receiver is None:
            return None
        row = self._counters.tally(receiver)
        if self._counters.settled(receiver) is row:
            self._rows[relay] = row
            del self._names[relay]
        return row


class FastPath(RelayRows):
    """The fast path to the counters; see the module."""

    scan = None  # there is no native part of it

    def __init__(self, counters: Counters, sessions: Sessions, delays: Delays) -> None:
        super().__init__(counters)
        self._sessions = sessions
        self._last = sessions.last
        self._delays = delays

    def postfix(self, match: re.Match[bytes]) -> bool:
        """Counts a record of Postfix."""
        pid, queue_id, relay, total, a, b, c, d, reply = match.groups()
        row = self._rows.get(relay) or self._row(relay)
        if row is None:
            return False
        known, delays = self._delays, row.delays
        delays[0] += known[a]
        delays[1] += known[b]
        delays[2] += known[c]
        delays[3] += known[d]
        delays[4] += known[total]
        row.sent += 1
        row.dirty = True
        session, before = (queue_id, a, b, reply), self._last.get(pid)
        if before is not None and before[0] != queue_id:  # most often by far
            self._last[pid] = session
            row.accepted += 1
        elif before != session and self._sessions.is_new(pid, session):
            row.accepted += 1
        return True
