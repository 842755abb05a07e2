"""Several logs read as one source: files, globs, journals and pipes, each for itself.

Contract: a `logparse.source.Source`. Each block names its log; its position is that of all logs
together, so that one commit holds them with the counters. Every log has its turn: one block each,
so that a backlog keeps nobody waiting; a log at its end is looked at again after a pause. Globs are
looked through every `RESCAN` seconds: a new file is read from its beginning, unless it is another
log's under a new name; one that vanished is kept in mind, and goes on where it was left. `status`
tells how each log is. A position that a single log left is taken over.
Failure: none: a log that cannot be read says why (`status`) and is tried again ever more seldom,
up to half a minute, while all others go on. `waiting` is set where not one of them can be read.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from logparse.errors import LogError
from logparse.mark import HEAD
from logparse.source import LIMIT, Block, Position, Source, SourceStatus
from policyd.reading.globs import matches, rotations
from policyd.reading.place import begins_so, places, same_file
from policyd.settings.logs import AskedLog

__all__ = ["Many"]

_log = logging.getLogger(__name__)

RESCAN = 3.0  # seconds between two looks at the globs
POLL = 0.05  # seconds until a log at its end is looked at again …
POLL_EACH = 0.001  # … and so much more for each log: looking costs a little
SLOWEST = 30.0  # seconds between two attempts with a log that gives errors
FORGET = 3600.0  # seconds until the file of a log that vanished is closed
MOST = 500  # logs followed at a time
KEPT = 2000  # places of logs that are not followed now

Open = Callable[[AskedLog, Position], Source]


@dataclass(slots=True)
class _Slot:
    """One log."""

    log: AskedLog
    position: Position = field(default_factory=dict)
    source: Source | None = None
    trouble: str = ""
    at_end: bool = False
    due: float = 0.0  # when it is looked at again
    pause: float = POLL
    behind: int = 0
    gap: int = 0
    vanished: float | None = None  # when its glob matched no more

    @property
    def lost(self) -> bool:
        """Whether it is a trouble that it cannot be read: what vanishes from a glob may."""
        return bool(self.trouble) and self.vanished is None


class Many:
    """See the module."""

    def __init__(
        self,
        logs: list[AskedLog],
        position: Position,
        open_one: Open,
        clock: Callable[[], float],
    ) -> None:
        """`clock` never goes back."""
        self.crowded = 0  # files that are not followed because there are too many
        self.begun = 0  # logs that were seen to be empty: their place is worth a commit, too
        self._open = open_one
        self._clock = clock
        self._globs = [log for log in logs if log.kind == "glob"]
        self._kept = places(position)
        self._slots: dict[str, _Slot] = {}
        self._order: list[_Slot] = []
        self._turn = 0
        self._rescan = 0.0
        self._passed: set[str] = set()  # files that are no logs of their own, told once
        for log in logs:
            if log.kind != "glob":
                self._begin(log)
        self._scan(clock())

    @property
    def position(self) -> Position:
        """Where each log goes on."""
        kept = dict(self._kept)
        for name, slot in self._slots.items():
            if slot.position:
                kept.pop(name, None)
                kept[name] = slot.position
        if not kept:
            return {}
        return {"sources": dict(islice(kept.items(), max(0, len(kept) - KEPT), None))}

    @property
    def waiting(self) -> str | None:
        """Why nothing at all can be read."""
        slots = self._order
        if not slots:
            return "no file matches " + ", ".join(log.text for log in self._globs)
        if not all(slot.trouble for slot in slots):
            return None
        return "; ".join(f"{slot.log.text}: {slot.trouble}" for slot in slots[:3])

    def status(self) -> list[SourceStatus]:
        """How each log is."""
        return [
            SourceStatus(
                slot.log.text,
                slot.log.text,
                slot.log.kind,
                slot.trouble if slot.lost else "",
                slot.at_end,
                slot.behind,
                slot.gap,
            )
            for slot in tuple(self._order)
        ]

    def read(self, limit: int = LIMIT) -> Block | None:
        """The next block of the log whose turn it is."""
        now = self._clock()
        if now >= self._rescan:
            self._scan(now)
        for slot in self._in_turn():
            if now >= slot.due and (block := self._read(slot, limit, now)) is not None:
                return block
        return None

    def close(self) -> None:
        """Let go of all of them."""
        for slot in self._order:
            if slot.source is not None:
                slot.source.close()

    def _in_turn(self) -> Iterator[_Slot]:
        order, first = tuple(self._order), self._turn
        for step in range(len(order)):
            at = (first + step) % len(order)
            self._turn = at + 1
            yield order[at]

    def _read(self, slot: _Slot, limit: int, now: float) -> Block | None:
        """A block of this log, or None."""
        try:
            if slot.source is None:
                slot.source = self._open(slot.log, slot.position)
            block = slot.source.read(limit)
        except (LogError, OSError) as error:
            self._say(slot, str(error))
            slot.pause = min(2 * slot.pause, SLOWEST)
            slot.due = now + slot.pause
            return None
        self._say(slot, getattr(slot.source, "waiting", None) or "", told=True)
        slot.pause = POLL
        slot.behind = getattr(slot.source, "behind", 0)
        if block is None:
            if not slot.position and (place := slot.source.position):
                slot.position = place
                self.begun += 1
            slot.at_end = not getattr(slot.source, "starting", False)
            slot.due = now + POLL + POLL_EACH * len(self._order)
            return None
        fresh, slot.at_end = slot.at_end, block.end
        slot.position, slot.gap = block.position, slot.gap + block.gap
        end = all(other.at_end or other.trouble for other in self._order)
        return Block(block.data, self.position, block.gap, end, slot.log.text, fresh)

    def _say(self, slot: _Slot, trouble: str, *, told: bool = False) -> None:
        """Once what is wrong, once that it is over; `told`: the log has said so by itself."""
        if trouble == slot.trouble:
            return
        slot.trouble = trouble
        if not told:
            _log.error("%s cannot be read: %s; trying again", slot.log.text, trouble)

    # files that come and go

    def _scan(self, now: float) -> None:
        """Look which files the globs match now."""
        self._rescan = now + RESCAN
        found = dict.fromkeys(path for glob in self._globs for path in matches(glob.path))
        older = rotations({*found, *(slot.log.path for slot in self._order)})
        self.crowded = 0
        for path in found:
            slot = self._slots.get(path)
            if slot is not None:
                slot.vanished = None
            elif path in older or self._is_known(path):
                self._pass(path)
            elif len(self._slots) >= MOST:
                self.crowded += 1
            else:
                self._begin(AskedLog("glob", path, path))
        if self.crowded:
            self._pass(f"{self.crowded} files more than {MOST}")
        for name, slot in tuple(self._slots.items()):
            if slot.log.kind == "glob" and name not in found:
                self._miss(name, slot, now)

    def _begin(self, log: AskedLog) -> None:
        """Follow one log more, from where it was left."""
        slot = _Slot(log, self._kept.get(log.text, {}))
        self._slots[log.text] = slot
        self._order.append(slot)
        self._passed.discard(log.text)
        if log.kind == "glob":
            _log.info("%s: followed from now on", log.text)

    def _miss(self, name: str, slot: _Slot, now: float) -> None:
        """Its glob matches it no more: it may come back soon (rotation), late or never."""
        slot.vanished = now if slot.vanished is None else slot.vanished
        if now - slot.vanished < FORGET:
            return
        if slot.source is not None:
            slot.source.close()
        self._kept.pop(name, None)
        if slot.position:
            self._kept[name] = slot.position
        del self._slots[name]
        self._order.remove(slot)
        _log.info("%s: gone for good, it seems", name)

    def _is_known(self, path: str) -> bool:
        """Whether this is another log's file: renamed, copied, or linked twice."""
        try:
            stat = os.stat(path)
            with open(path, "rb") as file:
                head = file.read(HEAD)
        except OSError:
            return False
        known = {**self._kept, **{name: slot.position for name, slot in self._slots.items()}}
        return any(
            (name in self._slots and same_file(name, stat)) or begins_so(place, head)
            for name, place in known.items()
            if name != path
        )

    def _pass(self, what: str) -> None:
        if what not in self._passed:
            self._passed.add(what)
            _log.info("%s: not followed as a log of its own", what)
