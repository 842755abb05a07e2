"""A snapshot that may grow large: taken so seldom that it hardly costs anything.

Contract: `Seldom(take, clock)` is called as often as one likes and gives what `take` gave last; it
takes anew when a thousand times as long has passed as taking it took, or after `again`.
Failure: none of its own. What a kill loses of such a snapshot must come back by itself: held
messages from the queue, domains and rates from the next mail.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Seldom"]

_TIMES = 1000
_LONGEST = 60.0  # seconds


class Seldom:
    """See the module."""

    def __init__(self, take: Callable[[], bytes], clock: Callable[[], float]) -> None:
        self._take = take
        self._clock = clock
        self._taken: bytes | None = None
        self._next = 0.0

    def __call__(self) -> bytes:
        """The snapshot, new or not."""
        began = self._clock()
        if self._taken is None or began >= self._next:
            self._taken = self._take()
            done = self._clock()
            self._next = done + min(_TIMES * (done - began), _LONGEST)
        return self._taken

    def again(self) -> None:
        """Take it anew next time."""
        self._next = 0.0
