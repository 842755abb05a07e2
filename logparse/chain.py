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
from logparse.mark import WEAK, Mark
from logparse.rotated import Entry, rotated

__all__ = ["Chain"]

SECOND = 1_000_000_000  # nanoseconds; some compressors keep whole seconds only


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

    def locate(self, mark: Mark, previous: Mark | None = None) -> Generation | None:
        """The generation that was marked, opened at the marked place; an empty one has no marks."""
        if not mark.size:
            return None
        for entry in self._candidates(mark, previous):
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

    def _candidates(self, mark: Mark, previous: Mark | None) -> list[Entry]:
        older = rotated(self.path, self._patterns)
        entries = [*self._named(self.path, mark.path), *reversed(older)]
        if mark.head_size >= WEAK:
            return sorted(entries, key=lambda e: ((e.dev, e.ino) != (mark.dev, mark.ino), e.packed))
        # So few bytes begin many a file. It cannot be older than the mark, or be the one before
        known = (previous.dev, previous.ino) if previous and previous.size else None
        since = {False: mark.mtime, True: mark.mtime - SECOND}
        older = [e for e in older if e.mtime >= since[e.packed] and (e.dev, e.ino) != known]
        return older + entries[:1]

    def locate_older(self, mark: Mark, current: Generation) -> Generation | None:
        """The generation before `current`, where late lines may have come since."""
        if mark.size:
            return self.locate(mark)
        for entry in rotated(self.path, self._patterns):  # it was empty: only its inode is known
            if (entry.dev, entry.ino) == (mark.dev, mark.ino) and entry.size:
                generation = open_generation(entry.path)
                if generation.head[: len(current.head)] != current.head:
                    return generation
                generation.release()  # the inode is used again, by a copy of the current file
        return None

    def after(self, *known: Generation | None) -> list[Entry]:
        """The rotated generations that come after the first of `known` that is still there."""
        entries = rotated(self.path, self._patterns)
        generations = [generation for generation in known if generation is not None]
        for generation in generations:
            index = _index(entries, generation)
            if index is not None:
                return self._unread(entries[index + 1 :])
        return self._unread([e for e in entries if e.mtime > generations[0].mtime])

    def newer(self, mark: Mark) -> list[Entry]:
        """The rotated generations that were written to after `mark`, oldest first."""

        def empty_still(entry: Entry) -> bool:
            return not entry.size and not mark.size and entry.ino == mark.ino

        entries = rotated(self.path, self._patterns)
        return self._unread([e for e in entries if e.mtime > mark.mtime or empty_still(e)])

    def _unread(self, entries: list[Entry]) -> list[Entry]:
        live = self.live()
        if live is not None:
            entries = [e for e in entries if (e.dev, e.ino) != (live.st_dev, live.st_ino)]
        entries = [e for e in entries if not (e.packed and e.size < WEAK and not _head(e))]  # empty
        return [e for e in entries if not (live and self._is_copy(e, live))]

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


def _index(entries: list[Entry], generation: Generation) -> int | None:
    """Where a generation is in the chain, renamed, compressed or copied."""
    for index, entry in enumerate(entries):
        if (entry.dev, entry.ino) == (generation.dev, generation.ino):
            return index
    head = generation.head
    for index in reversed(range(len(entries) if head else 0)):
        if _head(entries[index])[: len(head)] == head:
            return index
    return None


def _head(entry: Entry) -> bytes:
    try:
        generation = open_generation(entry.path)
    except (OSError, LogError):
        return b""
    generation.release()
    return generation.head
