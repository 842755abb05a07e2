"""The lane of one sender's domain at a receiver that blames it: beside the receiver's own lane.

Contract: pure. It is a lane like any other, for the mail of one of our senders' domains; what it
lets through the receiver's own lane must let through as well. An attempt begins and ends in both.
What the receiver says of the domain is judged here, all else there. What the receiver's lane knows
of recipient domains is known here from the start: one of them alone stops nobody.
Failure: none; without it the domain's mail is paced as all mail to the receiver.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.window import Attempt

__all__ = ["SenderLane", "of_receiver"]

_BEFORE = -2  # the epoch of an attempt that began before anything was known of the domain


class SenderLane(LaneState):
    """See the module; `base` is the receiver's lane."""

    def __init__(
        self, base: LaneState, sender: str, now: float, posix: Callable[[float], float]
    ) -> None:
        self.base = base
        super().__init__(base.lane.of_sender(sender), base.settings, now, posix)
        self.window.limit = base.window.limit
        self.court.restore(base.court.first, base.court.standing.rows(), float)
        self.changed = base.changed
        self.blamed_at = now

    def _vacant(self, now: float, ahead: float) -> int:
        own = super()._vacant(now, ahead)
        return min(own, self.base._vacant(now, ahead)) if own > 0 else own

    def turn(self, now: float) -> float:
        """Seconds until one more may start, by both lanes."""
        return max(super().turn(now), self.base.turn(now))

    def reach(self, seconds: float) -> float:
        """How many may start within so many seconds, by both lanes."""
        return min(super().reach(seconds), self.base.reach(seconds))

    def begin(self, domain: str, now: float, *, logged: bool = True) -> Attempt:
        """An attempt begins in both lanes."""
        attempt = super().begin(domain, now, logged=logged)
        attempt.under = self.base.begin(domain, now, logged=False)
        attempt.below = self.base.window
        return attempt

    def accept(self, now: float, attempt: Attempt | None, domain: str = "") -> None:
        """It was accepted; both lanes hear of it."""
        under = attempt.under if attempt is not None else None
        super().accept(now, self.seen_as(attempt, domain, now), domain)
        self.base.accept(now, under or attempt, domain)

    def seen_as(self, attempt: Attempt | None, domain: str, now: float) -> Attempt | None:
        """An attempt as this lane sees it: one of the receiver's lane may be from before.

        The first refusal is news, whenever its attempt began.
        """
        if attempt is not None and attempt.under is not None:
            return attempt
        if not self.epoch:
            return Attempt(domain, attempt.began if attempt else now, self.epoch, False)
        if attempt is None:
            return None
        epoch = self.epoch if attempt.began >= self.adjusted else _BEFORE
        return Attempt(attempt.domain, attempt.began, epoch, False)

    def pair(self, domain: str, accepted: bool, now: float) -> Attempt | None:
        """The attempt that a log line speaks of; it may have begun before this lane was there."""
        own = self.window.pair(domain, accepted, now)
        return own if own is not None else self.base.window.pair(domain, accepted, now)


def of_receiver(state: LaneState, attempt: Attempt | None) -> tuple[LaneState, Attempt | None]:
    """The receiver's own lane, and the attempt there."""
    if not isinstance(state, SenderLane):
        return state, attempt
    return state.base, attempt.under or attempt if attempt is not None else None
