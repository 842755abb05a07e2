"""The generations of one log as a chain: finding a marked place again, and what comes after it.

Contract: looks at the file system anew at every call and keeps nothing. `live` must be asked
before `after` or `newer`: a rotation in between then shows as an entry too many, never as one
too few.
Failure: OSError where a file that is needed cannot be opened. Files that merely might have been of
use (unreadable, broken, gone since) are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from logparse.errors import LogError
from logparse.generation import Generation, open_generation
from logparse.mark import Mark
from logparse.rotated import Entry, rotated

__all__ = ["Chain"]


class Chain:
    """All files of the log at `path`, whatever they are called at the moment."""

    def __init__(self, path: str, patterns: Sequence[str] = ()) -> None:
        self.path = path
        self._patterns = tuple(patterns)

    def live(self) -> os.stat_result | None:
        """The file the log is written to now, None where there is none."""
        try:
            return os.stat(self.path)
        except FileNotFoundError:
            return None

    def locate(self, mark: Mark) -> Generation | None:
        """The generation that was marked, opened at the marked place."""
        entries = [*self._named(self.path, mark.path), *rotated(self.path, self._patterns)]
        entries.sort(key=lambda e: ((e.dev, e.ino) != (mark.dev, mark.ino), e.packed))
        for entry in entries:
            same_file = (entry.dev, entry.ino) == (mark.dev, mark.ino)
            try:
                generation = open_generation(entry.path)
            except FileNotFoundError:
                continue
            except (OSError, LogError):
                if same_file:  # it is most likely the one: waiting is better than a gap
                    raise
                continue
            try:
                if generation.resume(mark):
                    return generation
            except LogError:
                pass
            generation.release()
        return None

    def after(self, generation: Generation) -> list[Entry]:
        """The rotated generations that were written after this one, oldest first."""
        entries = rotated(self.path, self._patterns)
        here = (generation.dev, generation.ino)
        for index, entry in enumerate(entries):
            if (entry.dev, entry.ino) == here:
                return self._unread(entries[index + 1 :])
        for index, entry in reversed(list(enumerate(entries))):  # compressed since, or a copy
            if generation.head and _head(entry)[: len(generation.head)] == generation.head:
                return self._unread(entries[index + 1 :])
        return self._unread([e for e in entries if e.mtime > generation.mtime])

    def newer(self, mtime: int) -> list[Entry]:
        """The rotated generations that were written to after `mtime`, oldest first."""
        return self._unread([e for e in rotated(self.path, self._patterns) if e.mtime > mtime])

    def _unread(self, entries: list[Entry]) -> list[Entry]:
        live = self.live()
        if live is not None:
            entries = [e for e in entries if (e.dev, e.ino) != (live.st_dev, live.st_ino)]
        return [e for e in entries if e.size and not (live and self._is_copy(e, live))]

    def _is_copy(self, entry: Entry, live: os.stat_result) -> bool:
        """Is this a copy of the live file, about to be truncated (copytruncate at work)?"""
        if not entry.packed and entry.size > live.st_size:
            return False
        head = _head(entry)
        with open(self.path, "rb", buffering=0) as file:
            return bool(head) and file.read(len(head)) == head

    @staticmethod
    def _named(*paths: str) -> Iterator[Entry]:
        for path in dict.fromkeys(paths):
            try:
                stat = os.stat(path)
            except OSError:
                continue
            yield Entry(path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, path)


def _head(entry: Entry) -> bytes:
    try:
        generation = open_generation(entry.path)
    except (OSError, LogError):
        return b""
    generation.release()
    return generation.head
