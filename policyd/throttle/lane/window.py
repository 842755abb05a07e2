"""Attempts in flight to one lane: how many may be, which are, and when they ended.

Contract: an attempt is opened by the gate's admission and closed once, by whatever is seen first:
the status filter's question on the same connection, the next attempt of the same delivery agent,
the log line, or a time-out. Closed attempts wait for their log line so that nothing counts twice.
The limit grows with acceptances and shrinks with refusals that name connections.
Failure: none; the tables are bounded, a lost log line costs an attempt its time-out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf

from policyd.throttle.settings.pacing import WindowSettings

__all__ = ["Attempt", "Window"]

_FIRST_EXPLORE = 1.0  # idle sessions count, too: the first refusals tell too little
_SELDOM = 4.0
_PROOF = 4  # acceptances for each place, after which a cap has proved right
_FAST = 100.0  # attempts a second for which a window of this latency need not open yet
_SLOW, _LATE = 1.0, 0.5  # seconds: an answer that takes longer; the first one, overdue
_MOMENT = 0.05  # seconds between two looks at least
_OPENS = 50.0  # places a second, while all are taken and nothing was refused
_REMEMBERED = 16_384  # attempts; a client that only asks must not fill the memory
_WAITING = 64  # closed attempts per domain that may wait for their log line


class Attempt:
    """One delivery attempt that was let through."""

    __slots__ = ("accepted", "began", "below", "domain", "epoch", "heard", "kept", "offered",
                 "open", "probe", "refused", "under")  # fmt: skip

    def __init__(self, domain: str, began: float, epoch: int, probe: bool) -> None:
        self.domain = domain
        self.began = began
        self.epoch = epoch  # of the lane: a refusal of an older epoch is no news
        self.probe = probe
        self.open = True
        self.heard = False  # already judged by the status filter
        self.accepted = False
        self.refused = False
        self.kept = False  # refused, and the lane is not to blame
        self.under: Attempt | None = None  # the same in the receiver's own lane, if that is another
        self.below: Window | None = None  # its window
        self.offered: Sequence[str] = ()  # addresses of the hosts it may go to, if several


class Window:
    """How many attempts may be in flight, and those that are."""

    __slots__ = (
        "_base",
        "_by_domain",
        "_calm",
        "_full_since",
        "_least",
        "_oldest",
        "_refusals",
        "_settings",
        "cap",
        "explore_at",
        "explore_gap",
        "explored",
        "latency",
        "limit",
        "open",
        "taken",
        "told",
    )

    def __init__(self, settings: WindowSettings) -> None:
        self._settings = settings
        self.limit = float(settings.initial)
        self.cap: int | None = None  # learnt from refusals of connections
        self.explore_at = 0.0
        self.explore_gap = 0.0
        self.explored = False  # the cap was raised since it was refused
        self.open = 0
        self.told = 0  # an operator's limit; 0: none
        self.taken = 0  # accepted while the window was in use
        self.latency = 0.0  # smoothed seconds from admission to end
        self._by_domain: dict[str, deque[Attempt]] = {}
        self._oldest: deque[Attempt] = deque()
        self._calm = 0  # accepted since the last refusal
        self._full_since = 0.0  # since when no place is free, or the last one was added
        self._base = 0  # in flight when connections were refused
        self._refusals = 0  # of those
        self._least = 1  # so far the cap may fall by them

    def size(self) -> int:
        """Attempts allowed in flight."""
        limit = int(min(self.limit, self.told)) if self.told else int(self.limit)
        return limit if self.cap is None else min(limit, self.cap)

    def tell(self, attempts: int) -> None:
        """An operator's limit; 0: none, or none any more."""
        if attempts:
            self.limit = float(attempts)
        elif self.told:
            self.reset(0)
        self.told = attempts

    def open_with_time(self, now: float) -> None:
        """Who is slow to answer does not close the window: places come with time, too."""
        full = self.open >= int(self.limit) and self.cap is None and not self.told
        if not full or not self._is_slow(now):
            self._full_since = now
        else:
            wider = self.limit + (now - self._full_since) * _OPENS
            self.limit = min(wider, self._settings.largest)
            self._full_since = now

    def _is_slow(self, now: float) -> bool:
        """Whether answers take long, or the first one is late."""
        if self.latency:
            return self.latency > _SLOW
        return bool(self._oldest) and now - self._oldest[0].began > _LATE

    def opens_in(self, now: float) -> float:
        """Seconds until time alone gives one more place."""
        if self._is_slow(now):
            return max(_MOMENT, (int(self.limit) + 1 - self.limit) / _OPENS)
        return inf if self.latency else _LATE

    def begin(
        self, domain: str, now: float, epoch: int, probe: bool, logged: bool = True
    ) -> Attempt:
        """Open an attempt; not `logged`: its log line is awaited by another lane."""
        attempt = Attempt(domain, now, epoch, probe)
        if logged:
            self._await(attempt, now)
        self._oldest.append(attempt)
        self.open += 1
        if len(self._oldest) > _REMEMBERED:
            self._forget(self._oldest.popleft())
        return attempt

    def _await(self, attempt: Attempt, now: float) -> None:
        domain = attempt.domain
        waiting = self._by_domain.get(domain)
        if waiting is None:
            waiting = self._by_domain[domain] = deque(maxlen=_WAITING)
        elif len(waiting) == _WAITING:
            self.close(waiting[0], now)
        waiting.append(attempt)

    def close(self, attempt: Attempt, now: float) -> bool:
        """End an attempt; False if it had ended before."""
        if not attempt.open:
            return False
        attempt.open = False
        self.open -= 1
        took = now - attempt.began
        self.latency = took if self.latency == 0.0 else self.latency * 0.9 + took * 0.1
        if attempt.below is not None and attempt.under is not None:
            attempt.below.close(attempt.under, now)
        return True

    def set_aside(self, attempt: Attempt) -> None:
        """It waits for a host that keeps silent: its place is free, its end tells no latency."""
        if attempt.open:
            attempt.open = False
            self.open -= 1

    def drop(self, attempt: Attempt) -> bool:
        """It was not made after all: no log line will speak of it; True: it was still open."""
        return self._forget(attempt)

    def pair(self, domain: str, accepted: bool, now: float) -> Attempt | None:
        """The attempt to `domain` a log line speaks of, closed; None: it was not asked for.

        Best one whose end the status filter told alike, else one that ended unjudged, else the
        oldest that is still open.
        """
        waiting = self._by_domain.get(domain)
        if not waiting:
            return None
        attempt = waiting[0]
        if len(waiting) > 1:
            attempt = min(
                waiting, key=lambda a: (a.heard and a.accepted != accepted, a.open, a.began)
            )
        waiting.remove(attempt)
        if not waiting:
            del self._by_domain[domain]
        self.close(attempt, now)
        return attempt

    def expire(self, now: float) -> int:
        """Close attempts whose end was never seen; returns how many were still open."""
        lost = 0
        while self._oldest and now - self._oldest[0].began > self._settings.timeout:
            lost += self._forget(self._oldest.popleft())
        return lost

    def _forget(self, attempt: Attempt) -> bool:
        """Nothing is awaited of it any more; True if it was still open."""
        lost = attempt.open
        if lost:
            attempt.open = False
            self.open -= 1
        waiting = self._by_domain.get(attempt.domain)
        if waiting and (waiting[0] is attempt or attempt in waiting):
            waiting.remove(attempt)
            if not waiting:
                del self._by_domain[attempt.domain]
        return lost

    def accepted(self, now: float) -> None:
        """Let the window grow, one for each acceptance.

        It is flat at first where that keeps nobody waiting, for the receiver answers quickly.
        """
        self.taken += 1
        self._calm += 1
        cap = self.cap
        if cap is not None:
            if self.open + 1 >= cap and now >= self.explore_at:
                self.cap = cap + 1
                self.explored = True
                self.explore_at = now + self.explore_gap
            return
        slow = self.limit < _FAST * self.latency
        if (slow or self.taken > self._settings.settled) and self.open >= self.limit / 2:
            self.limit = min(self.limit + 1, self._settings.largest)

    def refused(self, now: float, longest: float) -> None:
        """The receiver counts connections: allow as many as were not refused.

        A cap that was refused once before, and was not raised since, is right or nearly so:
        sessions that the MTA keeps idle fill places that we do not see. Where it held for long it
        stays; else it is lowered by a part.
        """
        self._base, self._refusals, self._least = self.open + 1, 0, 1
        cap = self.cap
        if cap is not None:
            proved = self.explored or self._calm >= _PROOF * cap
            self._least = cap - self.explored if proved else cap - max(1, cap // 4)
            self._least = max(1, self._least)
            self._base = min(self._base, cap)
        self._calm = 0
        if self.explore_gap == 0.0:
            self.explore_gap = _FIRST_EXPLORE
        elif self.explored:
            self.explore_gap = min(self.explore_gap * _SELDOM, longest)
        self.explored = False
        self.explore_at = now + self.explore_gap
        self.refused_again()

    def refused_again(self) -> None:
        """One more of those that were in flight when it was refused first."""
        if self._base:
            self._refusals += 1
            self.cap = max(self._least, self._base - self._refusals)

    def reset(self, limit: int) -> None:
        """Start anew, modestly; attempts in flight stay in flight."""
        self.cap = None
        self.explore_gap = 0.0
        self._base = 0
        self.limit = float(limit or min(self.limit, self._settings.initial))
        self.taken = 0
