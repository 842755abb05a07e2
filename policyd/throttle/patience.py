"""How long to stop before a receiver is probed again, learnt from the probes.

Contract: pure. The first stop is the reaction's, or lies between what was too short and
what was enough; each refused probe lengthens it by the reaction's factor, at
most to what was enough the last time, then beyond.
Failure: none; a stop is never longer than the reaction allows.
"""

from __future__ import annotations

from policyd.throttle.settings import Reaction

__all__ = ["Patience"]

_SHORTEST = 0.5
_CLOSE = 1.5  # nearer than this, a shorter stop is not worth a refusal


class Patience:
    """The present stop, and what earlier ones taught."""

    __slots__ = ("bad", "good", "stop")

    def __init__(self) -> None:
        self.stop = 0.0
        self.good = 0.0  # was enough the last time; 0.0: not known
        self.bad = 0.0  # was too short

    def first(self, reaction: Reaction) -> float:
        """The first stop of an episode."""
        if self.good == 0.0:
            self.stop = reaction.pause
        else:
            middle = max((self.good + self.bad) / 2, self.good * 0.5)
            self.stop = middle if self.good > _CLOSE * self.bad else self.good
            self.stop = max(self.stop, _SHORTEST)
        self.stop = min(self.stop, reaction.longest)
        return self.stop

    def longer(self, reaction: Reaction) -> float:
        """The next stop, after a probe was refused."""
        self.bad = self.stop
        step = self.stop * reaction.factor
        if self.bad < self.good < step:
            step = self.good
        elif self.good <= self.bad:
            self.good = 0.0
        self.stop = min(step, reaction.longest)
        return self.stop

    def enough(self) -> None:
        """A probe was accepted."""
        self.good = self.stop
        self.bad = min(self.bad, self.good * 0.9)
