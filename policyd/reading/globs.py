"""The files that a glob of `log.path` matches just now.

Contract: `matches` gives a glob's files; packed ones are no logs to follow. `rotations` tells which
of several paths are names that rotation gives to another one of them. `look` tells which of a
glob's files are logs of their own; of all logs that are known it needs their places only, so that
it touches no other file than those of the glob.
Failure: none; a folder that cannot be listed has no files.
"""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from logparse.mark import HEAD
from logparse.packed import SUFFIXES
from logparse.rotated import is_generation
from logparse.source import Position
from policyd.reading.place import begins_so, inode_of
from policyd.settings.logs import HOST, pattern_of

__all__ = ["Matched", "look", "matches", "rotations"]


class Matched(NamedTuple):
    """What a glob matches."""

    found: tuple[str, ...]
    passed: Set[str]  # those that are no logs of their own


def matches(pattern: str) -> list[str]:
    """The files of a glob, in the order of their names."""
    found = []
    known = pattern_of(pattern)
    for path in sorted(glob.glob(pattern.replace(HOST, "*"))):
        if (
            known.fullmatch(path) is None
            or path.endswith(tuple(SUFFIXES))
            or not os.path.isfile(path)
        ):
            continue
        found.append(path)
    return found


def rotations(paths: Iterable[str]) -> set[str]:
    """Those of the paths that rotation gives to another one of them."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, name = os.path.split(path)
        folders[folder].append(name)
    return {
        os.path.join(folder, name)
        for folder, names in folders.items()
        if len(names) > 1
        for name in names
        if any(is_generation(name, other) for other in names)
    }


def look(pattern: str, known: Mapping[str, Position], followed: Set[str]) -> Matched:
    """The files of a glob; `known`: each log's place, also of those not `followed` now."""
    found = matches(pattern)
    passed = rotations({*found, *followed})
    inodes = {inode_of(known.get(name, {})): name for name in followed}
    for path in found:
        if path in followed or path in passed:
            continue
        try:
            stat = os.stat(path)
            with open(path, "rb") as file:
                head = file.read(HEAD)
        except OSError:
            continue
        others = (place for name, place in known.items() if name != path)
        inode = stat.st_dev, stat.st_ino
        if inode in inodes or any(begins_so(place, head) for place in others):
            passed.add(path)
        else:
            inodes[inode] = path
    return Matched(tuple(found), passed)
