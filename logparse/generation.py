"""One file of a log, opened: the live one, a rotated one, or a compressed one.

A log lives through generations: it is renamed or copied away and begins anew. Each generation is
read here from a place on, in blocks of whole lines; a last line without its newline stays where it
is until the rest arrives.
Contract: the bytes just before the offset are compared at every read, so a file that was truncated
and has grown past the old offset is noticed. `left` only notes that reading went on elsewhere: the
descriptor stays open for late lines, until `release`.
Failure: `Cut` when the file no longer holds what was read from it; a broken archive ends where it
is broken, which is logged and counted in `dropped`; OSError as the system gives it.
"""

from __future__ import annotations

import io
import logging
import os

from logparse.errors import LogError
from logparse.mark import HEAD, NEAR, WEAK, Mark, digest
from logparse.packed import PackError, Unpacked, is_packed

__all__ = ["LONGEST", "Cut", "Generation", "PackedFile", "PlainFile", "open_generation"]

_log = logging.getLogger(__name__)

LONGEST = 1 << 20  # a line longer than this is no log line: it is dropped and counted


class Cut(LogError):
    """The file no longer holds what was read from it: it was truncated or replaced."""


class Generation:
    """What plain and packed files have in common."""

    packed = False

    def __init__(self, path: str, stat: os.stat_result) -> None:
        self.path = path
        self.dev, self.ino = stat.st_dev, stat.st_ino
        self.size, self.mtime = stat.st_size, stat.st_mtime_ns
        self.offset = 0
        self.dropped = 0  # bytes that could not be handed out, until somebody takes note of them
        self.at_end = False  # the last read saw the end of the file
        self.closed = False  # read by Pygtail: "open the next one"
        self.head = b""
        self.near = b""
        self._head_digest = (0, digest(b""))

    def read(self, limit: int) -> bytes:
        """The next whole lines, b"" if there is none."""
        raise NotImplementedError

    def resume(self, mark: Mark) -> bool:
        """Go to the marked place; False where this is not the file that was marked."""
        raise NotImplementedError

    def unsure(self) -> bool:
        """It held next to nothing and has changed: by growing, or by all that rotation does?"""
        return False

    def rest(self) -> bytes:
        """What stands behind the last whole line, at the end of the file."""
        raise NotImplementedError

    def release(self) -> None:
        """Close the file."""
        raise NotImplementedError

    def close(self) -> None:
        """Note that reading goes on in another file; this one may still get late lines."""
        self.closed = True

    def mark(self) -> Mark:
        """The place where the next line begins."""
        if self._head_digest[0] != len(self.head):
            self._head_digest = (len(self.head), digest(self.head))
        return Mark(
            path=self.path,
            dev=self.dev,
            ino=self.ino,
            offset=self.offset,
            size=max(self.size, self.offset),
            mtime=self.mtime,
            head=self._head_digest[1],
            head_size=self._head_digest[0],
            near=digest(self.near),
            near_size=len(self.near),
        )

    def _advance(self, data: bytes) -> None:
        self.offset += len(data)
        self.near = (self.near + data)[-NEAR:] if len(data) < NEAR else data[-NEAR:]


class PlainFile(Generation):
    """A file as it is on disk; it may grow, be renamed, be removed and be truncated."""

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


class PackedFile(Generation):
    """A compressed file; it does not change any more."""

    packed = True

    def __init__(self, path: str, raw: io.FileIO) -> None:
        super().__init__(path, os.fstat(raw.fileno()))
        self._stream = Unpacked(raw)
        self._ahead = b""  # read, not handed out
        self.size = 0
        self.broken = False
        while len(self._ahead) < HEAD and self._more(HEAD):
            pass
        self.head = self._ahead[:HEAD]

    def resume(self, mark: Mark) -> bool:
        if digest(self.head[: mark.head_size]) != mark.head:
            return False
        while self.offset + len(self._ahead) < mark.offset:
            self._take(len(self._ahead))
            if not self._more(HEAD * 8):
                return False
        self._take(mark.offset - self.offset)
        return digest(self.near[len(self.near) - mark.near_size :]) == mark.near

    def read(self, limit: int) -> bytes:
        self.at_end = False
        end = 0
        while not end and not self.at_end:
            self.at_end = not self._more(limit)
            end = self._ahead.rfind(b"\n") + 1
            if not end and len(self._ahead) >= LONGEST:
                self.dropped += len(self._ahead)
                self._take(len(self._ahead))
        return self._take(end)

    def rest(self) -> bytes:
        return self._ahead

    def release(self) -> None:
        self.closed = True
        self._stream.close()

    def _more(self, size: int) -> bool:
        """Read once; False at the end. A broken file ends where it is broken."""
        try:
            data = b"" if self.broken else self._stream.read(size)
        except PackError as error:
            _log.error("%s: %s", self.path, error)
            self.broken, data = True, b""
            self.dropped += 1
        self._ahead += data
        self.size = self.offset + len(self._ahead)
        return bool(data)

    def _take(self, size: int) -> bytes:
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        self._advance(data)
        return data


def open_generation(path: str) -> Generation:
    """Open a file of the log at its beginning."""
    raw = io.FileIO(path, "rb")
    try:
        if is_packed(os.pread(raw.fileno(), 6, 0)):
            return PackedFile(path, raw)
        return PlainFile(path, raw)
    except BaseException:
        raw.close()
        raise
