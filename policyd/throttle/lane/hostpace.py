"""A host's own limit: what it took from one refusal to the next, while the others took the rest.

Contract: pure. Known only where an equal host took what this one refused: a limit that all hosts
share does not show so. Which host an attempt goes to is Postfix's choice, by chance: so each of
them gives its part of a token. The rate is learnt as that of a lane, and forgotten after some time
without a refusal.
Failure: none.
"""

from __future__ import annotations

from math import sqrt

from policyd.throttle.lane.speed import Speed
from policyd.throttle.lane.trouble import Trouble
from policyd.throttle.settings.pacing import NO_LIMITS, PacingSettings

__all__ = ["HostPace"]

_MOMENT = 0.1
_HALF = 0.5
_MANY = 1000  # messages wait: steps up are worth their risk


class HostPace:
    """See the module."""

    __slots__ = ("_forget_after", "_refused", "_since", "_speed", "_trouble")

    def __init__(self, settings: PacingSettings, taken: int, since: float, now: float) -> None:
        """It took so many messages since then, and refused now."""
        self._speed = Speed(settings, NO_LIMITS, now)
        self._trouble = Trouble()
        self._trouble.capacity = max(1.0, taken)
        self._trouble.episode = now
        self._since, self._refused = since, True
        self._forget_after = settings.free_after

    @property
    def rate(self) -> float | None:
        """Messages a second; None: it is still to be seen how many."""
        return self._speed.bucket.rate if self._speed.bucket else None

    def has_room(self, now: float) -> bool:
        """Whether there is a token."""
        bucket = self._speed.bucket
        return bucket is None or bucket.available(now) >= 1

    def accepted(self, now: float) -> None:
        """It took a message."""
        trouble, speed = self._trouble, self._speed
        if self._refused:
            if speed.bucket is None:
                speed.start(self._first(now), now)
            else:
                speed.refused(trouble.learn(now), _MANY, now)
            trouble.flowing, self._refused = now, False
        trouble.accepted(now)
        speed.grow(_MANY, 0.0, now)

    def share(self, part: float, now: float) -> None:
        """An attempt may go there; `part`: how likely that is."""
        if self._speed.bucket is not None:
            self._speed.bucket.share(now, part)
            self._speed.used += part

    def _first(self, now: float) -> float:
        """Between what a window would take that includes the stop, and half of what it took."""
        capacity, episode = self._trouble.capacity, self._trouble.episode
        sure = capacity / max(now - self._since, _MOMENT)
        hope = capacity / max(episode - self._since, 1.0)
        return max(sure, sqrt(sure * hope * _HALF))

    def refuses(self, now: float) -> None:
        """It refused one beyond its limit."""
        if not self._refused:
            self._refused, self._trouble.episode = True, now

    def is_over(self, now: float) -> bool:
        """Whether it was not refused for so long that there may be no limit any more."""
        return not self._refused and now - self._trouble.episode > self._forget_after
