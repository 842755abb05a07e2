"""What is to be looked at again in a moment, by whoever has the clock.

Contract: pure. `add` takes a time and a call, `tend` makes the calls whose time has come; each is
made once, and told whether it is the last chance: `everything` waits for nothing more.
Failure: none; a call that is made late keeps somebody waiting so much longer.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

__all__ = ["Soon"]

Call = Callable[[bool], None]


class Soon:
    """See the module; `alarm` is told when `tend` has something to do at the latest."""

    def __init__(self) -> None:
        self.alarm: Callable[[float], None] = lambda _: None
        self.hurry: Callable[[], None] = lambda: None  # have the log read now: it may tell
        self._waiting: list[tuple[float, int, Call]] = []
        self._serial = count()

    def add(self, when: float, call: Call) -> None:
        """Make this call then."""
        heapq.heappush(self._waiting, (when, next(self._serial), call))
        self.alarm(when)

    def tend(self, now: float) -> None:
        """Make the calls that are due."""
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        for call in due:
            call(False)
        if self._waiting:
            self.alarm(self._waiting[0][0])

    def everything(self) -> None:
        """Make all calls now: we step aside."""
        waiting, self._waiting = self._waiting, []
        for _, _, call in waiting:
            call(True)
