"""The lines of each machine in each log, counted by a pipeline of their own.

Queue ids, process ids and transactions of different machines never meet, because nothing that
remembers any of them is shared: ten machines in one log give the numbers of ten logs. What a
machine is to us (`counting.here`) decides what its pipeline tells, and to whom.
Contract: `enter(source, fresh)` says which log the next block is of, `process(block, now)` counts
it. `make(role, machine)` builds a pipeline. `of_hosts` is what became of each machine's mail, where
`by_host` asks for it; `seen` tells how each log is read. Snapshots belong to the counters' moment;
one that a mxheed of one machine left is taken over by the first.
Failure: none of its own. Of more than `MOST` machines the one that was silent longest is forgotten,
which may count a reply of its next transaction once more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from logparse.auto import AutoParser
from logparse.machines import machine_name
from policyd.counting.byhost import MachineNames
from policyd.counting.here import ROLES, Here, Role
from policyd.counting.machinereader import MachineReader, MachineSeen, Place, pack, packed
from policyd.counting.pipeline import Classify, Pipeline, ReceiverOf

__all__ = ["MOST", "MachineSeen", "Machines"]

_log = logging.getLogger(__name__)

MOST = 600  # machines in logs
_FRONTS = 1000  # logs
_SAMPLE = 400  # bytes

Make = Callable[[Role, str], Pipeline]


class Machines:
    """See the module."""

    # what a snapshot must have; the rest is looked at when it is taken back
    SAVED: ClassVar = Pipeline.SAVED

    def __init__(
        self,
        make: Make,
        front: Callable[[], AutoParser],
        here: Here,
        *,
        told: Callable[[str], str] = lambda source: "",
        by_host: bool = False,
        shown: bool = True,
    ) -> None:
        """`front` makes what takes frames off a log's lines, before it is known whose they are.

        `told` is the machine that a log's path names.
        """
        self.here = here
        self.by_host = by_host
        self.shown = shown  # machines may be told on pages
        self.source = ""  # the log that is being read
        self.reached = 0  # the newest stamp of those whose lines were in the last block
        self.lines: dict[str, int] = {}  # by log, since the start
        self.samples: dict[str, bytes] = {}  # the newest block of each begins so
        self._make = make
        self._told = told
        self._new_front = front
        self._fresh = False
        self._fronts: dict[str, AutoParser] = {}
        self._readers: dict[Place, MachineReader] = {}  # silent longest first
        self._names = MachineNames()
        self._first: Mapping[str, Any] = {}  # left by one pipeline for all

    def enter(self, source: str, fresh: bool) -> None:
        """The next block is of this log; `fresh`: it was written just now."""
        self.source, self._fresh = source, fresh

    def process(self, block: bytes, now: float) -> None:
        """Counts what `block` holds, machine by machine."""
        source = self.source
        front = self._front(source)
        newest = 0
        parts, turns = front.parts(block, now)
        self._meet(source, turns)
        for part in parts:
            reader = self._reader(source, part.machine)
            if self._fresh:
                reader.pipeline.clock.fresh()
            reader.packed = b""
            reader.pipeline.read(part, now)
            newest = max(newest, reader.pipeline.clock.newest)
        self.reached = newest or self.reached
        if unread := front.unread():
            self._reader(source, parts[0].machine).pipeline.unread(unread)
        first = next(iter(self._readers.values())).pipeline
        first.counters.undated += front.take_undated()
        self.samples[source] = block[:_SAMPLE]
        self.lines[source] = self.lines.get(source, 0) + sum(part.lines for part in parts)

    def _front(self, source: str) -> AutoParser:
        front = self._fronts.get(source)
        if front is None:
            if len(self._fronts) >= _FRONTS:  # files with a day in their names come and go
                del self._fronts[old := next(iter(self._fronts))]
                self.lines.pop(old, None)
                self.samples.pop(old, None)
            front = self._fronts[source] = self._new_front()
        return front

    def _meet(self, source: str, turns: list[bytes]) -> None:
        """Who is here may change with who speaks."""
        if self._told(source):
            return
        if len(turns) == 1 and (source, turns[0]) in self._readers and len(self._readers) == 1:
            return  # nearly always
        if not self.here.meet(machine_name(turn) for turn in turns):
            return
        for (log, _), reader in self._readers.items():
            role = self.here.role(reader.machine, bool(self._told(log)))
            if role != reader.role:
                self._change(reader, role)

    def _change(self, reader: MachineReader, role: Role) -> None:
        _log.info("lines of %s are %s", reader.machine or "this machine", ROLES[role])
        before = reader.pipeline
        reader.role, reader.pipeline = role, self._make(role, reader.machine)
        reader.pipeline.by_outcome = before.by_outcome
        reader.pipeline.restore(before.snapshot())

    def _reader(self, source: str, machine: bytes) -> MachineReader:
        place = source, machine
        reader = self._readers.get(place)
        if reader is None:
            reader = self._begin(place)
            if self._first:
                reader.pipeline.restore(self._first)
                self._first = {}
        elif len(self._readers) > 1:
            self._readers[place] = self._readers.pop(place)
        return reader

    def _begin(self, place: Place) -> MachineReader:
        name = self._told(place[0]) or machine_name(place[1])
        if len(self._readers) >= MOST:
            gone = self._readers.pop(next(iter(self._readers)))
            self._names.forget(gone.machine, gone.pipeline.by_outcome)
        role = self.here.role(name, bool(self._told(place[0])))
        if self._readers or role != "here":
            _log.info("%s: lines of %s, %s", place[0] or "the log", name or "?", ROLES[role])
        reader = self._readers[place] = MachineReader(name, role, self._make(role, name))
        if self.by_host or len(self._readers) > 1:
            for each in self._readers.values():
                each.pipeline.by_outcome = each.pipeline.by_outcome or {}
        self._names.give(name)
        return reader

    def use(self, classify: Classify, receiver_of: Callable[[Role], ReceiverOf]) -> None:
        """Judges by other rules from now on."""
        for reader in self._readers.values():
            reader.pipeline.use(classify, receiver_of(reader.role))

    # what is shown

    def of_hosts(self) -> dict[tuple[str, ...], float]:
        """Recipients by (machine, outcome)."""
        readers = self._readers.values()
        return self._names.sums((one.machine, one.pipeline.by_outcome) for one in readers)

    def delivered(self, source: str) -> int | None:
        """Recipients whose attempts a log told of so far; None: it is not told apart."""
        counts = [r.pipeline.by_outcome for (log, _), r in self._readers.items() if log == source]
        if None in counts:
            return None
        return sum(sum(found.values()) for found in counts if found)

    def delivered_ours(self) -> int | None:
        """Recipients whose attempts are of our own mail; None: it is not told apart."""
        counts = [r.pipeline.by_outcome for r in self._readers.values() if r.role != "other"]
        if None in counts:
            return None
        return sum(sum(found.values()) for found in counts if found)

    def seen(self) -> list[MachineSeen]:
        """How each machine's lines in each log are read."""
        return [reader.seen(source) for (source, _), reader in self._readers.items()]

    @property
    def offset(self) -> float:
        """Seconds that this machine's stamps are behind; else those of whoever is read."""
        found = [seen for seen in self.seen() if seen.role == "here"] or self.seen()
        return max((seen.offset for seen in found), key=abs, default=0.0)

    @property
    def sees_others(self) -> bool:
        """Whether lines of machines are read whose mail is none of ours."""
        return any(reader.role == "other" for reader in self._readers.values())

    @property
    def ours(self) -> set[str]:
        """The logs that tell of our own mail."""
        found = self._readers.items()
        return {log for (log, _), reader in found if reader.role != "other"}

    @property
    def newest(self) -> int:
        """The stamp of the newest line that tells of our own mail."""
        return max((seen.newest for seen in self.seen() if seen.role != "other"), default=0)

    def pipelines(self) -> Iterator[tuple[Role, Pipeline]]:
        """All of them."""
        for reader in self._readers.values():
            yield reader.role, reader.pipeline

    # saving

    def snapshot(self) -> Iterator[bytes]:
        """What must be saved with the counters, as JSON; of who was silent, as it was packed."""
        readers = list(self._readers.items())
        if not readers and self._first:
            yield pack(self._first)
            return
        front = self._fronts.get("")
        extra = {
            "carry": [[s, f.snapshot()["plain"]] for s, f in self._fronts.items() if s],
            "here": self.here.snapshot(),
            "hosts": self._names.snapshot(),
        }
        yield from packed(readers, front.snapshot()["plain"] if front else "", extra)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes a snapshot back; `ValueError` where it is damaged."""
        try:
            self._restore(saved)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            self._readers.clear()
            raise ValueError(f"the lines of several machines: {error!r}") from error

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self._readers.clear()
        self._fronts.clear()
        if plain := saved["parser"]["plain"]:
            self._front("").restore({"plain": plain})
        if "at" not in saved:
            self._first = {**saved, "parser": saved["parser"] | {"plain": ""}}
            return
        self.here.restore(saved.get("here"))
        self._names.restore(saved.get("hosts", {}))
        for source, carry in saved.get("carry", ()):
            self._front(source).restore({"plain": carry})
        first = {**saved, "parser": saved["parser"] | {"plain": ""}}
        self._take([*saved["at"], first, saved.get("outcomes", {})])
        for row in saved.get("others", ()):
            self._take(row)

    def _take(self, row: Any) -> None:
        source, machine, snapshot, outcomes = row
        place = source, machine.encode("latin-1")
        reader = self._begin(place)
        reader.pipeline.restore(snapshot)
        if self.by_host:
            reader.pipeline.by_outcome = {str(name): int(n) for name, n in outcomes.items()}
