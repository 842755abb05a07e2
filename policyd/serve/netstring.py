"""Netstrings, the framing of socketmap: bytes in, whole strings out.

Contract: no socket, no clock. `Reader.feed` takes whatever arrived, `Reader.take` gives the next
string that is complete: how much work is done at once is the caller's to say. What is taken does
not depend on how the stream was cut into pieces. Feeding costs time by what is fed, never by what
is held; a caller that takes all it can before it feeds again holds never more than `limit` bytes,
the frame, and one piece.
Failure: where the stream stops being netstrings, or a string is longer than `limit`, `fault` says
so and nothing more comes out: the next frame cannot be found, the connection must be closed.
"""

from __future__ import annotations

__all__ = ["NetstringReader", "encode"]

_COMMA, _ZERO = b",0"
_SHORT = 1000  # bytes: a question that is longer is rare


def _fronts() -> list[bytes]:
    """`LENGTH:` by the length of the whole frame, where the string is short."""
    fronts = [bytes(_SHORT)] * (_SHORT + 5)  # no frame has these lengths, nor this front
    for size in range(_SHORT):
        front = b"%d:" % size
        fronts[len(front) + size + 1] = front
    return fronts


_FRONTS = _fronts()


def encode(payload: bytes) -> bytes:
    """Wrap one payload."""
    return b"%d:%b," % (len(payload), payload)


class NetstringReader:
    """Collects pieces of a stream and hands out whole strings in order."""

    __slots__ = ("_at", "_digits", "_held", "_limit", "_quick", "fault")

    def __init__(self, limit: int) -> None:
        self.fault: str | None = None
        self._limit = limit
        self._digits = len(str(limit))
        self._quick = min(self._digits + limit + 2, len(_FRONTS) - 1)
        self._held = bytearray()
        self._at = 0  # where in it the next frame begins

    @property
    def pending(self) -> int:
        """How many bytes are held that were not taken."""
        return len(self._held) - self._at

    def feed(self, data: bytes) -> None:
        """Add `data`."""
        if self.fault is None:
            del self._held[: self._at]
            self._at = 0
            self._held += data

    def take(self) -> bytes | None:
        """The next whole string; None: there is none, or never will be (`fault`)."""
        held, start = self._held, self._at
        if start >= len(held) or self.fault is not None:
            return None
        colon = held.find(b":", start, start + self._digits + 1)
        head = bytes(held[start : colon if colon >= 0 else start + self._digits + 1])
        if not self._may_be_length(head):
            self._end()
            return None
        if colon < 0:
            return None
        comma = colon + 1 + int(head)
        if comma >= len(held):
            return None
        if held[comma] != _COMMA:
            self.fault = "no ',' where the string should end"
            self._end()
            return None
        self._at = comma + 1
        return bytes(held[colon + 1 : comma])

    def one(self, data: bytes) -> bytes | None:
        """The string, if nothing is held and `data` is just one, as nearly every read is.

        None: nothing was taken, `feed` it.
        """
        size = len(data)
        if size > self._quick or len(self._held) > self._at or self.fault is not None:
            return None
        # the frame as `encode` would write it; whatever differs is for `take` to judge
        front = _FRONTS[size]
        start = len(front)
        if data[:start] == front and data[-1] == _COMMA:
            return data[start:-1]
        return None

    def _may_be_length(self, head: bytes) -> bool:
        if not head.isdigit() or (len(head) > 1 and head[0] == _ZERO):
            self.fault = f"no length: {head[:20]!r}"
        elif len(head) > self._digits or int(head) > self._limit:
            self.fault = f"a string longer than {self._limit} bytes"
        return self.fault is None

    def _end(self) -> None:
        """Nothing behind a fault is of any use."""
        self._held.clear()
        self._at = 0
