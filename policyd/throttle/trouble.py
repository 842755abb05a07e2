"""The record of one lane: what it accepted, what it refused, and what that says.

Contract: pure. Tells whether refusals are many enough to act on, how much was taken lately and how
many at once, and, when mail flows again, at which rate to begin.
Failure: none; without history there is no estimate.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

from policyd.throttle.estimate import Accepted
from policyd.throttle.patience import Patience
from policyd.throttle.settings import Act, Reaction

__all__ = ["Trouble"]

_SPAN = 10.0  # seconds over which refusals are counted and weighed
_RUN = 5  # so many times the count in a row tell more than any share
_START = 0.95  # of what a receiver has shown to take
_HALF = 0.5
_COSTLY = 4.0  # seconds of a stop after which the rate had better rise gently
_LONG = 90.0  # seconds of trouble after which only the cautious reading counts


class Trouble:
    """History and the present (or latest) episode of refusals."""

    __slots__ = (
        "act",
        "episode",
        "history",
        "patience",
        "probes_refused",
        "recent",
        "refused_at",
        "run",
        "tolerance",
    )

    def __init__(self) -> None:
        self.history = Accepted()
        self.patience = Patience()
        self.episode = 0.0  # the refusal that began it; 0.0: none
        self.act: Act = "none"  # what it was answered with
        self.refused_at = 0.0  # the last refusal
        self.probes_refused = 0  # in this episode
        self.recent: deque[float] = deque(maxlen=256)  # times of refusals
        self.run = 0  # refused without an acceptance between
        self.tolerance = 1.0  # accepted within a second before it was refused

    def accepted(self, now: float) -> None:
        """An attempt was accepted."""
        self.run = 0
        self.history.add(now)

    def refused(self, now: float) -> None:
        """An attempt was refused."""
        self.run += 1
        self.recent.append(now)

    def enough(self, reaction: Reaction, now: float) -> bool:
        """By count and by share, or by a run: one bad message never stops a big receiver."""
        if self.run >= _RUN * reaction.count:
            return True
        refused = sum(1 for time in self.recent if now - time <= _SPAN)
        attempts = refused + self.history.within(now, _SPAN)
        return refused >= reaction.count and refused >= reaction.ratio * attempts

    def begin(self, reaction: Reaction, unprepared: bool, now: float) -> None:
        """An episode begins; `unprepared`: nothing was paced before."""
        self.episode = now
        self.probes_refused = 0
        self.act = reaction.act
        if reaction.act != "slow":
            return
        taken = self.history.within(now, 1.0)
        if unprepared:
            self.tolerance = max(1.0, taken)
        else:  # a burst that was refused makes it less
            self.tolerance = max(1.0, min(self.tolerance * 0.8, max(taken, self.tolerance * 0.5)))

    def taken(self, now: float) -> float:
        """Accepted a second, over about the time the receiver seems to count."""
        span = min(max(2.0, self.patience.good * _HALF), 600.0)
        return self.history.within(now, span) / span

    @property
    def costly(self) -> bool:
        """Whether a refusal costs a long stop here."""
        return self.patience.good > _COSTLY

    def first_rate(self, recovered: float) -> float:
        """A rate to start from, out of what was accepted before the trouble.

        One reading counts the wait: so many in a time that includes it (a limit over a window).
        The other does not: half of the former speed (a block is no matter of rate). The first
        probe's success speaks for the former, a block's words for the latter; between them, their
        geometric mean, unless the wait was so long that caution is better.
        """
        recovered = max(recovered, self.refused_at + 0.1)
        former = self.history.rate(self.episode, self.episode + 1.0)
        waited = self.history.rate(recovered, recovered)
        if former is None or waited is None:
            return 1.0
        former *= _HALF
        waited *= _START
        if self.act == "pause":
            return former
        if self.probes_refused and recovered - self.episode < _LONG:
            return max(waited, sqrt(waited * former))
        return waited

    def over(self) -> None:
        """Nothing was refused for long."""
        self.episode = 0.0
        self.act = "none"
        self.patience = Patience()
