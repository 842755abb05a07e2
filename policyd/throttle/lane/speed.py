"""The learnt rate of a lane: where it starts, how it rises, and what a refusal does to it.

Contract: pure. A refusal leaves a ceiling behind: what the receiver was seen to take, below the
rate that was refused. The rate goes below it, the further the more a refusal costs, and climbs
towards it; above it is tried ever more seldom. While no ceiling is known the rate rises by a
factor, as long as that is worth the risk. Never below `floor`, never above `top`.
Failure: none.
"""

from __future__ import annotations

from math import sqrt

from policyd.throttle.lane.gcra import Gcra
from policyd.throttle.lane.prospect import BLOCKED_UNSEEN, NOTHING_SEEN, distance
from policyd.throttle.settings.pacing import Limits, PacingSettings

__all__ = ["Speed"]

_RAMP = 1.25  # growth a step while no ceiling is known
_RAMP_UNLIMITED = 2.0  # and where there was nothing but a block
_CLIMB = 0.35  # of what is missing to the ceiling, a step
_FEW = 1.5  # tokens a step lasts at least, while no ceiling is known
_MORE = 3.0  # and with one
_ANSWERED = 1.5  # times the usual latency that a step lasts at least
_NEAR = 0.98  # of the ceiling: so far it climbs where a refusal costs little
_TRY = 1.06  # growth a step when the ceiling is tried
_REACHED = 1.3  # so far above the old ceiling, the ceiling is forgotten
_BACK_OFF = 0.93  # of the ceiling, after a refusal
_FURTHER = 0.03  # and so much further down than it may climb
_SEEN = 0.97  # of what was seen to be taken, or of the refused rate
_HALF = 0.5  # of the refused rate: one refusal never costs more
_SAFE = 1.05  # times a rate that held: what is refused below says that it does no more
_COST = 10.0  # times a stop: the least time between tries
_FELL = 0.7  # of the ceiling: a refusal at less says that the limit fell
_USED = 0.6  # share of the tokens that must have been used for a step up


class Speed:
    """A bucket and what is known about how fast it may be."""

    __slots__ = (
        "_explore",
        "_fell",
        "_longest_explore",
        "bucket",
        "burst",
        "ceiling",
        "cost",
        "explore_at",
        "explore_gap",
        "floor",
        "near",
        "number",
        "prospect",
        "safe",
        "since",
        "top",
        "used",
    )

    def __init__(self, settings: PacingSettings, limits: Limits, now: float) -> None:
        self.bucket: Gcra | None = None  # None: no rate is needed
        self.ceiling: float | None = None  # learnt
        self.explore_at = 0.0
        self.explore_gap = settings.explore
        self.near = _NEAR
        self._fell = False  # the limit is lower than it was, and not tried again since
        self.since = now  # of the present step
        self.used = 0.0  # tokens in the present step
        self.number = 0.0  # the receiver takes at once; 0.0: not known
        self.safe = 0.0  # the fastest rate at which more than that were taken
        self.prospect = NOTHING_SEEN
        self.cost = 0.0  # seconds a refusal costs
        self.use_settings(settings, limits)

    def use_settings(self, settings: PacingSettings, limits: Limits) -> None:
        """Live under these limits from now on."""
        self._explore = settings.explore
        self._longest_explore = settings.longest_explore
        self.floor = limits.floor or settings.floor
        self.top = min(limits.ceiling or settings.ceiling, settings.ceiling)
        self.burst = limits.burst

    def start(self, rate: float, now: float) -> None:
        """Go on at this rate with an empty bucket."""
        rate = self.within(rate)
        self.bucket = Gcra(rate, self.burst_of(rate), now, empty=True)
        self.since, self.used = now, 0.0

    def forget(self) -> None:
        """No limits any more."""
        self.bucket = None
        self.ceiling = None
        self.number = self.safe = 0.0
        self.explore_gap = self._explore

    def within(self, rate: float) -> float:
        """The rate, kept between floor and top."""
        return min(max(rate, self.floor), self.top)

    def burst_of(self, rate: float) -> float:
        """Attempts that may start at once at this rate."""
        return self.burst or min(max(1.0, rate * 0.25), 20.0)

    def take(self, now: float) -> None:
        """One token is used, there or not."""
        if self.bucket is not None and not self.bucket.take(now):
            self.bucket.charge(now)
        self.used += 1

    def refused(self, learnt: float, backlog: int, now: float) -> None:
        """The present rate was refused; the receiver seems to take `learnt` a second.

        Where a refusal costs a long stop, the rate stays further below the ceiling, which is
        tried so much the more seldom.
        """
        bucket = self.bucket
        if bucket is None:
            return
        rate = bucket.rate
        trying = self.ceiling is None or rate > self.ceiling
        if rate < self.safe * _SAFE:
            self.safe = 0.0  # it held, and does no more
        if learnt < self.safe:  # it lies between what held and what was refused
            learnt = sqrt(self.safe * rate)
        ceiling = min(max(learnt, rate * _HALF), rate) * _SEEN
        self.explore_gap = max(self.explore_gap, _COST * self.cost)
        self.near = 1.0 - distance(backlog / rate, self.cost)
        if self.ceiling is not None and not trying and learnt < _FELL * self.ceiling:
            # a lower limit than the one that was known: what was learnt about that one is void
            self.ceiling, self._fell = None, True
            self.explore_gap = max(self._explore, _COST * self.cost)
        elif trying:
            self._fell = False
        if self.ceiling is not None:
            # refusals that only find the new limit do not put off the day it is tried
            known = self.explore_gap * (2.0 if trying else 1.0 if self._fell else 1.4)
            self.explore_gap = min(known, self._longest_explore)
            if trying:
                ceiling = min(ceiling, self.ceiling)
        self.ceiling = self.within(ceiling)
        self.explore_at = now + self.explore_gap
        self._set(self.ceiling * min(_BACK_OFF, self.near - _FURTHER), now)

    def grow(self, backlog: int, latency: float, now: float) -> None:
        """A step up, when it is time, the rate was used, and `backlog` messages gain by it.

        It is time when the answers to what the present step let through are there.
        """
        bucket = self.bucket
        if bucket is None:
            return
        span, rate = now - self.since, bucket.rate
        few = _FEW if self.ceiling is None else _MORE
        if span < max(1.0, few / rate, _ANSWERED * latency):
            return
        if self.used < _USED * rate * span:
            if span > max(10.0, 20.0 / rate):  # not used: start measuring again
                self.since, self.used = now, 0.0
            return
        if 0 < self.number < self.used:
            self.safe = max(self.safe, rate)
        ceiling = self.ceiling
        if ceiling is None:
            if self.prospect.worth(rate * _RAMP, backlog, self.cost):
                # blocked before anything was taken: nothing says that a limit is near
                rate *= _RAMP_UNLIMITED if self.prospect == BLOCKED_UNSEEN else _RAMP
        elif now >= self.explore_at:
            rate *= _TRY
            if rate > ceiling * _REACHED:
                self.ceiling, self.explore_gap = None, self._explore
        elif rate < ceiling * self.near:
            rate += (ceiling * self.near - rate) * _CLIMB
        self._set(rate, now)

    def _set(self, rate: float, now: float) -> None:
        assert self.bucket is not None
        rate = self.within(rate)
        self.bucket.set(rate, self.burst_of(rate), now)
        self.since, self.used = now, 0.0
