"""The record of one lane: what it accepted, what it refused, and what that says.

Contract: pure. Tells whether refusals are many enough to act on, how much was taken lately and how
many at once, and, when mail flows again, at which rate to begin.
Failure: none; without history there is no estimate.
"""

from __future__ import annotations

from collections import deque
from math import inf, sqrt

from policyd.throttle.lane.episode import Episode
from policyd.throttle.lane.estimate import Accepted
from policyd.throttle.lane.patience import Patience
from policyd.throttle.lane.prospect import BLOCKED_UNSEEN, NOTHING_SEEN, Prospect
from policyd.throttle.settings.pacing import Act, Reaction

__all__ = ["Trouble"]

_SPAN = 10.0  # seconds over which refusals are counted and weighed
_RUN = 5  # so many times the count in a row tell more than any share
_START = 0.95  # of what a receiver has shown to take
_HALF = 0.5
_MOMENT = 0.1
_RENEWED = 5.0  # at most so long a stop begins anew
_COMES_BACK = 10.0  # times the last stop: a pause sooner than that comes back with our speed
_LONG = 90.0  # seconds of trouble after which only the cautious reading counts


class Trouble:
    """History and the present (or latest) episode of refusals."""

    __slots__ = (
        "act",
        "capacity",
        "course",
        "episode",
        "flowing",
        "history",
        "patience",
        "probe_refused",
        "rated_at",
        "recent",
        "refused_at",
        "run",
        "slowing",
        "soon",
        "sure",
        "tolerance",
    )

    def __init__(self) -> None:
        self.history = Accepted()
        self.patience = Patience()
        self.course = Episode()  # as people see it
        self.episode = 0.0  # the refusal that began it; 0.0: none
        self.act: Act = "none"  # what it was answered with
        self.probe_refused = 0.0  # the last probe of this episode that was refused for its rate
        self.rated_at = 0.0  # the last refusal for the rate
        self.refused_at = 0.0  # the last refusal of any kind
        self.recent: deque[float] = deque(maxlen=256)  # times of refusals
        self.run = 0  # refused without an acceptance between
        self.slowing = False  # the refused rate is still to be learnt from
        self.flowing = 0.0  # since when mail flows again; 0.0: it was never stopped
        self.soon = 0.0  # seconds of flow within which a pause was found to be a rate
        self.capacity = 0.0  # accepted before it was refused first
        self.sure = 0.0  # a second: the same, over the time until it took mail again
        self.tolerance = 1.0  # accepted within a second before it was refused

    def accepted(self, now: float) -> None:
        """An attempt was accepted."""
        self.run = 0
        self.history.add(now)

    def refused(self, reaction: Reaction, now: float) -> None:
        """An attempt was refused."""
        if reaction.act == "slow":
            self.rated_at = now
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
        self.probe_refused = 0.0
        # who blocks us for our rate says so once, and then speaks of the block
        self.act = "slow" if now - self.rated_at < _SPAN else reaction.act
        if self.act == "pause" and self._comes_back(now):
            self.act = "slow"
        self.slowing = self.act == "slow"
        if self.act != "slow":
            return
        taken = self.history.within(now, 1.0)
        if unprepared:
            self.tolerance = max(1.0, taken)
        else:  # a burst that was refused makes it less
            self.tolerance = max(1.0, min(self.tolerance * 0.8, max(taken, self.tolerance * 0.5)))

    def _comes_back(self, now: float) -> bool:
        """Whether a pause follows our speed: so soon after the last one it is a rate."""
        if not self.flowing:
            return False
        soon = max(self.soon, _COMES_BACK * self.patience.whole)
        if now - self.flowing >= soon:
            return False
        self.soon = soon
        return True

    def renewed(self, reaction: Reaction, now: float) -> float:
        """The stop from now on, for one more refusal of what was under way when it began.

        Where each refusal prolongs a block, the wait starts with the last one.
        """
        patience = self.patience
        if patience.is_worse(reaction) and self.enough(reaction, now):
            patience.own = patience.stop = reaction.pause
            return patience.stop
        return min(patience.stop, _RENEWED)

    def probe_was_refused(self, reaction: Reaction, told: float | None, now: float) -> float:
        """The next stop."""
        self.probe_refused = now if reaction.act == "slow" else 0.0
        return self.patience.longer(reaction, now - self.episode, told or 0.0)

    def learn(self, recovered: float) -> float:
        """The rate the receiver takes, out of what it took from the last stop to this one.

        It is known how many it takes at once. If it took more than that, the last so many came
        in the time it counts over. If not, that time is longer than mail flowed, and at most by
        the stop.
        """
        self.slowing = False
        taken = self.history.between(self.flowing, recovered)
        if not taken:  # forgotten in a restart: less than was refused
            return inf
        if taken > self.capacity > 0:
            began = self.history.since(self.capacity, recovered)
            return self.capacity / max(self.episode - began, _MOMENT)
        flowed = max(self.episode - self.flowing, _MOMENT)
        return taken / (flowed + (recovered - self.episode) * _HALF)

    def prospect(self, recovered: float) -> Prospect:
        """Where to begin, out of what was accepted before the trouble.

        One reading counts the wait: so many in a time that includes it (a limit over a window).
        The other does not: half of the former speed (a block is no matter of rate). The truth
        lies between them: their geometric mean is taken. If probes were refused for the rate, a
        window's limit is lower than what was taken divided by the time until then.
        """
        self.slowing = False
        recovered = max(recovered, self.refused_at + _MOMENT)
        before = self.history.best(self.episode + 1.0, recovered)
        stretch = self.history.best(recovered, recovered)
        if before is None or stretch is None:
            return BLOCKED_UNSEEN if self.act == "pause" else NOTHING_SEEN
        hope = before[1] / (self.episode + 1.0 - before[0])
        began, self.capacity = stretch
        if self.act == "pause":
            return Prospect(hope * _HALF, inf, inf)  # a block is no matter of rate
        self.sure = self.capacity / (recovered - began)
        sure = self.sure * _START
        if recovered - self.episode > _LONG:
            return Prospect(sure, hope, hope)
        if not self.probe_refused:
            return Prospect(max(sure, sqrt(sure * hope * _HALF)), hope, hope)
        doubt = self.capacity / max(self.probe_refused - began, _MOMENT)
        return Prospect(sqrt(sure * doubt), hope, doubt)

    def over(self) -> None:
        """Nothing was refused for long."""
        self.episode = 0.0
        self.act = "none"
        self.soon = 0.0
        self.patience = Patience()
