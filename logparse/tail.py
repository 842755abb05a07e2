"""Follow a log file through everything that log rotation does to it.

This is Pygtail's iterator (read on; at the end, if the file is a rotated one, go to the next) with
its four weak places replaced: it hands out binary blocks of whole lines instead of text lines; a
file is known by what is in it and not by its inode alone; all generations between the place we
know and the live file are read, not one; the position is a value for the caller to keep, not a
file that is rewritten in place.
Contract: see `logparse.source`. Each whole line is handed out once, in the order of the log. After
a rotation the old file is watched for late lines until the next one. What cannot be found again is
counted in `Block.gap` and logged; the count is a lower bound and never 0.
Failure: a log that is missing or unreadable is said once and waited for (`waiting` tells it too).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from pygtail import Pygtail

from logparse.chain import Chain
from logparse.generation import Cut, Generation
from logparse.mark import Mark
from logparse.resume import beginning, resume
from logparse.source import LIMIT, Block, Position

__all__ = ["Tail"]

_log = logging.getLogger(__name__)

_REMEMBERED = 6  # files left behind that may become the log again, as a link is switched back


class Tail(Pygtail):  # type: ignore[misc]  # pygtail has no annotations
    """One log file and all of its generations as a source."""

    fh: Generation | None

    def __init__(
        self,
        path: str | os.PathLike[str],
        position: Position | None = None,
        *,
        from_end: bool = False,
        patterns: Sequence[str] = (),
    ) -> None:
        # os.devnull: Pygtail shall neither look for an offset file nor ever write one
        super().__init__(
            os.fspath(path), offset_file=os.devnull, full_lines=True, save_on_end=False
        )
        self.waiting: str | None = None  # why nothing can be read at the moment
        self._chain = Chain(self.filename, patterns)
        self._from_end = from_end
        self._start = position or {}
        self._past: tuple[Mark, ...] = ()  # where files before that one were left
        self._previous: Generation | None = None  # the one before: late lines may come
        self._next: Generation | None = None  # found by _is_new_file, entered by _filehandle
        self._limit = LIMIT
        self._gap = 0
        self._again = False  # the file has changed since its end was seen

    def __del__(self) -> None:
        """Nothing: Pygtail's own would open the log in order to close it."""

    @property
    def position(self) -> Position:
        """Where the next block begins: the marks of the file before and of this one."""
        if self.fh is None:
            return self._start
        marks = [g.mark() for g in (self._previous, self.fh) if g is not None]
        files = [mark.to_json() for mark in (*self._past, *marks)]
        return {"log": self.filename, "files": files}

    @property
    def behind(self) -> int:
        """Bytes of the file being read that are not read yet; older and newer ones not counted."""
        if self.fh is None:
            return 0
        try:
            return max(0, os.stat(self.fh.path).st_size - self.fh.offset) if self._is_live() else 0
        except OSError:
            return 0

    def read(self, limit: int = LIMIT) -> Block | None:
        """The next whole lines; None: nothing new, or nothing to read from (see `waiting`)."""
        self._limit = limit
        data = b""
        try:
            while not data:
                file = self.fh
                try:
                    data = self.next()
                except StopIteration:
                    if self.fh is file and not self._again:
                        break
                    self._again = False
        except OSError as error:
            self._wait_for(f"{error.filename or self.filename}: {error.strerror or error}")
        gap, self._gap = self._gap, 0
        if not data and not gap:
            return None
        at_end = self.fh is not None and self.fh.at_end and self._is_live()
        return Block(data, self.position, gap, end=at_end)

    def close(self) -> None:
        """Close all files; `position` stays what it was."""
        self._start = self.position
        for file in (self._previous, self.fh, self._next):
            if file is not None:
                file.release()
        self.fh = self._previous = self._next = None

    # What follows replaces methods of Pygtail, whose next() calls them.

    def _get_next_line(self) -> bytes:
        """A block of whole lines, in place of a line."""
        data = self._late_lines()
        if data:
            return data
        file = self._filehandle()
        try:
            if file.unsure():
                raise Cut(f"{file.path} was all but empty and has changed")
            data = file.read(self._limit)
        except Cut as cut:
            _log.debug("%s: looking for what was in it", cut)
            self.close()
            file = self._filehandle()
            data = file.read(self._limit)
        self._gap, file.dropped = self._gap + file.dropped, 0
        if not data:
            raise StopIteration
        return data

    def _filehandle(self) -> Generation:
        """The file being read; opened where we stopped, or the next one after it."""
        if self.fh is None:
            self.fh = self._resume()
            self._wait_for(None)
        elif self.fh.closed and self._next is not None:
            self._let_go(self._previous)
            self._previous = self.fh
            self.fh = self._next
            self._next = None
        return self.fh

    def _is_new_file(self) -> bool:
        """At the end of a file that is no longer the live one: open what comes after it."""
        if self.fh is None or not self.fh.at_end:
            return False
        if self._is_live():
            self._wait_for(None)
            return False
        if self._chain.live() is None:
            # usual for a moment, and for longer where rotation leaves it to the writer to create it
            self._wait_for(f"{self.filename}: there is no such file now", logging.INFO)
        self._next = self._chain.after(self.fh, self._previous, past=self._past)
        if self._next is not None and self.fh.changed():
            # perhaps not by late lines: it may have been copied, truncated and filled anew before
            # it was renamed, all since its end was seen
            self._next.release()
            self._next, self._again = None, True
        return self._next is not None

    # Where to go on

    def _resume(self) -> Generation:
        """The file to begin with, at the place where we stopped."""
        if self._from_end and not self._start:
            return beginning(self._chain, from_end=True)
        place = resume(self._chain, self._start)
        self._previous, self._past = place.previous, place.past[-_REMEMBERED:]
        self._lost(place.lost, place.why)
        return place.file

    def _late_lines(self) -> bytes:
        """Lines that a writer put into the renamed file after we had gone on."""
        old = self._previous
        if old is None:
            return b""
        first = not old.offset
        try:
            data = old.read(self._limit)
        except Cut:
            old.release()
            self._previous = None
            self._lost(1, f"{old.path} was truncated, and late lines in it may have been")
            return b""
        if first and data and self.fh is not None and self.fh.head.startswith(old.head):
            old.release()  # it was empty, and became a copy of the file we are reading
            self._previous = None
            return b""
        return data

    def _let_go(self, file: Generation | None) -> None:
        """Close a file for good; an incomplete last line in it will not be completed."""
        if file is not None:
            self._lost(file.size - file.offset, f"{file.path} ends in the middle of a line")
            if file.offset and not file.packed:
                self._past = (*self._past, file.mark())[-_REMEMBERED:]
            file.release()

    def _is_live(self) -> bool:
        live = self._chain.live()
        file = self.fh
        return bool(live and file and (file.dev, file.ino) == (live.st_dev, live.st_ino))

    def _lost(self, size: int, why: str) -> None:
        if size > 0:
            self._gap += size
            _log.warning("%s: at least %d bytes are lost: %s", self.filename, size, why)

    def _wait_for(self, why: str | None, level: int = logging.WARNING) -> None:
        """Say once what we wait for, and once that it is there."""
        if why == self.waiting:
            return
        if why is not None:
            _log.log(level, "waiting for the log: %s", why)
        else:
            _log.info("%s: reading again", self.filename)
        self.waiting = why
