"""The older generations of a log, oldest first, under whatever names rotation gave them.

Known are the names of logrotate (numbers, dates, dates with hours or seconds, `extension`), of
savelog, exicyclog and Python's handlers, each plain or compressed, and patterns given by the site:
names with %s in place of the log's, or a folder, written with a / at its end, where the usual names
are looked for, too (logrotate's olddir).
Contract: one entry per generation: where a file and its compressed copy both exist, the plain one.
The folder is listed until two listings agree, since files are renamed while we look.
Failure: OSError where the folder cannot be read.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from logparse.packed import SUFFIXES

__all__ = ["TRIES", "Entry", "listed", "names", "rotated"]

TRIES = 20  # listings that disagree, before one is taken as it is
_NUMBER = 5  # more digits than this are a date


class Entry(NamedTuple):
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


def rotated(path: str, patterns: Sequence[str] = ()) -> list[Entry]:
    """The older generations of the log at `path`, oldest first."""
    found = listed(path, patterns)
    for _ in range(TRIES):
        before, found = found, listed(path, patterns)
        if names(found) == names(before):
            break
    return found


def listed(path: str, patterns: Sequence[str] = ()) -> list[Entry]:
    """The same from one look, for callers that compare two of them anyway."""
    found = sorted(_listing(path, patterns))
    plain = {entry.base for entry in found if not entry.packed}
    once = {(e.dev, e.ino): e for e in found if not e.packed or e.base not in plain}
    return _in_order(list(once.values()), path)


def names(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    """What must be the same where nothing was renamed, made or removed."""
    return [(entry.path, entry.ino) for entry in entries]


def _listing(path: str, patterns: Sequence[str]) -> Iterator[Entry]:
    known = _name_pattern(os.path.basename(path))
    here = os.path.dirname(path)
    others = [os.path.join(here, p) for p in patterns if p.endswith("/")]
    for folder in dict.fromkeys((here or ".", os.path.dirname(os.path.realpath(path)), *others)):
        if folder in others and not os.path.isdir(folder):
            continue  # nothing was rotated yet
        for name in os.listdir(folder):
            if known.fullmatch(name):
                yield from _entry(os.path.join(folder, name))
    for pattern in patterns:
        if not pattern.endswith("/"):
            wanted = os.path.join(here, pattern % os.path.basename(path))
            for found in glob.glob(wanted):
                yield from _entry(found)


def _entry(path: str) -> Iterator[Entry]:
    try:
        stat = os.stat(path)
    except FileNotFoundError:  # renamed since: the next listing has it
        return
    base = next((path.removesuffix(s) for s in SUFFIXES if path.endswith(s)), path)
    yield Entry(path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, base)


def _name_pattern(name: str) -> re.Pattern[str]:
    stem, extension = os.path.splitext(name)
    packed = "|".join(map(re.escape, SUFFIXES))
    old = rf"{re.escape(name)}[.-](?P<after>\d[\dT_.:-]*|old)"
    inside = (
        rf"{re.escape(stem)}(?:\.(?P<dot>\d+)|-(?P<dash>\d{{6}}[\dT_.:-]*)){re.escape(extension)}"
    )
    return re.compile(rf"(?:{old}|{inside})(?:{packed})?")


def _in_order(entries: list[Entry], path: str) -> list[Entry]:
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
        if all(len(stamp) > _NUMBER for stamp in stamps.values()):
            return sorted(entries, key=lambda entry: stamps[entry.path])
    return sorted(entries, key=lambda entry: entry.mtime)
