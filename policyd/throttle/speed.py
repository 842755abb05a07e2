"""The learnt rate of a lane: where it starts, how it rises, and what a refusal does to it.

Contract: pure. A refusal leaves a ceiling behind: between what was taken lately and the rate that
was refused. The rate goes below it at once and climbs towards it; above it is tried ever more
seldom. While no ceiling is known the rate rises by a factor, or gently by addition. Never below
`floor`, never above `top`.
Failure: none.
"""

from __future__ import annotations

from math import sqrt

from policyd.throttle.gcra import Gcra
from policyd.throttle.settings import Limits, PacingSettings

__all__ = ["Speed"]

_RAMP = 1.25  # growth a step while no ceiling is known
_GENTLY = 0.06  # or, where refusals cost much, this share of the first rate each second
_CLIMB = 0.35  # of what is missing to the ceiling, a step
_FEW = 1.5  # tokens a step lasts at least, while no ceiling is known
_MORE = 3.0  # and with one
_NEAR = 0.98  # of the ceiling: so far it climbs where a refusal costs little
_NEAR_COSTLY = 0.93  # and where it costs a stop of seconds
_COSTLY = 1.5
_TRY = 1.06  # growth a step when the ceiling is tried
_REACHED = 1.3  # so far above the old ceiling, the ceiling is forgotten
_BACK_OFF = 0.93  # of the ceiling, after a refusal
_COST = 10.0  # times a stop: the least time between tries
_USED = 0.6  # share of the tokens that must have been used for a step up


class Speed:
    """A bucket and what is known about how fast it may be."""

    __slots__ = (
        "_explore",
        "_longest_explore",
        "bucket",
        "burst",
        "ceiling",
        "explore_at",
        "explore_gap",
        "floor",
        "near",
        "rise",
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
        self.since = now  # of the present step
        self.used = 0.0  # tokens in the present step
        self.rise = 0.0  # a second, where the rate rises gently
        self.use_settings(settings, limits)

    def use_settings(self, settings: PacingSettings, limits: Limits) -> None:
        """Live under these limits from now on."""
        self._explore = settings.explore
        self._longest_explore = settings.longest_explore
        self.floor = limits.floor or settings.floor
        self.top = min(limits.ceiling or settings.ceiling, settings.ceiling)
        self.burst = limits.burst

    def start(self, rate: float, now: float, *, gently: bool = False) -> None:
        """Go on at this rate with an empty bucket; `gently`: rise by addition, not by a factor."""
        rate = self.within(rate)
        self.rise = rate * _GENTLY if gently else 0.0
        self.bucket = Gcra(rate, self.burst_of(rate), now, empty=True)
        self.since, self.used = now, 0.0

    def forget(self) -> None:
        """No limits any more."""
        self.bucket = None
        self.ceiling = None
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

    def refused(self, taken: float, stop: float, now: float) -> None:
        """The present rate was refused; `taken` a second was accepted lately.

        Where a refusal costs a long stop, the ceiling is tried so much the more seldom.
        """
        bucket = self.bucket
        if bucket is None:
            return
        rate = bucket.rate
        trying = self.ceiling is None or rate > self.ceiling
        ceiling = sqrt(rate * min(rate, max(taken, rate * 0.25)))
        self.explore_gap = max(self.explore_gap, _COST * stop)
        self.near = _NEAR_COSTLY if stop > _COSTLY else _NEAR
        if self.ceiling is not None:
            known = self.explore_gap * (2.0 if trying else 1.4)
            self.explore_gap = min(known, self._longest_explore)
            if trying:
                ceiling = min(ceiling, self.ceiling)
        self.ceiling = self.within(ceiling)
        self.explore_at = now + self.explore_gap
        self._set(self.ceiling * min(_BACK_OFF, self.near - 0.03), now)

    def grow(self, now: float) -> None:
        """A step up, when it is time and the rate was used."""
        bucket = self.bucket
        if bucket is None:
            return
        span, rate = now - self.since, bucket.rate
        if span < max(1.0, (_FEW if self.ceiling is None else _MORE) / rate):
            return
        if self.used < _USED * rate * span:
            if span > max(10.0, 20.0 / rate):  # not used: start measuring again
                self.since, self.used = now, 0.0
            return
        ceiling = self.ceiling
        if ceiling is None:
            rate = rate + self.rise * span if self.rise else rate * _RAMP
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
