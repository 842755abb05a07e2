"""A log file as it is on disk: it may grow, be renamed, be removed and be truncated while we read.

Contract: see `logparse.generation`. The bytes just before the offset are compared at every read,
so a file that was truncated and has grown past the old offset is noticed.
Failure: `Cut` when the file no longer holds what was read from it; OSError as the system gives it.
"""

from __future__ import annotations

import io
import os

from logparse.generation import LONGEST, Cut, Generation
from logparse.mark import HEAD, NEAR, WEAK, Mark, digest

__all__ = ["PlainFile"]


class PlainFile(Generation):
    """See the module."""

    def __init__(self, path: str, raw: io.FileIO) -> None:
        super().__init__(path, os.fstat(raw.fileno()))
        self._raw = raw
        self._fd = raw.fileno()
        self._idle: tuple[int, int] | None = None  # size and mtime when the end was last seen
        self.head = os.pread(self._fd, HEAD, 0)

    def resume(self, mark: Mark) -> bool:
        head = os.pread(self._fd, mark.head_size, 0)
        near = os.pread(self._fd, mark.near_size, mark.offset - mark.near_size)
        if (len(head), len(near)) != (mark.head_size, mark.near_size):
            return False
        if (digest(head), digest(near)) != (mark.head, mark.near):
            return False
        self.offset, self.near, self._idle = mark.offset, near, None
        return True

    def go_to(self, offset: int) -> bool:
        size = min(NEAR, offset)
        near = os.pread(self._fd, size, offset - size)
        if len(near) < size:
            return False
        self.offset, self.near, self._idle = offset, near, None
        return True

    def linked(self) -> bool:
        return os.fstat(self._fd).st_nlink > 0

    def read(self, limit: int) -> bytes:
        stat = os.fstat(self._fd)
        seen = (stat.st_size, stat.st_mtime_ns)
        if seen == self._idle:
            return b""
        self._look_at_head()
        want = limit
        while True:
            data = self._fetch(want)
            self.at_end = len(data) < want
            end = data.rfind(b"\n") + 1
            if end or self.at_end:
                break
            if want >= LONGEST:
                self._drop(data)
                continue
            want = min(want * 4, LONGEST)
        self.size, self.mtime = max(seen[0], self.offset + len(data)), seen[1]
        self._idle = seen if self.at_end else None
        data = data[:end]
        self._advance(data)
        # a writer that keeps its own offset leaves a hole where a file was truncated under it
        return data.lstrip(b"\0") if data[:1] == b"\0" else data

    def unsure(self) -> bool:
        if self._idle is None or len(self.head) >= WEAK:
            return False
        stat = os.fstat(self._fd)
        return (stat.st_size, stat.st_mtime_ns) != self._idle

    def changed(self) -> bool:
        stat = os.fstat(self._fd)
        return (stat.st_size, stat.st_mtime_ns) != self._idle

    def rest(self) -> bytes:
        return self._fetch(LONGEST)

    def to_end(self) -> None:
        """Pass over all lines that are complete now."""
        size = os.fstat(self._fd).st_size
        start = max(0, size - LONGEST)
        tail = os.pread(self._fd, size - start, start)
        end = tail.rfind(b"\n") + 1
        if end:
            self.offset, self.near = start + end, tail[max(0, end - NEAR) : end]

    def release(self) -> None:
        self.closed = True
        self._raw.close()

    def _fetch(self, size: int) -> bytes:
        before = len(self.near)
        raw = os.pread(self._fd, before + size, self.offset - before)
        known = self.near or self.head[:size]
        if raw[: len(known)] != known:
            raise Cut(f"{self.path} was truncated or replaced")
        return raw[before:]

    def _look_at_head(self) -> None:
        if len(self.head) < HEAD:
            head = os.pread(self._fd, HEAD, 0)
            if not head.startswith(self.head):
                raise Cut(f"{self.path} was truncated or replaced")
            self.head = head

    def _drop(self, data: bytes) -> None:
        self._advance(data)
        if data.strip(b"\0"):
            self.dropped += len(data)
