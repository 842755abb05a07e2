"""Which log to follow: what was asked for, else what this machine has, else the sample day.

Contract: `choose` decides once, from files and journal as they are now; `Chosen.open` makes the
source from a saved position: the log itself where one is named by its path, else `Many`. The sample
day is a source like any other, but keeps no position: it plays as long as somebody watches, or
until there is a log (`appears`).
Failure: `LogError` where a log was asked for by name that can never be followed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from logparse.detect import detect
from logparse.journal import Journal
from logparse.pipe import NamedPipe, Pipe
from logparse.source import LIMIT, Block, Position, Source, SourceStatus
from logparse.tail import Tail
from policyd import sample
from policyd.reading.alone import Alone
from policyd.reading.follow import Follower
from policyd.reading.many import Many
from policyd.reading.place import position_of
from policyd.settings.logs import AskedLog, asked

__all__ = ["ASKED", "PLAYED", "Chosen", "SampleDay", "appears", "choose", "status_of"]

_LOOK = 5.0  # seconds between two looks for a log that is not there yet

Kind = Literal["file", "journal", "stdin", "sample", "several"]
_Clock = Callable[[], float]
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

    kind: Kind
    name: str  # for people: "/var/log/mail.log", "the systemd journal"
    why: str
    open: Callable[[Position], Source]


def choose(paths: Sequence[str], *, clock: Callable[[], float], olddir: str = "") -> Chosen:
    """The log to follow; these are the configuration's `log.path`, `log.olddir`."""
    path, alone = paths[0], len(paths) == 1
    if alone and path == "sample":
        return _sample(ASKED, clock)
    why = ASKED
    if alone and path == "auto":
        found = detect(None)
        if found.kind == "none":
            return _sample(f"there is no mail log here ({found.why}); name one with --log", clock)
        path, why = found.path or "journal", found.why
    logs = [asked(path)] if alone else [asked(text) for text in paths]
    kind = _KINDS.get(logs[0].kind, "several") if alone else "several"
    return Chosen(kind, _words(logs), why, partial(_open, logs, olddir))


def status_of(chosen: Chosen, follower: Follower) -> list[SourceStatus]:
    """How each log is read."""
    source, trouble = follower.source, follower.trouble or ""
    if isinstance(source, Many):
        return source.status()
    behind = getattr(source, "behind", 0)
    return [
        SourceStatus("", chosen.name, chosen.kind, trouble, follower.at_end, behind, follower.gap)
    ]


_KINDS: dict[str, Kind] = {
    "file": "file",
    "journal": "journal",
    "stdin": "stdin",
    "pipe": "stdin",
}


def _words(logs: list[AskedLog]) -> str:
    texts = ["the systemd journal" if log.text == "journal" else log.text for log in logs]
    return ", ".join("standard input" if text == "-" else text for text in texts)


def _open(logs: list[AskedLog], olddir: str, position: Position) -> Source:
    """One log by itself; several, or what several left, as `Many`."""
    alone = len(logs) == 1 and logs[0].kind != "glob" and "sources" not in position
    if alone:
        log, place = logs[0], position_of(logs[0].text, position)
        one = partial(_one, olddir, None)
        return Alone(log, place, one, time.monotonic) if log.kind == "file" else one(log, place)
    return Many(logs, position, partial(_one, olddir, time.monotonic), time.monotonic)


def _one(
    olddir: str, clock: Callable[[], float] | None, log: AskedLog, position: Position
) -> Source:
    if log.kind == "stdin":
        return Pipe(sys.stdin.fileno())
    if log.kind == "pipe":
        return NamedPipe(log.path)
    if log.kind == "journal":
        options = [f"--directory={log.path}"] if log.path else []
        options += ["--merge"] if log.path or log.text.endswith(":merge") else []
        return Journal(position, since="-1d", options=options, clock=clock)
    return Tail(log.path, position, patterns=(f"{olddir}/",) if olddir else ())


async def appears(paths: Sequence[str], *, clock: Callable[[], float], olddir: str = "") -> Chosen:
    """Wait until there is a log to follow instead of the sample."""
    while True:
        await asyncio.sleep(_LOOK)
        found = await asyncio.to_thread(choose, paths, clock=clock, olddir=olddir)
        if found.kind != "sample":
            return found


def _sample(why: str, clock: Callable[[], float]) -> Chosen:
    return Chosen("sample", "the sample day", why, lambda _: SampleDay(clock))
