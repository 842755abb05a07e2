"""The older generations of a log, oldest first, under whatever names rotation gave them.

Known are the names of logrotate (numbers, dates of any format, dates with hours, weeks or seconds,
`extension`), of savelog, exicyclog and Python's handlers, each plain or compressed, and patterns
given by the site: names with %s in place of the log's, or a folder, written with a / at its end,
where the usual names are looked for, too (logrotate's olddir). The order is that of the first
stamps in them; only where one tells none, numbers and dates in the names decide, then the times of
change. `beside` lists all files of the folders, for callers that know one by its content.
Contract: one entry per generation: where a file and its compressed copy both exist, the plain one.
The folder is listed until two listings agree, since files are renamed while we look.
Failure: OSError where the folder cannot be read.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from logparse.age import first_time
from logparse.errors import LogError
from logparse.packed import SUFFIXES
from logparse.packedfile import open_generation

__all__ = ["TRIES", "Candidate", "begun", "beside", "is_generation", "listed", "names", "rotated"]

TRIES = 20  # listings that disagree, before one is taken as it is
_NUMBER = 5  # more digits than this are a date
_YEAR_FIRST = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_WEEKDAY = "(?:[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un)(?:[a-z]*day)?"
_MANY = 500  # files of a folder that are looked into at most


class Candidate(NamedTuple):
    """A file that may hold a part of the log."""

    path: str
    dev: int
    ino: int
    size: int  # on disk
    mtime: int
    base: str  # the name without the suffix of its compression

    @property
    def packed(self) -> bool:
        """Is it compressed, by its name?"""
        return self.path != self.base


def rotated(path: str, patterns: Sequence[str] = (), loose: bool = False) -> list[Candidate]:
    """The older generations of the log at `path`, oldest first."""
    found = listed(path, patterns, loose)
    for _ in range(TRIES):
        before, found = found, listed(path, patterns, loose)
        if names(found) == names(before):
            break
    return found


def listed(path: str, patterns: Sequence[str] = (), loose: bool = False) -> list[Candidate]:
    """The same from one look, for callers that compare two of them anyway.

    `loose`: under any name that begins with the log's, for a log known to be rotated to such names.
    """
    found = sorted(_listing(path, patterns, loose))
    plain = {entry.base for entry in found if not entry.packed}
    once = {(e.dev, e.ino): e for e in found if not e.packed or e.base not in plain}
    return _in_order(list(once.values()), path)


def beside(path: str, patterns: Sequence[str] = ()) -> list[Candidate]:
    """All files in the log's folders, newest first: one of them may be known by what is in it."""
    found: dict[tuple[int, int], Candidate] = {}
    for folder in _folders(path, patterns):
        for name in os.listdir(folder):
            for entry in _entry(os.path.join(folder, name)):
                found.setdefault((entry.dev, entry.ino), entry)
    return sorted(found.values(), key=lambda entry: -entry.mtime)[:_MANY]


def is_generation(name: str, log: str) -> bool:
    """Whether `name` is one that rotation gives to the log of that name."""
    return name != log and _name_pattern(log).fullmatch(name) is not None


def names(entries: Iterable[Candidate]) -> list[tuple[str, int]]:
    """What must be the same where nothing was renamed, made or removed."""
    return [(entry.path, entry.ino) for entry in entries]


def _folders(path: str, patterns: Sequence[str]) -> Iterator[str]:
    here = os.path.dirname(path)
    others = [os.path.join(here, p) for p in patterns if p.endswith("/")]
    for folder in dict.fromkeys((here or ".", os.path.dirname(os.path.realpath(path)), *others)):
        if folder in others and not os.path.isdir(folder):
            continue  # nothing was rotated yet
        yield folder


def _listing(path: str, patterns: Sequence[str], loose: bool) -> Iterator[Candidate]:
    name = os.path.basename(path)
    known = _loose_pattern(name) if loose else _name_pattern(name)
    for folder in _folders(path, patterns):
        for found in os.listdir(folder):
            if found != name and known.fullmatch(found):
                yield from _entry(os.path.join(folder, found))
    for pattern in patterns:
        if not pattern.endswith("/"):
            wanted = os.path.join(os.path.dirname(path), pattern % name)
            for found in glob.glob(wanted):
                yield from _entry(found)


def _entry(path: str) -> Iterator[Candidate]:
    try:
        status = os.stat(path)
    except OSError:  # renamed since: the next listing has it; or a link that leads nowhere
        return
    if stat.S_ISREG(status.st_mode):
        base = next((path.removesuffix(s) for s in SUFFIXES if path.endswith(s)), path)
        yield Candidate(
            path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, base
        )


@lru_cache(maxsize=1024)
def _name_pattern(name: str) -> re.Pattern[str]:
    stem, extension = os.path.splitext(name)
    packed = "|".join(map(re.escape, SUFFIXES))
    old = rf"{re.escape(name)}[._-](?P<after>\d[\dTWtw_.:-]*|old|{_WEEKDAY})"
    inside = (
        rf"{re.escape(stem)}(?:\.(?P<dot>\d[\dTWtw_:-]*)|[-_](?P<dash>\d{{4}}[\dTWtw_.:-]{{2,}}))"
        + re.escape(extension)
    )
    return re.compile(rf"(?:{old}|{inside})(?:{packed})?")


def _loose_pattern(name: str) -> re.Pattern[str]:
    packed = "|".join(map(re.escape, SUFFIXES))
    return re.compile(rf"{re.escape(name)}[._-][\w.:-]+?(?:{packed})?")


def _in_order(entries: list[Candidate], path: str) -> list[Candidate]:
    """Oldest first: by the first stamp in each, where all have one."""
    times = {entry: begun(entry) for entry in entries}
    hint = {entry.path: place for place, entry in enumerate(_by_name(entries, path))}
    if all(time is not None for time in times.values()):
        return sorted(entries, key=lambda e: (times[e], hint[e.path]))
    return _by_name(entries, path)


@lru_cache(maxsize=1024)
def begun(entry: Candidate) -> float | None:
    """When it began; None: it does not tell. The same file at the same moment is read once."""
    try:
        generation = open_generation(entry.path)
    except (OSError, LogError):
        return None
    generation.release()
    if (generation.dev, generation.ino) != (entry.dev, entry.ino):
        return None
    changed = entry.mtime / 1e9
    return first_time(generation.head, changed) if generation.head else changed


def _by_name(entries: list[Candidate], path: str) -> list[Candidate]:
    """Oldest first: by number or date where all names have one, else by the last change."""
    known = _name_pattern(os.path.basename(path))
    stamps: dict[str, str] = {}
    for entry in entries:
        if match := known.fullmatch(os.path.basename(entry.path)):
            stamp = match["after"] or match["dot"] or match["dash"]
            stamps[entry.path] = "".join(filter(str.isdigit, stamp)) or "1"
    if len(stamps) == len(entries):
        if all(len(stamp) <= _NUMBER for stamp in stamps.values()):
            return sorted(entries, key=lambda entry: -int(stamps[entry.path]))
        if all(_YEAR_FIRST.match(stamp) for stamp in stamps.values()):
            return sorted(entries, key=lambda entry: stamps[entry.path])
    return sorted(entries, key=lambda entry: entry.mtime)
