"""The places in several logs, of a position that one log or several left.

Contract: pure but for `same_file`. `places` gives the place of each log by its name, `position_of`
that of one of them. `begins_so` tells whether a place is one in a file that begins so.
Failure: none; a place that is damaged is nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from logparse.errors import LogError
from logparse.mark import WEAK, Mark, digest
from logparse.source import Position

__all__ = ["begins_so", "places", "position_of", "same_file"]


def same_file(path: str, stat: os.stat_result) -> bool:
    """Whether the file of that name is this one."""
    try:
        other = os.stat(path)
    except OSError:
        return False
    return (other.st_dev, other.st_ino) == (stat.st_dev, stat.st_ino)


def begins_so(place: Position, head: bytes) -> bool:
    """Whether a place is one in a file that begins so."""
    files = place.get("files")
    for value in files if isinstance(files, list) else ():
        try:
            mark = Mark.from_json(value)
        except LogError:
            continue
        if mark.head_size >= WEAK and digest(head[: mark.head_size]) == mark.head:
            return True
    return False


def places(position: Position) -> dict[str, Mapping[str, Any]]:
    """The place of each log, of a position that one log or several left."""
    sources = position.get("sources")
    if isinstance(sources, Mapping):
        return {str(name): place for name, place in sources.items() if isinstance(place, Mapping)}
    if isinstance(log := position.get("log"), str):
        return {log: position}
    return {"journal": position} if "cursor" in position else {}


def position_of(name: str, position: Position) -> Position:
    """The place of one log, of a position that one log or several left."""
    return places(position).get(name, {}) if "sources" in position else position
