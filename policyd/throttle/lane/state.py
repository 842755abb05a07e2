"""The state of one lane: free, slowed, suspended or probing.

    free ──refused──► suspended ──time──► probing ──accepted──► slowed ──quiet──► free
                          ▲                  │                     │
                          └──────refused─────┴───────refused───────┘

Contract: pure; every method takes the time. A refusal that belongs to an attempt from before the
last change ("epoch") is a repeat: it is counted but changes nothing twice. The first rate is what
the receiver was seen to take. `Trouble` keeps the record, `Speed` knows how the rate goes on,
`Window` how many attempts may be in flight.
Failure: none; every wait is bounded, so a lane always comes back.
Length: the four states and every change between them stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.lane.court import Court
from policyd.throttle.lane.gcra import Gcra
from policyd.throttle.lane.greylist import Greylist
from policyd.throttle.lane.hosts import Hosts
from policyd.throttle.lane.reasons import Reasons
from policyd.throttle.lane.speed import Speed
from policyd.throttle.lane.trouble import Trouble
from policyd.throttle.lane.window import Attempt, Window
from policyd.throttle.settings.pacing import NO_LIMITS, PacingSettings, Reaction

__all__ = ["LaneState", "State"]

State = Literal["free", "slowed", "suspended", "probing"]

_RELEASE = 0.2  # seconds from a release to its question
_AHEAD = 20  # attempts at most that may be on their way to places that are not free yet


class LaneState:
    """One lane. The controller owns it; the gate and `explain` look at it."""

    def __init__(
        self,
        lane: Lane,
        settings: PacingSettings,
        now: float,
        posix: Callable[[float], float] = float,
    ) -> None:
        self.lane = lane
        self._posix = posix
        self.limits = NO_LIMITS
        self.state: State = "free"
        self.since = self.seen = self.adjusted = now
        self.until = self.pinned = 0.0  # an operator's word holds until `pinned`
        self.window = Window(settings.window)
        self.speed = Speed(settings, self.limits, now)
        self.trouble = Trouble()
        self.court, self.hosts = Court(settings.court), Hosts()
        self.entered: dict[str, int] = {}  # how often, for the metrics
        # told of each change: the state before, the time
        self.changed: Callable[[LaneState, State, float], None] = lambda lane, before, now: None
        self.probe: Attempt | None = None  # the latest one
        self.greylist = Greylist()
        self.epoch = self.backlog = 0  # `backlog`: messages that wait for it
        self.granted = 0  # attempts of released messages that have not asked yet
        self.at_door = 0  # attempts that asked and wait for their turn
        self.reasons = Reasons()
        self.accepted = self.refused_total = self.held_total = 0
        self.use_settings(settings, now)

    def use_settings(self, settings: PacingSettings, now: float) -> None:
        """Live under these settings from now on; told limits may have their hours."""
        told = NO_LIMITS  # of the receiver as a whole: no sender's domain has them for itself
        if not self.lane.sender:
            told = settings.limits(self.lane.receiver, self._posix(now))
        before, self.limits, self.settings = self.limits, told, settings
        self.speed.use_settings(settings, told)
        self.court.use(settings.court)
        self.window.told = told.attempts
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

    def advance(self, now: float) -> State:
        """Bring the state up to date with the clock."""
        if self.state == "suspended" and now >= self.until:
            self._enter("probing", now)
            self.probe = None
        elif self.state == "slowed" and self._quiet(now):
            self._free(now)
        return self.state

    def passes(self, now: float) -> bool:
        """Whether an attempt may start now: there is a token and a place."""
        return self._vacant(now, 0.0) >= 1

    def room(self, now: float, ahead: float = 0.0) -> int:
        """How many more attempts may start within `ahead` seconds, those on their way served."""
        free = self._vacant(now, ahead) - self.granted - self.at_door
        return free if free > 0 else 0

    def _vacant(self, now: float, ahead: float) -> int:
        """Tokens and places there are, or are expected `ahead`."""
        state = self.advance(now)
        if state == "suspended":
            return 0
        if state == "probing":
            return 0 if self.probe is not None and self.probe.open else 1
        window = self.window
        if state == "free":
            window.open_with_time(now)
        places = self._places()
        free = places - window.open
        if ahead and window.latency:
            free += min(_AHEAD, int(places * ahead / window.latency))
        bucket = self.speed.bucket
        if bucket is not None:
            free = min(free, int(bucket.available(now) + bucket.rate * ahead + 1e-9))
        return free

    def _places(self) -> int:
        """Attempts allowed in flight: at a rate that is known, twice what it needs is no risk."""
        size, bucket = self.window.size(), self.speed.bucket
        if bucket is None or self.window.cap is not None or self.limits.attempts:
            return size
        needed = int(2 * bucket.rate * (self.window.latency + _RELEASE))
        return needed if needed > size else size

    def turn(self, now: float) -> float:
        """Seconds until one more may start, those on their way served; an estimate."""
        if self.advance(now) == "suspended":
            return self.until - now
        number = self.granted + self.at_door + 1
        bucket, window, places = self.speed.bucket, self.window, self._places()
        wait = max(0.0, number + window.open - places) * window.latency / places
        if bucket is not None:
            wait = max(wait, (number - bucket.available(now)) * bucket.interval)
        return wait

    def reach(self, seconds: float) -> float:
        """How many attempts may start, one after the other, within so many seconds."""
        bucket, window = self.speed.bucket, self.window
        if bucket is not None:
            return bucket.rate * seconds
        return self._places() * seconds / max(window.latency, _RELEASE)

    def begin(self, domain: str, now: float, *, logged: bool = True) -> Attempt:
        """An attempt starts: it takes its token, whether there is one or not."""
        self.seen = now
        self.court.began(domain)
        self.speed.take(now)
        attempt = self.window.begin(domain, now, self.epoch, self.state == "probing", logged)
        if attempt.probe:
            self.probe = attempt
        return attempt

    def accept(self, now: float, attempt: Attempt | None, domain: str = "") -> None:
        """An attempt was accepted."""
        if domain:
            began = attempt.began if attempt else now
            if self.state == "suspended" and self.pinned <= now:
                self.until = self.court.shortened(self.until, domain, began, now)
            self.court.accepted(domain, began, now)
        self.seen = now
        self.accepted += 1
        self.trouble.accepted(attempt.began if attempt else now)
        self.window.accepted(now)
        if self.state == "slowed":
            if self.pinned <= now:
                self.speed.grow(self.backlog, self.window.latency, now)
        elif self.state == "probing" and (attempt is None or attempt.epoch == self.epoch):
            self._recover(attempt.began if attempt else now, now)

    def pair(self, domain: str, accepted: bool, now: float) -> Attempt | None:
        """The attempt that a log line speaks of, closed; None: it was not asked for."""
        return self.window.pair(domain, accepted, now)

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
        trouble = self.trouble
        trouble.refused(reaction, now)
        self.reasons.note(evidence)
        if reaction.shadow:
            return False
        trouble.refused_at = now
        fresh = self._is_fresh(attempt, now)
        if reaction.act == "connections" and not fresh:
            self.window.refused_again()
        if self.pinned > now:
            return False
        if self.state == "suspended":
            until = now + (trouble.renewed(reaction, now) if hint is None else hint)
            longer, self.until = until > self.until, max(until, self.until)
            return longer
        if fresh and (self.state != "free" or trouble.enough(reaction, now)):
            self._close(reaction, hint, now)
            return True
        return False

    def _is_fresh(self, attempt: Attempt | None, now: float) -> bool:
        """Whether an attempt began after the last change; one that did not ask may be late."""
        if attempt is None:
            return now - self.adjusted >= max(0.5, 3 * self.window.latency)
        return attempt.epoch == self.epoch

    def _close(self, reaction: Reaction, hint: float | None, now: float) -> None:
        """The first refusal of an epoch."""
        trouble = self.trouble
        if self.state == "probing":
            self._suspend(now + trouble.probe_was_refused(reaction, hint, now), now)
            return
        trouble.begin(reaction, self.state == "free", now)
        if reaction.act == "connections":
            self.window.refused(now, self.settings.longest_explore)
        elif reaction.act == "slow":
            self.window.limit = max(self.window.limit, trouble.tolerance)
        self._suspend(now + trouble.patience.first(reaction, hint), now)

    def _suspend(self, until: float, now: float) -> None:
        self.until = until
        self._change(now)
        self._enter("suspended", now)

    def _change(self, now: float) -> None:
        """What began before is from now on no news."""
        self.epoch += 1
        self.adjusted = now

    def _recover(self, began: float, now: float) -> None:
        """A probe was taken: go on at what the receiver has shown to take."""
        trouble, speed = self.trouble, self.speed
        least = self.court.probe_accepted(now)
        speed.floor = min(max(self.limits.floor or self.settings.floor, least), speed.top)
        trouble.patience.enough(began - trouble.episode)
        # where only a few were refused, it may have been for nothing: that has no price
        speed.cost = 0.0 if least else trouble.patience.cost
        if speed.bucket is not None:
            speed.number = trouble.capacity
            if trouble.slowing:
                speed.refused(trouble.learn(began), self.backlog, now)
            self._slow(speed.bucket.rate, now)
        elif trouble.act in ("slow", "pause"):
            speed.prospect = trouble.prospect(began)
            speed.number, speed.safe = trouble.capacity, trouble.sure
            self._slow(speed.prospect.rate, now)
        trouble.flowing = began
        self._enter("slowed", now)
        self._change(now)

    def _enter(self, state: State, now: float) -> None:
        if state != self.state:
            before, self.state, self.since = self.state, state, now
            self.trouble.course.enter(state, now)
            self.entered[state] = self.entered.get(state, 0) + 1
            self.changed(self, before, now)

    def _slow(self, rate: float, now: float) -> None:
        self.speed.start(rate, now)
        self._enter("slowed", now)
        self._change(now)

    def _quiet(self, now: float) -> bool:
        if self.pinned > now or self.limits.rate:
            return False
        return now - max(self.trouble.refused_at, self.since) > self.settings.free_after

    def _free(self, now: float) -> None:
        """Nothing was refused for long: forget the limits, but start with a modest window."""
        self.speed.forget()
        self.trouble.over()
        self.window.reset(self.limits.attempts)
        self._enter("free", now)

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

    def set_rate(self, rate: float, now: float) -> None:
        """Go on at this rate from now on; it is learnt further from there."""
        self.speed.ceiling = None
        self._slow(rate, now)
