"""One file of a log, opened: what the live one, a rotated one and a compressed one have in common.

A log lives through generations: it is renamed or copied away and begins anew. Each generation is
read from a place on, in blocks of whole lines; a last line without its newline stays where it is
until the rest arrives.
Contract: `close` only notes that reading goes on elsewhere (Pygtail calls it): the descriptor stays
open for late lines, until `release`.
Failure: `Cut` when the file no longer holds what was read from it; OSError as the system gives it.
"""

from __future__ import annotations

import os

from logparse.errors import LogError
from logparse.mark import NEAR, Mark, digest

__all__ = ["LONGEST", "Cut", "Generation"]

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

    def go_to(self, offset: int) -> bool:
        """Go to the end of a line; False where the file is shorter."""
        raise NotImplementedError

    def linked(self) -> bool:
        """Whether the file still has a name in some folder."""
        return True

    def unsure(self) -> bool:
        """It held next to nothing and has changed: by growing, or by all that rotation does?"""
        return False

    def changed(self) -> bool:
        """Whether it was written to since its end was seen."""
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
        last = self.near[self.near.rfind(b"\n", 0, len(self.near) - 1) + 1 :]
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
            last=digest(last),
            last_size=len(last),
        )

    def _advance(self, data: bytes) -> None:
        self.offset += len(data)
        self.near = (self.near + data)[-NEAR:] if len(data) < NEAR else data[-NEAR:]
