"""Fair shares of the event loop: what takes longer than one answer is done a little at a time.

A client may ask a thousand questions at once, and a browser wants a page about thousands of lanes.
Done at one go, either would keep everybody else waiting, systemd's watchdog included.

Contract: who has more to do hands a piece of work to `add`: called again and again, it does a
little each time (well below a millisecond) and says whether there is more. In one turn of the loop
all such work together, one after the other, gets `SHARE` seconds; then the loop looks at its
sockets again, where a single question is answered at once. Everything runs in the loop's thread.
Failure: work that raises is dropped, the loop's own handler tells of it, the rest goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import TypeVar

__all__ = ["SHARE", "Steps", "Turns", "finish"]

SHARE = 0.001  # seconds of a loop's turn: what a single question may find before it

Work = Callable[[], bool]
T = TypeVar("T")
Steps = Generator[None, None, T]  # yields where it may be interrupted, returns what it made


def finish(steps: Steps[T]) -> T:
    """All steps at one go, where nobody waits."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: T = end.value
            return made


def _next_turn(call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(call)


class Turns:
    """The line of those who have more to do."""

    def __init__(
        self,
        *,
        soon: Callable[[Callable[[], None]], None] = _next_turn,
        clock: Callable[[], float] = time.perf_counter,
        share: float = SHARE,
    ) -> None:
        self._soon = soon
        self._clock = clock
        self._share = share
        self._line: deque[Work] = deque()
        self._called = False

    def add(self, work: Work) -> None:
        """Take a place at the end of the line."""
        self._line.append(work)
        self._call()

    def run(self) -> None:
        """One share for those in the line; what is left waits for the next turn."""
        self._called = False
        end = self._clock() + self._share
        line = self._line
        try:
            while line:
                work = line.popleft()
                if work():
                    line.append(work)
                if self._clock() >= end:
                    break
        finally:
            self._call()

    def _call(self) -> None:
        if self._line and not self._called:
            self._called = True
            self._soon(self.run)

    async def result(self, steps: Steps[T]) -> T:
        """Go a step at a time; what they make."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def step() -> bool:
            if done.done():
                return False  # nobody waits for it any more
            try:
                next(steps)
            except StopIteration as end:
                done.set_result(end.value)
                return False
            except Exception as wrong:
                done.set_exception(wrong)
                return False
            return True

        self.add(step)
        return await done
