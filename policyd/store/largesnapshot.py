"""A snapshot that may grow large: taken piece by piece, and so seldom that it hardly costs.

Contract: `Seldom(take, clock)` is called as often as one likes and gives the snapshot that was
complete last. `take` yields its pieces. A call works on them for a few milliseconds at most, so
that a large one is spread over many calls; when it is done, a thousand times as long as it took has
to pass before the next one begins. `again` asks for one of this very moment, at one go. `taken` may
be set to what an earlier run left.
Failure: none of its own. What a kill loses of such a snapshot must come back by itself: held
messages from the queue, domains and rates from the next mail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

__all__ = ["LargeSnapshot", "array"]

_TURN = 0.002  # seconds of work in a call
_TIMES = 1000
_LONGEST = 60.0  # seconds between two snapshots
_ROWS = 200  # in a piece


class LargeSnapshot:
    """See the module."""

    def __init__(self, take: Callable[[], Iterator[bytes]], clock: Callable[[], float]) -> None:
        self.taken: bytes | None = None
        self._take = take
        self._clock = clock
        self._pieces: Iterator[bytes] | None = None
        self._done: list[bytes] = []
        self._spent = 0.0
        self._next = 0.0
        self._whole = False

    def __call__(self) -> bytes:
        """The snapshot, new or not."""
        began = self._clock()
        whole = self._whole or self.taken is None
        if self._pieces is None and (whole or began >= self._next):
            self._pieces, self._done, self._spent = self._take(), [], 0.0
        if self._pieces is not None:
            complete = self._work(self._pieces, None if whole else began + _TURN)
            now = self._clock()
            self._spent += now - began
            if complete:
                self.taken, self._pieces, self._whole = b"".join(self._done), None, False
                self._next = now + min(_TIMES * self._spent, _LONGEST)
        return self.taken or b""

    def _work(self, pieces: Iterator[bytes], until: float | None) -> bool:
        """Go on for a while; True: that was the last piece."""
        for piece in pieces:
            self._done.append(piece)
            if until is not None and self._clock() > until:
                return False
        return True

    def again(self) -> None:
        """Take it anew next time, all of it."""
        self._pieces, self._whole = None, True


def array(rows: Iterable[object]) -> Iterator[bytes]:
    """A JSON array in pieces."""
    left, before = iter(rows), b"["
    while some := list(islice(left, _ROWS)):
        yield before + json.dumps(some, separators=(",", ":")).encode()[1:-1]
        before = b","
    yield b"[]" if before == b"[" else b"]"
