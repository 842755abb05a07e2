"""The door: attempts that wait there for their turn, instead of being held.

Contract: pure. Who asks while there is neither token nor place, but soon will be, stands in its
lane's line: first come, first served. Each one is told once, later, by its function `tell`: the
attempt that begins now, or None, "hold". Its turn has come when there is a token and a place; the
line is held as a whole the moment its lane is suspended, and one by one when patience ends. `alarm`
is called with the time at which `tend` has something to do at the latest.
Failure: none; a lane's line is as long as its wait, and all lines of lanes with a limit together
have `most` places, so that other receivers' mail finds delivery agents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from policyd.throttle.book.soon import Soon
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.window import Attempt
from policyd.throttle.settings.door import DoorSettings

__all__ = ["Admission", "Door", "Told", "Waiter"]

Told = Callable[[Attempt | None], None]

_SHORTEST = 0.001  # seconds between two looks at a line


class Waiter:
    """One attempt at the door."""

    __slots__ = ("domain", "since", "state", "tell")

    def __init__(self, state: LaneState, domain: str, since: float) -> None:
        self.state = state
        self.domain = domain
        self.since = since
        self.tell: Told = lambda _: None  # set by who asked


class Admission(NamedTuple):
    """The gate's answer for one attempt."""

    attempt: Attempt | None  # None: hold, or wait
    lane: LaneState
    waiter: Waiter | None = None  # at the door: it is told later


class Door:
    """The lines of all lanes; `held` hears of everybody who is sent away."""

    def __init__(self, settings: DoorSettings, held: Callable[[LaneState, str], None]) -> None:
        self.settings = settings
        self._held = held
        self.alarm: Callable[[float], None] = lambda _: None
        self.soon = Soon()  # who must be known first
        self.soon.alarm = lambda when: self.alarm(when)
        self.counts = {"admitted": 0, "held": 0, "left": 0}  # how waiting ended
        self.seconds = 0.0  # waited, all together
        self._lines: dict[LaneState, deque[Waiter]] = {}

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(map(len, self._lines.values()))

    def left(self) -> int:
        """How many more may wait for receivers with a limit.

        Those who wait for a free one do not count: the delivery agents would be busy there anyway.
        """
        limited = (len(line) for state, line in self._lines.items() if state.state != "free")
        return max(0, self.settings.most - sum(limited))

    def enter(self, state: LaneState, domain: str, expected: bool, now: float) -> Waiter | None:
        """Stand in line; None: it would take too long, hold it.

        Who was let go is `expected` and may try until patience ends: once more would cost more.
        """
        if not self._may_wait(state, expected, now):
            return None
        waiter = Waiter(state, domain, now)
        self._lines.setdefault(state, deque()).append(waiter)
        state.at_door += 1
        self._ring(state, now)
        return waiter

    def _may_wait(self, state: LaneState, expected: bool, now: float) -> bool:
        wait = self.settings.wait
        if not wait or state.state == "suspended":
            return False
        if expected:
            return True
        if state.state == "probing" or (state.state != "free" and not self.left()):
            return False
        return state.turn(now) <= wait

    def leave(self, waiter: Waiter, now: float) -> None:
        """The client went away: its place is free."""
        line = self._lines.get(waiter.state)
        if line is not None and waiter in line:
            line.remove(waiter)
            self._over(waiter, "left", now)

    def look(self, state: LaneState, now: float) -> None:
        """Something happened in this lane: whose turn is it?"""
        while line := self._lines.get(state):
            first = line[0]
            if state.advance(now) != "suspended" and state.passes(now):
                self._tell(line.popleft(), state.begin(first.domain, now), now)
            elif state.state == "suspended" or now - first.since >= self.settings.wait:
                self._tell(line.popleft(), None, now)
            else:
                self._ring(state, now)
                return

    def tend(self, now: float) -> None:
        """Look at every line."""
        self.soon.tend(now)
        for state in list(self._lines):
            self.look(state, now)

    def open(self, now: float) -> None:
        """Let everybody in, at once: we step aside."""
        self.soon.everything()
        for state in list(self._lines):
            while line := self._lines.get(state):
                first = line.popleft()
                self._tell(first, state.begin(first.domain, now), now)

    def _tell(self, waiter: Waiter, attempt: Attempt | None, now: float) -> None:
        self._over(waiter, "held" if attempt is None else "admitted", now)
        if attempt is None:
            self._held(waiter.state, waiter.domain)
        waiter.tell(attempt)

    def _over(self, waiter: Waiter, how: str, now: float) -> None:
        state = waiter.state
        state.at_door -= 1
        if not state.at_door:
            del self._lines[state]
        self.counts[how] += 1
        self.seconds += now - waiter.since

    def _ring(self, state: LaneState, now: float) -> None:
        """Ask to be called when the first one's token is there, or its patience ends.

        The end of an attempt looks by itself; that nobody answers is a matter of time, too.
        """
        end = self._lines[state][0].since + self.settings.wait
        bucket = state.bucket
        token = bucket.wait(now) if bucket is not None else state.window.opens_in(now)
        self.alarm(max(now + _SHORTEST, min(end, now + token) if token else end))
