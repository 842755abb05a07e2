"""Which log to follow: what was asked for, else what this machine has, else the sample day.

Contract: `choose` decides once, from files and journal as they are now; `Chosen.open` makes the
source from a saved position. The sample day is a source like any other, but keeps no position: it
plays as long as somebody watches, or until there is a log (`appears`).
Failure: `LogError` where a log was asked for by name that can never be followed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from logparse.detect import detect
from logparse.pipe import Pipe
from logparse.source import LIMIT, Block, Position, Source
from policyd import sample

__all__ = ["ASKED", "PLAYED", "Chosen", "SampleDay", "appears", "choose"]

_LOOK = 5.0  # seconds between two looks for a log that is not there yet

ASKED = "as asked"
PLAYED = "the sample day is played: Postfix gets safe answers only, nothing is held or paced"


class SampleDay:
    """The bundled day of mail, played at its own pace."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lines: Iterator[tuple[float, bytes]] = sample.lines(clock())
        self._next = next(self._lines)

    @property
    def position(self) -> Position:
        """None to speak of."""
        return {}

    def read(self, limit: int = LIMIT) -> Block | None:
        """The lines that are due."""
        now, found, size = self._clock(), [], 0
        while self._next[0] <= now and size < limit:
            found.append(self._next[1])
            size += len(self._next[1])
            self._next = next(self._lines)
        return Block(b"".join(found), {}, end=self._next[0] > now) if found else None

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A log and the words for it."""

    kind: Literal["file", "journal", "stdin", "sample"]
    name: str  # for people: "/var/log/mail.log", "the systemd journal"
    why: str
    open: Callable[[Position], Source]


def choose(path: str, *, clock: Callable[[], float], olddir: str = "") -> Chosen:
    """The log to follow; `path` and `olddir` are the configuration's `log.path`, `log.olddir`."""
    if path == "sample":
        return _sample(ASKED, clock)
    if path == "-":
        return Chosen("stdin", "standard input", ASKED, lambda _: Pipe(sys.stdin.fileno()))
    found = detect(None if path == "auto" else path)._replace(olddir=olddir)
    if found.kind == "none":
        return _sample(f"there is no mail log here ({found.why}); name one with --log", clock)
    name = "the systemd journal" if found.path is None else found.path
    return Chosen(found.kind, name, found.why, found.open)


async def appears(path: str, *, clock: Callable[[], float], olddir: str = "") -> Chosen:
    """Wait until there is a log to follow instead of the sample."""
    while True:
        await asyncio.sleep(_LOOK)
        found = await asyncio.to_thread(choose, path, clock=clock, olddir=olddir)
        if found.kind != "sample":
            return found


def _sample(why: str, clock: Callable[[], float]) -> Chosen:
    return Chosen("sample", "the sample day", why, lambda _: SampleDay(clock))
