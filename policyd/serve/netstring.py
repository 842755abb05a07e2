"""Netstrings, the framing of socketmap: bytes in, whole strings out.

Contract: no socket, no clock. `Reader.feed` takes whatever arrived and returns the strings that are
complete; the rest waits inside, never more than `limit` bytes plus the frame. What it returns does
not depend on how the stream was cut into pieces.
Failure: where the stream stops being netstrings, or a string is longer than `limit`, `fault` says
so and nothing more comes out: the next frame cannot be found, the connection must be closed.
"""

from __future__ import annotations

__all__ = ["Reader", "encode"]

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


class Reader:
    """Collects pieces of a stream and hands out whole strings in order."""

    __slots__ = ("_digits", "_held", "_limit", "_quick", "_wanted", "fault")

    def __init__(self, limit: int) -> None:
        self.fault: str | None = None
        self._limit = limit
        self._digits = len(str(limit))
        self._quick = min(self._digits + limit + 2, len(_FRONTS) - 1)
        self._held = b""
        self._wanted = 0  # do not look again before so many bytes are there

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished string are held."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Add `data`; return every string completed by it."""
        if self.fault is not None:
            return []
        if self._held:
            data = self._held + data
            if len(data) < self._wanted:
                self._held = data
                return []
        found: list[bytes] = []
        start, end = 0, len(data)
        while start < end:
            colon = data.find(b":", start, start + self._digits + 1)
            head = data[start:colon] if colon >= 0 else data[start:]
            if not self._may_be_length(head):
                break
            if colon < 0:
                self._held, self._wanted = head, 0
                return found
            comma = colon + 1 + int(head)
            if comma >= end:
                self._held, self._wanted = data[start:], comma + 1 - start
                return found
            if data[comma] != _COMMA:
                self.fault = "no ',' where the string should end"
                break
            found.append(data[colon + 1 : comma])
            start = comma + 1
        self._held = b""
        return found

    def one(self, data: bytes) -> bytes | None:
        """The string, if nothing is held and `data` is just one, as nearly every read is.

        None: nothing was taken, `feed` it.
        """
        size = len(data)
        if self._held or size > self._quick or self.fault is not None:
            return None
        # the frame as `encode` would write it; whatever differs is for `feed` to judge
        front = _FRONTS[size]
        if data.startswith(front) and data[-1] == _COMMA:
            return data[len(front) : -1]
        return None

    def _may_be_length(self, head: bytes) -> bool:
        if not head.isdigit() or (len(head) > 1 and head[0] == _ZERO):
            self.fault = f"no length: {head[:20]!r}"
        elif len(head) > self._digits or int(head) > self._limit:
            self.fault = f"a string longer than {self._limit} bytes"
        return self.fault is None
