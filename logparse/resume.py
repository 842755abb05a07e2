"""Where to go on in a log: from a stored position, and at the end of a file of it.

Contract: functions of a chain and a position. `resume` finds the stored place again, or the oldest
generation that was certainly not read yet, and tells what is lost in between. A position that
cannot be understood leads to the end of the log: what was read is not known then, and counting
lines twice is worse than a gap that is told.
Failure: OSError where the file to go on with cannot be opened; nothing has changed then.
"""

from __future__ import annotations

import logging
from errno import EAGAIN, ENOENT
from typing import NamedTuple

from logparse.chain import Chain
from logparse.errors import LogError
from logparse.generation import Generation
from logparse.mark import Mark
from logparse.overlap import behind, entered
from logparse.packedfile import open_generation
from logparse.plainfile import PlainFile
from logparse.rotated import TRIES
from logparse.source import Position

__all__ = ["ResumePlace", "beginning", "resume"]

_log = logging.getLogger(__name__)


class ResumePlace(NamedTuple):
    """A file to read on in, the one before it, and what is lost before it."""

    file: Generation
    previous: Generation | None = None  # late lines may come in it
    lost: int = 0
    why: str = ""
    past: tuple[Mark, ...] = ()  # where files before the previous one were left


def resume(chain: Chain, position: Position) -> ResumePlace:
    """The place that a position tells; `beginning` where it tells none."""
    try:
        marks = [Mark.from_json(value) for value in position.get("files", ())]
    except (LogError, TypeError) as error:
        end = beginning(chain, from_end=True)
        return ResumePlace(end, None, end.offset, f"the stored position is damaged ({error})")
    if not marks:
        return ResumePlace(beginning(chain))
    *before, current = marks
    file = chain.locate(current, before[-1] if before else None)
    if file is not None:
        place = _with_previous(chain, file, before)
        return place._replace(past=tuple(before if place.previous is None else before[:-1]))
    if position.get("log") != chain.path:
        _log.info("%s: another log than before, read from its beginning", chain.path)
        return ResumePlace(beginning(chain))
    return _after_gap(chain, current, before)._replace(past=tuple(marks))


def beginning(chain: Chain, from_end: bool = False) -> Generation:
    """A log never read before: all of it, or only what is still to come."""
    file = open_generation(chain.path)
    if from_end and isinstance(file, PlainFile):
        file.to_end()
    return file


def _with_previous(chain: Chain, file: Generation, before: list[Mark]) -> ResumePlace:
    for mark in before[-1:]:
        previous = chain.locate_older(mark, file)
        if previous is not None and (previous.dev, previous.ino) == (file.dev, file.ino):
            previous.release()  # the same lines, moved to another file
            previous = None
        if previous is None and mark.size > mark.offset:
            return ResumePlace(file, None, mark.size - mark.offset, "the end of a line is gone")
        return ResumePlace(file, previous)
    return ResumePlace(file)


def _after_gap(chain: Chain, current: Mark, before: list[Mark]) -> ResumePlace:
    """The marked file is gone, or was empty and cannot be told from others, or lost its head."""
    previous = chain.locate(before[-1]) if before else None
    try:
        file = _next_one(chain, current, previous)
    except OSError:
        if previous is not None:
            previous.release()
        raise
    if previous is not None and (previous.dev, previous.ino) == (file.dev, file.ino):
        previous.release()  # a link was switched back to it
        previous = None
    if not file.offset and behind(file, current):
        return ResumePlace(file, previous)  # the lines we read last stand in it: nothing is lost
    if not file.offset:
        older = tuple(reversed(before))
        entered_file, known = entered(file, older)
        if entered_file is None:
            raise OSError(EAGAIN, "it is being rotated", chain.path)
        file = entered_file
        if not known:
            any(behind(file, mark) for mark in older)
    lost = max(1, current.size - current.offset) if current.size else 0
    return ResumePlace(file, previous, lost, "the file we were reading is gone")


def _next_one(chain: Chain, current: Mark, previous: Generation | None) -> Generation:
    for _ in range(TRIES):
        file = chain.newer(current) if previous is None else chain.after(previous, or_empty=True)
        if file is not None:
            return file
        if chain.live() is None:
            raise FileNotFoundError(ENOENT, "there is no such file now", chain.path)
    raise OSError(EAGAIN, "it is being rotated again and again", chain.path)
