"""Calls whoever waits at the door when it is their turn: the clock's part of `throttle.door`.

Contract: one timer of the event loop, set to the earliest time the door asked for.
Failure: none; a timer that is late keeps the attempts waiting so much longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from policyd.throttle.book.door import Door

__all__ = ["Doorkeeper"]


class Doorkeeper:
    """Made inside a running event loop."""

    def __init__(
        self, door: Door, clock: Callable[[], float], hurry: Callable[[], None] = lambda: None
    ) -> None:
        """`hurry` has the log read at once, where somebody at the door waits for what it tells."""
        self._door = door
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._when = 0.0
        door.alarm = self._ask
        door.soon.hurry = hurry

    def _ask(self, when: float) -> None:
        """Wake up at this time at the latest."""
        if self._timer is not None:
            if self._when <= when:
                return
            self._timer.cancel()
        self._when = when
        self._timer = self._loop.call_later(max(0.0, when - self._clock()), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._door.tend(self._clock())
