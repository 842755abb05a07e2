"""A page that many want: made once for all who ask meanwhile, a little in each turn of the loop.

Contract: `Shared(make, turns).get()` gives what the steps of `make` return. While it is being made
everybody waits for the same one. When it is done it is given out again for `REST` times as long as
making it took, so that pages never take more than a small part of the processor: not at all noticed
where a page takes a millisecond, a second or two where it has thousands of lanes.
Failure: what `make` raises is raised to all who wait; the next one who asks begins anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from policyd.serve.turns import Steps, Turns

__all__ = ["REST", "Shared"]

REST = 9.0

T = TypeVar("T")


class Shared(Generic[T]):
    """See the module."""

    def __init__(
        self,
        make: Callable[[], Steps[T]],
        turns: Turns,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._make = make
        self._turns = turns
        self._clock = clock
        self._making: asyncio.Task[T] | None = None
        self._fresh = float("-inf")  # until when the one that is there is given out
        self._spent = 0.0

    async def get(self) -> T:
        """The page."""
        making = self._making
        if making is None or (making.done() and self._clock() >= self._fresh):
            self._spent, self._fresh = 0.0, float("-inf")
            making = self._making = asyncio.create_task(self._turns.result(self._timed()))
        return await asyncio.shield(making)

    def _timed(self) -> Steps[T]:
        steps = self._make()
        while True:
            began = self._clock()
            try:
                next(steps)
            except StopIteration as end:
                self._spent += self._clock() - began
                self._fresh = self._clock() + REST * self._spent
                made: T = end.value
                return made
            self._spent += self._clock() - began
            yield
