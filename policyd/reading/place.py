"""The places in several logs, of a position that one log or several left.

Contract: pure. `places` gives the place of each log by its name, `position_of`
that of one of them. `begins_so` tells whether a place is one in a file that begins so,
`inode_of` which file it is one in.
Failure: none; a place that is damaged is nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logparse.errors import LogError
from logparse.mark import WEAK, Mark, digest
from logparse.source import Position

__all__ = ["begins_so", "inode_of", "places", "position_of"]


def begins_so(place: Position, head: bytes) -> bool:
    """Whether a place is one in a file that begins so."""
    return any(
        mark.head_size >= WEAK and digest(head[: mark.head_size]) == mark.head
        for mark in _marks(place)
    )


def inode_of(place: Position) -> tuple[int, int] | None:
    """Device and inode of the file that a place is in."""
    return next(((mark.dev, mark.ino) for mark in reversed(_marks(place))), None)


def _marks(place: Position) -> list[Mark]:
    files, found = place.get("files"), []
    for value in files if isinstance(files, list) else ():
        try:
            found.append(Mark.from_json(value))
        except LogError:
            continue
    return found


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
