"""The state of one lane: free, slowed, suspended or probing.

    free ──refused──► suspended ──time──► probing ──accepted──► slowed ──quiet──► free
                          ▲                  │                     │
                          └──────refused─────┴───────refused───────┘

Contract: pure; every method takes the time. A refusal that belongs to an attempt from before the
last change ("epoch") is a repeat: it is counted but changes nothing twice. The first rate is what
the receiver was seen to take, later ones rise towards a remembered ceiling and try it again ever
more seldom.
Failure: none; every wait is bounded, so a lane always comes back.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

from policyd.throttle.estimate import Accepted
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.gcra import Gcra
from policyd.throttle.settings import Act, Limits, PacingSettings, Reaction
from policyd.throttle.window import Attempt, Window

__all__ = ["LaneState", "Reason", "State"]

State = Literal["free", "slowed", "suspended", "probing"]

_BACK_OFF = 0.9  # of the ceiling, after a refusal
_EDGE = 0.97  # of the rate that was refused: taken for the ceiling
_START = 0.92  # of the estimate
_RAMP = 1.25  # growth while no ceiling is known
_CLIMB = 0.35  # of what is missing to the ceiling
_TRY = 1.06  # growth above a ceiling that is tried again
_TRIGGER_SPAN = 10.0


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
        "bucket",
        "ceiling",
        "debt",
        "episode",
        "epoch",
        "explore_at",
        "explore_gap",
        "floor",
        "granted",
        "held_total",
        "history",
        "lane",
        "limits",
        "pause",
        "pinned",
        "probes",
        "reasons",
        "recent",
        "refused_at",
        "refused_total",
        "seen",
        "settings",
        "since",
        "state",
        "top",
        "until",
        "window",
    )

    def __init__(self, lane: Lane, settings: PacingSettings, now: float) -> None:
        self.lane = lane
        self.state: State = "free"
        self.since = now
        self.seen = now
        self.until = 0.0
        self.pinned = 0.0  # an operator's word holds until then
        self.window = Window(settings.window)
        self.history = Accepted()
        self.bucket: Gcra | None = None
        self.ceiling: float | None = None  # learnt
        self.explore_at = 0.0
        self.explore_gap = settings.explore
        self.epoch = 0
        self.episode = 0.0  # the refusal that began the present trouble; 0.0: none
        self.refused_at = 0.0
        self.pause = 0.0
        self.act: Act = "none"  # what the present trouble was answered with
        self.debt = 0.0  # tokens handed out since the last adjustment
        self.adjusted = now
        self.probes = 0
        self.granted = 0  # tokens reserved for released messages not seen yet
        self.reasons: deque[Reason] = deque(maxlen=8)
        self.recent: deque[float] = deque(maxlen=256)  # times of judged refusals
        self.accepted = 0
        self.refused_total = 0
        self.held_total = 0
        self.use_settings(settings)
        if self.limits.rate:
            self._slow(self.limits.rate, now)

    def use_settings(self, settings: PacingSettings) -> None:
        """Live under these settings from now on."""
        self.settings = settings
        self.limits = settings.receivers.get(self.lane.receiver, Limits())
        self.floor = self.limits.floor or settings.floor
        self.top = min(self.limits.ceiling or settings.ceiling, settings.ceiling)
        if self.limits.attempts:
            self.window.limit = float(self.limits.attempts)

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
        free = self.window.size() - self.window.open - self.granted
        if self.bucket is not None:
            free = min(free, int(self.bucket.available(now) + 1e-9))
        return max(0, free)

    def wait(self, now: float) -> float:
        """Seconds until `room` may be above zero; the window's part cannot be foretold."""
        if self.advance(now) == "suspended":
            return self.until - now
        return self.bucket.wait(now) if self.bucket is not None else 0.0

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
        if self.bucket is not None and not self.bucket.take(now):
            self.bucket.charge(now)
        self.debt += 1

    def give_back(self) -> None:
        """A token was not used after all."""
        if self.state == "probing":
            self.probes = max(0, self.probes - 1)
        if self.bucket is not None:
            self.bucket.refund()
        self.debt = max(0.0, self.debt - 1)

    def begin(self, domain: str, now: float) -> Attempt:
        """An attempt starts, its token is taken."""
        self.seen = now
        return self.window.begin(domain, now, self.epoch, self.state == "probing")

    # told by the log and by the status filter -------------------------------------------------

    def accept(self, now: float, attempt: Attempt | None) -> None:
        """An attempt was accepted."""
        self.seen = now
        self.accepted += 1
        self.history.add(now)
        self.window.accepted(now)
        if attempt is None:  # it did not ask: a session that was kept open
            self.use_unasked(now)
        if self.state == "slowed":
            self._grow(now)
        elif self.state == "probing" and (attempt is None or attempt.epoch == self.epoch):
            self._recover(attempt.began if attempt else now, now)

    def use_unasked(self, now: float) -> None:
        """A delivery over a kept session used up a token without asking."""
        if self.bucket is not None:
            self.bucket.charge(now)
        self.debt += 1

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
        self._note(evidence)
        if reaction.act not in ("slow", "pause", "connections") or reaction.shadow:
            return False
        fresh = attempt is None or attempt.epoch == self.epoch
        if attempt is None and now - self.adjusted < max(0.5, 3 * self.window.latency):
            fresh = False  # it did not ask, but it was on its way when the state changed
        if reaction.act == "connections":
            in_flight = self.window.open + 1
            gap = self.settings.explore
            self.window.refused_connection(in_flight, now, fresh, gap)
        self.refused_at = now
        if self.pinned > now:
            return False
        if self.state == "suspended":
            return self._refused_while_suspended(hint, now)
        if not fresh:
            return False
        if self.state == "free" and not self._triggered(reaction, now):
            return False
        self._close(reaction, hint, now)
        return True

    def _refused_while_suspended(self, hint: float | None, now: float) -> bool:
        """A repeat; but where each refusal prolongs a block, the wait starts with the last one."""
        until = now + (hint if hint is not None else min(self.pause, 5.0))
        if until <= self.until:
            return False
        self.until = until
        return True

    def _close(self, reaction: Reaction, hint: float | None, now: float) -> None:
        """The first refusal of an epoch: stop, and remember at what rate it came."""
        if self.state == "probing":
            self.pause = min(max(self.pause, reaction.pause) * reaction.factor, reaction.longest)
        else:
            if self.episode == 0.0 or self.state == "free":
                self.episode = now
            self.act = reaction.act
            self.pause = reaction.pause
            if self.state == "slowed" and self.bucket is not None and reaction.act == "slow":
                self._back_off(now)
        if reaction.act == "connections" and hint is None and self.state != "probing":
            self.epoch += 1
            self.adjusted = now
            if self.state == "free":
                self._enter("slowed", now)
            return  # fewer at a time; no stop
        length = self.pause
        if hint is not None:
            length = max(hint, self.pause) if self.state == "probing" else hint
        self._suspend(now + length, now)

    def _suspend(self, until: float, now: float) -> None:
        self.until = until
        self.epoch += 1
        self.adjusted = now
        self._enter("suspended", now)

    def _triggered(self, reaction: Reaction, now: float) -> bool:
        """By count and by share: one bad message never stops a big receiver."""
        refused = sum(1 for time in self.recent if now - time <= _TRIGGER_SPAN)
        attempts = refused + self.history.within(now, _TRIGGER_SPAN)
        return refused >= reaction.count and refused >= reaction.ratio * attempts

    def _back_off(self, now: float) -> None:
        assert self.bucket is not None
        rate = self.bucket.rate
        above = self.ceiling is not None and rate > self.ceiling
        self.explore_gap = (
            self.settings.explore
            if self.ceiling is None
            else min(self.explore_gap * 2, self.settings.longest_explore)
        )
        self.ceiling = min(rate * _EDGE, self.ceiling) if above and self.ceiling else rate * _EDGE
        self.explore_at = now + self.explore_gap
        self._set_rate(self.ceiling * _BACK_OFF, now)

    def _recover(self, began: float, now: float) -> None:
        """A probe was taken: go on at what the receiver has shown to take."""
        rate = self.bucket.rate if self.bucket is not None else None
        if rate is None and self.window.cap is None:
            rate = self._estimate(max(began, self.refused_at + 0.1)) or 1.0
        self._enter("slowed", now)
        if rate is not None:
            self._slow(rate, now)
        self.epoch += 1

    def _estimate(self, recovered: float) -> float | None:
        """Where to start: what was taken before the trouble, the wait counted for rate limits."""
        if self.act == "pause":  # a block is no matter of rate: half of the former speed
            shown = self.history.rate(self.episode, self.episode + 1.0)
            return shown * 0.5 if shown else None
        shown = self.history.rate(self.episode, recovered)
        return shown * _START if shown else None

    def _grow(self, now: float) -> None:
        """Raise the rate while it is used and not refused."""
        bucket = self.bucket
        if bucket is None or self.pinned > now:
            return
        span = now - self.adjusted
        rate = bucket.rate
        if span < max(1.0, 3.0 / rate) or self.debt < 0.6 * rate * span:
            if span > max(10.0, 20.0 / rate):  # not used: start measuring again
                self.adjusted, self.debt = now, 0.0
            return
        ceiling = self.ceiling
        if ceiling is None:
            rate *= _RAMP
        elif now >= self.explore_at:
            rate *= _TRY
            if rate > ceiling * 1.3:
                self.explore_gap = self.settings.explore
                self.ceiling = None
        elif rate < ceiling:
            rate += (ceiling - rate) * _CLIMB
        self._set_rate(rate, now)
        self.adjusted, self.debt = now, 0.0

    # changes ----------------------------------------------------------------------------------

    def _enter(self, state: State, now: float) -> None:
        if state != self.state:
            self.state = state
            self.since = now

    def _slow(self, rate: float, now: float) -> None:
        self._enter("slowed", now)
        rate = min(max(rate, self.floor), self.top)
        self.bucket = Gcra(rate, self.burst_of(rate), now, empty=True)
        self.adjusted, self.debt = now, 0.0

    def _set_rate(self, rate: float, now: float) -> None:
        assert self.bucket is not None
        rate = min(max(rate, self.floor), self.top)
        self.bucket.set(rate, self.burst_of(rate), now)

    def burst_of(self, rate: float) -> float:
        """Attempts that may start at once at this rate."""
        return self.limits.burst or min(max(1.0, rate * 0.25), 20.0)

    def _quiet(self, now: float) -> bool:
        if self.pinned > now or self.limits.rate:
            return False
        return now - max(self.refused_at, self.since) > self.settings.free_after

    def _free(self, now: float) -> None:
        """Nothing was refused for long: forget the limits, but start with a modest window."""
        self.bucket = None
        self.ceiling = None
        self.episode = 0.0
        self.pause = 0.0
        self.explore_gap = self.settings.explore
        self.window.cap = None
        self.window.explore_gap = 0.0
        if not self.limits.attempts:
            self.window.limit = min(self.window.limit, self.settings.window.initial)
            self.window.taken = 0
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
        self.epoch += 1

    def cancel(self, now: float) -> None:
        """Forget the trouble: free again."""
        self.pinned = 0.0
        self.epoch += 1
        self._free(now)

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
        self.ceiling = None
        self.epoch += 1
        self._slow(rate, now)
