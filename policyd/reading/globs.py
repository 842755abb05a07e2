"""The files that a glob of `log.path` matches just now.

Contract: `matches` gives a glob's files; packed ones are no logs to follow. `rotations` tells which
of several paths are names that rotation gives to another one of them.
Failure: none; a folder that cannot be listed has no files.
"""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Iterable

from logparse.packed import SUFFIXES
from logparse.rotated import is_generation
from policyd.settings.logs import HOST, pattern_of

__all__ = ["matches", "rotations"]


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
