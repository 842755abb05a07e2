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
from logparse.errors import LogError
from logparse.generation import Cut, Generation, PlainFile, open_generation
from logparse.mark import Mark
from logparse.rotated import Entry
from logparse.source import LIMIT, Block, Position

__all__ = ["Tail"]

_log = logging.getLogger(__name__)


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
        self._previous: Generation | None = None  # the one before: late lines may come
        self._next: Generation | None = None  # found by _is_new_file, entered by _filehandle
        self._limit = LIMIT
        self._gap = 0

    def __del__(self) -> None:
        """Nothing: Pygtail's own would open the log in order to close it."""

    @property
    def position(self) -> Position:
        """Where the next block begins: the marks of the file before and of this one."""
        if self.fh is None:
            return self._start
        files = [g.mark().to_json() for g in (self._previous, self.fh) if g is not None]
        return {"log": self.filename, "files": files}

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
                    if self.fh is file:
                        break
        except OSError as error:
            self._wait_for(f"{error.filename or self.filename}: {error.strerror or error}")
        gap, self._gap = self._gap, 0
        if not data and not gap:
            return None
        return Block(data, self.position, gap, end=self._is_live() and self._filehandle().at_end)

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
            data = file.read(self._limit)
        except Cut:
            _log.info("%s was truncated; looking for the copy", self.filename)
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
        live = self._chain.live()
        if live is None:
            self._wait_for(f"{self.filename}: there is no such file now")
            return False
        if self._is_live():
            self._wait_for(None)
            return False
        self._next = self._first_of(self._chain.after(self.fh), live)
        return self._next is not None

    # Where to go on

    def _resume(self) -> Generation:
        """The file to begin with, at the place where we stopped."""
        try:
            marks = [Mark.from_json(value) for value in self._start.get("files", ())]
        except (LogError, TypeError, AttributeError) as error:
            return self._at_its_end(error)
        if not marks:
            return self._beginning()
        *before, current = marks
        file = self._chain.locate(current) if current.size else None
        previous = self._chain.locate(before[-1]) if before else None
        if file is None and self._start.get("log") != self.filename:
            _log.info("%s: another log than before, read from its beginning", self.filename)
            return open_generation(self.filename)
        if file is None:
            file = self._after_gap(current, previous)
        elif before and previous is None:
            self._lost(before[-1].size - before[-1].offset, "a last line without an end")
        self._previous = previous
        return file

    def _beginning(self) -> Generation:
        """A log never read before: all of it, or only what is still to come."""
        file = open_generation(self.filename)
        if self._from_end and isinstance(file, PlainFile):
            file.to_end()
        return file

    def _after_gap(self, current: Mark, previous: Generation | None) -> Generation:
        """The marked file is gone for good: the oldest one that was certainly not read yet."""
        file = None
        while file is None:
            live = os.stat(self.filename)
            chain = self._chain
            unread = chain.after(previous) if previous else chain.newer(current.mtime)
            file = self._first_of(unread, live, or_empty=True)
        if current.size:
            self._lost(max(1, current.size - current.offset), "the file we were reading is gone")
        return file

    def _at_its_end(self, error: Exception) -> Generation:
        """What was read is not known: go on with what comes, lest lines are counted twice."""
        file = open_generation(self.filename)
        if isinstance(file, PlainFile):
            file.to_end()
        self._lost(file.offset, f"the stored position is damaged ({error})")
        return file

    def _first_of(
        self, entries: list[Entry], live: os.stat_result, or_empty: bool = False
    ) -> Generation | None:
        """The oldest unread generation; None while the live one is empty or has just changed."""
        for entry in entries:
            return open_generation(entry.path)
        if not live.st_size and not or_empty:  # its writer may still hold the renamed file
            return None
        file = open_generation(self.filename)
        if (file.dev, file.ino) == (live.st_dev, live.st_ino):
            return file
        file.release()  # rotated since we asked: it is in the chain now
        return None

    def _late_lines(self) -> bytes:
        """Lines that a writer put into the renamed file after we had gone on."""
        if self._previous is None:
            return b""
        try:
            return self._previous.read(self._limit)
        except Cut:
            self._let_go(self._previous)
            self._previous = None
            return b""

    def _let_go(self, file: Generation | None) -> None:
        """Close a file for good; an incomplete last line in it will not be completed."""
        if file is not None:
            self._lost(file.size - file.offset, f"{file.path} ends in the middle of a line")
            file.release()

    def _is_live(self) -> bool:
        live = self._chain.live()
        file = self.fh
        return bool(live and file and (file.dev, file.ino) == (live.st_dev, live.st_ino))

    def _lost(self, size: int, why: str) -> None:
        if size > 0:
            self._gap += size
            _log.warning("%s: at least %d bytes are lost: %s", self.filename, size, why)

    def _wait_for(self, why: str | None) -> None:
        """Say once what we wait for, and once that it is there."""
        if why == self.waiting:
            return
        if why is not None:
            _log.warning("waiting for the log: %s", why)
        else:
            _log.info("%s: reading again", self.filename)
        self.waiting = why
