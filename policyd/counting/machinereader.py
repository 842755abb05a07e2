"""One machine in one log, and how many of them are saved.

Contract: a `MachineReader` is a machine's pipeline with its name and role. `packed` is the JSON of
all of them: the first in the shape that a single pipeline's snapshot always had, the others behind
it, and of these only those anew that read something since.
Failure: none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from policyd.counting.here import Role
from policyd.counting.pipeline import Pipeline

__all__ = ["MachineReader", "MachineSeen", "Place", "pack", "packed"]

Place = tuple[str, bytes]  # a log, and a machine as it is written there


class MachineSeen(NamedTuple):
    """How the lines of one machine in one log are read."""

    source: str
    machine: str
    role: Role
    offset: float  # seconds its stamps are behind
    kind: str  # of that offset: none, zone, clock
    newest: int  # stamp of its newest line


class MachineReader:
    """One machine in one log."""

    __slots__ = ("machine", "packed", "pipeline", "role")

    def __init__(self, machine: str, role: Role, pipeline: Pipeline) -> None:
        self.machine = machine
        self.role = role
        self.pipeline = pipeline
        self.packed = b""  # its snapshot, while nothing was read since

    def seen(self, source: str) -> MachineSeen:
        """How its lines are read."""
        clock = self.pipeline.clock
        learnt = clock.learnt
        return MachineSeen(
            source, self.machine, self.role, learnt.seconds, learnt.kind, clock.newest
        )


_EMPTY: dict[str, Any] = {
    "sessions": [],
    "queued": [],
    "parser": {"plain": "", "exim": {"hosts": [], "pieces": []}},
}


def packed(
    readers: Sequence[tuple[Place, MachineReader]], carry: str, extra: Mapping[str, Any]
) -> Iterator[bytes]:
    """All of them; `carry`: what the log without a name has not completed yet."""
    saved: dict[str, Any] = dict(_EMPTY)
    if readers:
        place, first = readers[0]
        saved = first.pipeline.snapshot() | {"at": _text(place)}
        saved["outcomes"] = first.pipeline.by_outcome or {}
    saved |= {"parser": saved["parser"] | {"plain": carry}, **extra}
    if len(readers) < 2:
        yield pack(saved)
        return
    yield pack(saved)[:-1] + b',"others":['
    for number, (place, reader) in enumerate(readers[1:]):
        if not reader.packed:
            outcomes = reader.pipeline.by_outcome or {}
            reader.packed = pack([*_text(place), reader.pipeline.snapshot(), outcomes])
        yield b"," + reader.packed if number else reader.packed
    yield b"]}"


def pack(value: object) -> bytes:
    """JSON, as short as it can be."""
    return json.dumps(value, separators=(",", ":")).encode()


def _text(place: Place) -> list[str]:
    return [place[0], place[1].decode("latin-1")]
