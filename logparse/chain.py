"""The generations of one log as a chain: finding a marked place again, and what comes after it.

Contract: looks at the file system anew at every call and keeps nothing. Rotation may be at work
at any moment: names are compared before and after, files are compared with what was listed, and
where they differ the answer is "ask again", never a guess.
Failure: OSError where a file that is needed cannot be opened. Files that merely might have been of
use (unreadable, broken, gone since) are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from logparse.age import first_time
from logparse.generation import Generation
from logparse.looking import entry_of, index_of, is_bare, is_copy, is_empty, named, opened, resumed
from logparse.mark import WEAK, Mark
from logparse.overlap import behind, entered
from logparse.packedfile import open_generation
from logparse.rotated import TRIES, Candidate, begun, beside, listed, names, rotated

__all__ = ["Chain"]

_Look: TypeAlias = Callable[[list[Candidate]], list[Candidate]]

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
        older: list[Candidate] = []
        for _ in range(TRIES):
            before, older = older, rotated(self.path, self._patterns)
            if before and names(before) == names(older):
                break
            for entry in self._candidates(mark, previous, older):
                found = resumed(entry, mark)
                if found is not None:
                    return found
        return self._locate_anywhere(mark)

    def _locate_anywhere(self, mark: Mark) -> Generation | None:
        """The marked file under a name no rotation gives; few bytes do not tell one from others."""
        entries = [e for e in beside(self.path, self._patterns) if e.mtime >= mark.mtime - SECOND]
        for entry in sorted(entries, key=lambda e: (e.dev, e.ino) != (mark.dev, mark.ino)):
            if mark.head_size >= WEAK and (found := resumed(entry, mark)) is not None:
                return found
        return None

    def _candidates(
        self, mark: Mark, previous: Mark | None, older: list[Candidate]
    ) -> list[Candidate]:
        entries = [*named(self.path, mark.path), *reversed(older)]
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
            if (entry.dev, entry.ino) == (current.dev, current.ino):
                break
            if (entry.dev, entry.ino) == (mark.dev, mark.ino) and entry.size:
                generation = open_generation(entry.path)
                if generation.head[: len(current.head)] != current.head:
                    return generation
                generation.release()  # the inode is used again, by a copy of the current file
        return None

    def after(
        self, *known: Generation | None, or_empty: bool = False, past: Sequence[Mark] = ()
    ) -> Generation | None:
        """What comes after the first of `known` that is still there: opened at its beginning.

        One of `known`, or a file marked in the `past`, is opened where it was left.
        """
        generations = [generation for generation in known if generation is not None]
        marks = [*(generation.mark() for generation in generations), *reversed(past)]
        removed = [generation for generation in generations if not generation.linked()]
        # of a file that was removed there may be a copy, perhaps with more in it
        for copies in (True, False) if removed else (False,):
            look = partial(self._unread, known=generations, copies=copies)
            found = self._oldest(look, or_empty)
            found, known_place = entered(found, marks) if found is not None else (None, False)
            if found is None or known_place:
                return found
            if any(behind(found, generation.mark()) for generation in removed):
                return found
            if not copies or not any(found.head.startswith(g.head or b"-") for g in removed):
                return found
            found.release()
        return None

    def _unread(
        self, entries: list[Candidate], known: list[Generation], copies: bool
    ) -> list[Candidate]:
        """What comes after the first that is known; itself as well, if it is but a copy."""
        for generation in known:
            index = index_of(entries, generation)
            if index is not None:
                return entries[index if copies and not generation.linked() else index + 1 :]
        # rotated to a name of its own: others may be named alike
        alike = listed(self.path, self._patterns, loose=True)
        index = index_of(alike, known[0])
        if index is not None:
            return alike[index + 1 :]
        return [e for e in entries if _is_after(e, known[0])]

    def newer(self, mark: Mark) -> Generation | None:
        """The oldest generation that was written to after `mark`: opened at its beginning."""

        def empty_still(entry: Candidate) -> bool:
            return not entry.size and not mark.size and entry.ino == mark.ino

        def look(entries: list[Candidate]) -> list[Candidate]:
            since = [e for e in entries if e.mtime > mark.mtime or empty_still(e)]
            return since or ([] if mark.size else self._same_inode(mark))

        return self._oldest(look, or_empty=True)

    def _same_inode(self, mark: Mark) -> list[Candidate]:
        """The file that was empty when it was marked, under a name no rotation gives."""
        live = self.live()
        return [
            entry
            for entry in beside(self.path, self._patterns)
            if (entry.dev, entry.ino) == (mark.dev, mark.ino)
            and (live is None or entry.ino != live.st_ino)
            and entry.size
            and entry.mtime >= mark.mtime
        ]

    def _oldest(self, look: _Look, or_empty: bool) -> Generation | None:
        """The first rotated generation that `look` finds, else the live one.

        None: the live file holds no line yet, and its writer may still hold the renamed one.
        """
        for _ in range(TRIES):
            unread = self._survey(look)
            if not unread:
                return None
            file = opened(unread[0])
            if file is None:
                continue
            if [e.ino for e in self._survey(look)] != [e.ino for e in unread]:
                file.release()  # renamed or truncated while we looked
                continue
            if len(unread) == 1 and not or_empty and is_bare(file):
                file.release()
                return None
            return file
        return None

    def _survey(self, look: _Look) -> list[Candidate]:
        """The generations that `look` finds, oldest first; the live one comes last."""
        live = self.live()
        found = look(listed(self.path, self._patterns))
        found = [e for e in found if not (e.packed and e.size < WEAK and is_empty(e))]
        if live is None:
            return found
        last = entry_of(self.path, live)
        found = [e for e in found if e.ino != last.ino]
        if found and is_copy(found[-1], last):
            del found[-1]
        return [*found, last]


def _is_after(entry: Candidate, generation: Generation) -> bool:
    """Whether a file began after this one; late lines may make the older one look the newer."""
    mine, theirs = first_time(generation.head, generation.mtime / 1e9), begun(entry)
    if mine is None or theirs is None or mine == theirs:
        return entry.mtime > generation.mtime
    return theirs > mine
