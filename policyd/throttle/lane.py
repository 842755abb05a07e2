"""The state of one lane: free, slowed, suspended or probing.

    free ──refused──► suspended ──time──► probing ──accepted──► slowed ──quiet──► free
                          ▲                  │                     │
                          └──────refused─────┴───────refused───────┘

Contract: pure; every method takes the time. A refusal that belongs to an attempt from before the
last change ("epoch") is a repeat: it is counted but changes nothing twice. The first rate is what
the receiver was seen to take. `Speed` knows how the rate goes on, `Patience` how long a stop is,
`Window` how many attempts may be in flight.
Failure: none; every wait is bounded, so a lane always comes back.
"""

from __future__ import annotations

from collections import deque
from math import sqrt
from typing import Any, Literal

from policyd.throttle.estimate import Accepted
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.gcra import Gcra
from policyd.throttle.greylist import Greylist
from policyd.throttle.patience import Patience
from policyd.throttle.settings import Act, Limits, PacingSettings, Reaction
from policyd.throttle.speed import Speed
from policyd.throttle.window import Attempt, Window

__all__ = ["LaneState", "Reason", "State"]

State = Literal["free", "slowed", "suspended", "probing"]

_NO_LIMITS = Limits()
_TRIGGER_SPAN = 10.0
_RELEASE = 0.2  # seconds from a release to its question
_RUN = 5  # so many times the count in a row tell more than any share
_START = 0.95  # of what a receiver has shown to take
_HALF = 0.5
_COSTLY = 4.0  # seconds of a stop after which the rate rises gently
_LONG = 90.0  # seconds of trouble after which only the cautious reading counts


class Reason:
    """Why a lane is as it is: one rule's refusals, with the last reply."""

    __slots__ = ("category", "count", "first", "host", "last", "reply", "rule", "scope")

    def __init__(self, evidence: Evidence) -> None:
        self.rule = evidence.rule
        self.category = evidence.category
        self.scope = evidence.scope
        self.first = evidence.time
        self.count = 0
        self.add(evidence)

    @classmethod
    def of(cls, **values: Any) -> Reason:
        """One from saved values."""
        reason = cls.__new__(cls)
        for name in cls.__slots__:
            setattr(reason, name, values[name])
        return reason

    def add(self, evidence: Evidence) -> None:
        """Count one more refusal."""
        self.count += 1
        self.last = evidence.time
        self.reply = evidence.reply
        self.host = evidence.host


class LaneState:
    """One lane. The controller owns it; the gate and `explain` look at it."""

    __slots__ = (
        "accepted",
        "act",
        "adjusted",
        "entered",
        "episode",
        "epoch",
        "granted",
        "greylist",
        "held_total",
        "history",
        "lane",
        "limits",
        "patience",
        "pinned",
        "probes",
        "probes_refused",
        "reasons",
        "recent",
        "refused_at",
        "refused_total",
        "run",
        "saved",
        "seen",
        "settings",
        "since",
        "speed",
        "state",
        "tolerance",
        "until",
        "wide",
        "window",
    )

    def __init__(self, lane: Lane, settings: PacingSettings, now: float) -> None:
        self.lane = lane
        self.settings = settings
        self.limits = _NO_LIMITS
        self.state: State = "free"
        self.since = now
        self.seen = now
        self.until = 0.0
        self.pinned = 0.0  # an operator's word holds until then
        self.window = Window(settings.window)
        self.speed = Speed(settings, self.limits, now)
        self.patience = Patience()
        self.history = Accepted()
        self.entered: dict[str, int] = {}  # how often, for the metrics
        self.epoch = 0
        self.episode = 0.0  # the refusal that began the latest trouble; 0.0: none
        self.refused_at = 0.0
        self.act: Act = "none"  # what the present trouble was answered with
        self.adjusted = now
        self.probes = 0  # under way
        self.probes_refused = 0  # in this episode
        self.saved = 0  # tokens put aside for a message with many parts
        self.tolerance = 1.0  # accepted within a second before it was refused
        self.wide = 0.0  # until then, tokens may be saved for it
        self.greylist = Greylist()
        self.granted = 0  # tokens reserved for released messages not seen yet
        self.reasons: deque[Reason] = deque(maxlen=8)
        self.recent: deque[float] = deque(maxlen=256)  # times of judged refusals
        self.accepted = 0
        self.refused_total = 0
        self.run = 0  # refused without an acceptance between
        self.held_total = 0
        self.use_settings(settings, now)

    def use_settings(self, settings: PacingSettings, now: float) -> None:
        """Live under these settings from now on; told limits may have their hours."""
        told = settings.receivers.get(self.lane.receiver, _NO_LIMITS)
        if not told.hold_at(now):
            told = _NO_LIMITS
        before, self.limits, self.settings = self.limits, told, settings
        self.speed.use_settings(settings, told)
        if told.attempts:
            self.window.limit = float(told.attempts)
        elif before.attempts:
            self.window.reset(0)
        if told.rate and told.rate != before.rate:
            self._slow(told.rate, now)
        elif before.rate and not told.rate and self.pinned <= now:
            self._free(now)

    @property
    def bucket(self) -> Gcra | None:
        """The bucket, while there is a rate."""
        return self.speed.bucket

    @property
    def ceiling(self) -> float | None:
        """The learnt ceiling."""
        return self.speed.ceiling

    # asked by the gate and by the release -----------------------------------------------------

    def advance(self, now: float) -> State:
        """Bring the state up to date with the clock."""
        if self.state == "suspended" and now >= self.until:
            self._enter("probing", now)
            self.probes = 0
        elif self.state == "slowed" and self._quiet(now):
            self._free(now)
        return self.state

    def room(self, now: float) -> int:
        """How many attempts may start now, tokens and window considered."""
        state = self.advance(now)
        if state == "suspended":
            return 0
        if state == "probing":
            return max(0, 1 - self.probes)
        free = self._places() - self.window.open - self.granted
        bucket = self.speed.bucket
        if bucket is not None:
            free = min(free, int(bucket.available(now) + 1e-9))
        return max(0, free)

    def _places(self) -> int:
        """Attempts allowed in flight: at a rate that is known, twice what it needs is no risk."""
        size, bucket = self.window.size(), self.speed.bucket
        if bucket is None or self.window.cap is not None or self.limits.attempts:
            return size
        return max(size, int(2 * bucket.rate * (self.window.latency + _RELEASE)))

    def wait(self, now: float) -> float:
        """Seconds until `room` may be above zero; the window's part cannot be foretold."""
        if self.advance(now) == "suspended":
            return self.until - now
        bucket = self.speed.bucket
        return bucket.wait(now) if bucket is not None else 0.0

    def take(self, now: float) -> bool:
        """Take one token, if there is one."""
        if self.room(now) < 1:
            return False
        self.use(now)
        return True

    def use(self, now: float) -> None:
        """Take one token that `room` promised, or that must be given whatever it costs."""
        if self.state == "probing":
            self.probes += 1
        if self.saved:
            self.saved -= 1
        else:
            self.speed.take(now)

    def save(self, count: int, now: float) -> None:
        """Put tokens aside for a message that needs many at once."""
        for _ in range(count):
            self.speed.take(now)
        self.saved += count

    def give_back(self) -> None:
        """A token was not used after all."""
        if self.state == "probing":
            self.probes = max(0, self.probes - 1)
        self.speed.give_back()

    def begin(self, domain: str, now: float) -> Attempt:
        """An attempt starts, its token is taken."""
        self.seen = now
        return self.window.begin(domain, now, self.epoch, self.state == "probing")

    # told by the log and by the status filter -------------------------------------------------

    def accept(self, now: float, attempt: Attempt | None) -> None:
        """An attempt was accepted."""
        self.seen = now
        self.accepted += 1
        self.run = 0
        self.history.add(now)
        self.window.accepted(now)
        if self.state == "slowed":
            if self.pinned <= now:
                self.speed.grow(now)
        elif self.state == "probing" and (attempt is None or attempt.epoch == self.epoch):
            self._recover(attempt.began if attempt else now, now)

    def refuse(
        self,
        evidence: Evidence,
        reaction: Reaction,
        hint: float | None,
        attempt: Attempt | None,
        now: float,
    ) -> bool:
        """An attempt was refused for a reason that concerns the lane. True: the state changed."""
        self.seen = now
        self.refused_total += 1
        self.recent.append(now)
        self.run += 1
        self._note(evidence)
        if reaction.shadow:
            return False
        self.refused_at = now
        fresh = self._is_fresh(attempt, now)
        if reaction.act == "connections" and not fresh:
            self.window.refused_again()
        if self.pinned > now:
            return False
        if self.state == "suspended":
            return self._refused_while_suspended(hint, now)
        if not fresh or (self.state == "free" and not self._triggered(reaction, now)):
            return False
        self._close(reaction, hint, now)
        return True

    def _is_fresh(self, attempt: Attempt | None, now: float) -> bool:
        """Whether an attempt began after the last change; one that did not ask may be late."""
        if attempt is None:
            return now - self.adjusted >= max(0.5, 3 * self.window.latency)
        return attempt.epoch == self.epoch

    def _triggered(self, reaction: Reaction, now: float) -> bool:
        """By count and by share: one bad message never stops a big receiver."""
        if self.run >= _RUN * reaction.count:
            return True
        refused = sum(1 for time in self.recent if now - time <= _TRIGGER_SPAN)
        attempts = refused + self.history.within(now, _TRIGGER_SPAN)
        return refused >= reaction.count and refused >= reaction.ratio * attempts

    def _refused_while_suspended(self, hint: float | None, now: float) -> bool:
        """A repeat; but where each refusal prolongs a block, the wait starts with the last one."""
        until = now + (hint if hint is not None else min(self.patience.stop, 5.0))
        if until <= self.until:
            return False
        self.until = until
        return True

    def _close(self, reaction: Reaction, hint: float | None, now: float) -> None:
        """The first refusal of an epoch."""
        if self.state == "probing":
            self.probes_refused += 1
            stop = self.patience.longer(reaction)
            self._suspend(now + max(hint or 0.0, stop), now)
            return
        self.episode = now
        self.probes_refused = 0
        self.act = reaction.act
        if reaction.act == "connections":
            self.window.refused(now, self.settings.longest_explore)
        elif reaction.act == "slow":
            self._tolerated(now)
            self.speed.refused(self._taken(now), self.patience.good, now)
        stop = self.patience.first(reaction)
        self._suspend(now + (stop if hint is None else hint), now)

    def _taken(self, now: float) -> float:
        """Accepted a second, over about the time the receiver seems to count."""
        span = min(max(2.0, self.patience.good * _HALF), 600.0)
        return self.history.within(now, span) / span

    def _tolerated(self, now: float) -> None:
        """How many at once were taken; a burst that was refused makes it less."""
        taken = self.history.within(now, 1.0)
        if self.state == "free":
            self.tolerance = max(1.0, taken)
            self.window.limit = max(self.window.limit, taken)
        else:
            self.tolerance = max(1.0, min(self.tolerance * 0.8, max(taken, self.tolerance * 0.5)))

    def _suspend(self, until: float, now: float) -> None:
        self.until = until
        self._change(now)
        self._enter("suspended", now)

    def _change(self, now: float) -> None:
        """What began before is from now on no news."""
        self.epoch += 1
        self.adjusted = now
        self.saved = 0

    def _recover(self, began: float, now: float) -> None:
        """A probe was taken: go on at what the receiver has shown to take."""
        self.patience.enough()
        if self.speed.bucket is not None:
            self._slow(self.speed.bucket.rate, now)
        elif self.act in ("slow", "pause"):
            rate = self._estimate(max(began, self.refused_at + 0.1)) or 1.0
            self._slow(rate, now, gently=self.patience.good > _COSTLY)
        self._enter("slowed", now)
        self._change(now)

    def _estimate(self, recovered: float) -> float | None:
        """A rate to start from, out of what was accepted before the trouble.

        One reading counts the wait: so many in a time that includes it (a limit over a window).
        The other does not: half of the former speed (a block is no matter of rate). The first
        probe's success speaks for the former, a block's words for the latter; between them, their
        geometric mean, unless the wait was so long that caution is better.
        """
        former = self.history.rate(self.episode, self.episode + 1.0)
        waited = self.history.rate(recovered, recovered)
        if former is None or waited is None:
            return None
        former *= _HALF
        waited *= _START
        if self.act == "pause":
            return former
        if self.probes_refused and recovered - self.episode < _LONG:
            return max(waited, sqrt(waited * former))
        return waited

    # changes ----------------------------------------------------------------------------------

    def _enter(self, state: State, now: float) -> None:
        if state != self.state:
            self.state = state
            self.since = now
            self.entered[state] = self.entered.get(state, 0) + 1

    def _slow(self, rate: float, now: float, *, gently: bool = False) -> None:
        self._enter("slowed", now)
        self.speed.start(rate, now, gently=gently)
        self._change(now)

    def _quiet(self, now: float) -> bool:
        if self.pinned > now or self.limits.rate:
            return False
        return now - max(self.refused_at, self.since) > self.settings.free_after

    def mind_the_hours(self, now: float) -> None:
        """Told limits begin and end by the clock."""
        told = self.settings.receivers.get(self.lane.receiver)
        if told is not None and told.hours and told.hold_at(now) != (self.limits is told):
            self.use_settings(self.settings, now)

    def _free(self, now: float) -> None:
        """Nothing was refused for long: forget the limits, but start with a modest window."""
        self.speed.forget()
        self.episode = 0.0
        self.act = "none"
        self.patience = Patience()
        self.window.reset(self.limits.attempts)
        self._enter("free", now)

    def _note(self, evidence: Evidence) -> None:
        for reason in self.reasons:
            if reason.rule == evidence.rule and reason.category == evidence.category:
                reason.add(evidence)
                return
        self.reasons.append(Reason(evidence))

    # an operator's word -----------------------------------------------------------------------

    def pin(self, state: State, until: float, rate: float | None, now: float) -> None:
        """Hold a state until a time, whatever the receiver says."""
        self.pinned = until
        if state == "suspended":
            self._suspend(until, now)
        elif state == "slowed":
            self._slow(rate or (self.bucket.rate if self.bucket else 1.0), now)
        else:
            self._free(now)
            self.window.limit = float(self.settings.window.largest)
            self._change(now)

    def cancel(self, now: float) -> None:
        """Forget the trouble: free again."""
        self.pinned = 0.0
        self._free(now)
        self._change(now)

    def extend(self, seconds: float, now: float) -> bool:
        """Prolong a suspension or a pin; False: there is neither."""
        pinned = self.pinned > now
        if self.advance(now) == "suspended":
            self.until += seconds
            pinned = True
        if self.pinned > now:
            self.pinned += seconds
        return pinned

    def set_rate(self, rate: float, now: float) -> None:
        """Go on at this rate from now on; it is learnt further from there."""
        self.speed.ceiling = None
        self._slow(rate, now)
