"""How long to stop before a receiver is probed again, learnt from the probes.

Contract: pure. The first stop is the reaction's, or lies between what was too short and what was
enough; each refused probe lengthens it by the reaction's factor. A block ends some time after the
first refusal or after the last one, nobody says which: so a stop that was enough the last time is
tried first, and if it is not, the probes wait until as long after the first refusal as it took
then.
Failure: none; a stop is never longer than the reaction allows.
"""

from __future__ import annotations

from math import sqrt

from policyd.throttle.settings.pacing import Reaction

__all__ = ["Patience"]

_SHORTEST = 0.5
_CLOSE = 1.5  # nearer than this, a shorter stop is not worth a refusal


class Patience:
    """The present stop, and what earlier ones taught."""

    __slots__ = ("bad", "good", "own", "stop", "whole")

    def __init__(self) -> None:
        self.stop = 0.0
        self.own = 0.0  # what it would be if nothing had been told: this is what grows
        self.good = 0.0  # was enough the last time; 0.0: not known
        self.bad = 0.0  # was too short
        self.whole = 0.0  # from the first refusal to the acceptance, the last time

    @property
    def cost(self) -> float:
        """Seconds the next refusal costs: between the last stop and all of them."""
        return sqrt(self.good * self.whole)

    def is_worse(self, reaction: Reaction) -> bool:
        """Whether a block is spoken of, where a full window was believed."""
        return reaction.act == "pause" and self.stop < reaction.pause

    def first(self, reaction: Reaction, told: float | None = None) -> float:
        """The first stop of an episode; a time that the receiver told is one, and costs as much."""
        if told is not None:
            self.own, self.stop = reaction.pause, told
            return told
        if self.good == 0.0:
            self.stop = reaction.pause
        else:
            middle = max((self.good + self.bad) / 2, self.good * 0.5)
            self.stop = middle if self.good > _CLOSE * self.bad else self.good
            self.stop = max(self.stop, _SHORTEST)
        self.own = self.stop = min(self.stop, reaction.longest)
        return self.stop

    def longer(self, reaction: Reaction, waited: float, told: float = 0.0) -> float:
        """The next stop, after a probe was refused; `waited` since the first refusal."""
        self.bad = self.stop
        step = (self.own or self.stop) * reaction.factor  # `own` is not saved
        if self.is_worse(reaction):
            step = max(step, reaction.pause)
        if self.bad < self.good < step:
            step = self.good
        elif self.good <= self.bad:
            self.good = 0.0
        self.own = min(max(step, self.whole - waited), reaction.longest)
        self.stop = max(told, self.own)
        return self.stop

    def enough(self, waited: float) -> None:
        """A probe was accepted, so long after the first refusal."""
        self.good = self.stop
        self.whole = max(waited, self.stop)
        self.bad = min(self.bad, self.good * 0.9)
