"""Several logs read as one source: files, globs, journals and pipes, each for itself.

Contract: a `logparse.source.Source`. Each block names its log; its position is that of all logs
together, so that one commit holds them with the counters. Every log has its turn: one block each,
so that a backlog keeps nobody waiting; a log at its end is looked at again after a pause, and one
that stands still on a file system that hangs has a thread of its own until it answers. Globs are
looked through every `RESCAN` seconds: a new file is read from its beginning, unless it is another
log's under a new name; one that vanished is kept in mind, and goes on where it was left. `status`
tells how each log is. A position that a single log left is taken over.
Failure: none: a log that cannot be read says why (`status`) and is tried again ever more seldom,
up to half a minute, while all others go on. `waiting` is set where not one of them can be read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from itertools import islice

from logparse.source import LIMIT, Block, Position, SourceStatus
from policyd.reading.errand import PATIENCE, STANDS, Errand, Errands, stands
from policyd.reading.globs import Matched, look
from policyd.reading.place import places
from policyd.reading.slot import POLL, SLOWEST, OpenLog, Reading, Slot, Turn
from policyd.settings.logs import AskedLog

__all__ = ["Many"]

_log = logging.getLogger(__name__)

RESCAN = 3.0  # seconds between two looks at the globs
POLL_EACH = 0.001  # seconds to the next look at a log at its end, for each log: looking costs
FORGET = 3600.0  # seconds until the file of a log that vanished is closed
MOST = 500  # logs followed at a time
KEPT = 2000  # places of logs that are not followed now


class Many:
    """See the module."""

    def __init__(
        self,
        logs: list[AskedLog],
        position: Position,
        open_one: OpenLog,
        clock: Callable[[], float],
        patience: float = PATIENCE,
    ) -> None:
        """`clock` never goes back; after `patience` a log is left to itself."""
        self.crowded = 0  # files that are not followed because there are too many
        self.begun = 0  # logs that were seen to be empty: their place is worth a commit, too
        self._open = open_one
        self._clock = clock
        self._patience = patience
        self._errands = Errands()
        self._globs = {log.text: Matched((), frozenset()) for log in logs if log.kind == "glob"}
        self._looks: dict[str, Errand[Matched]] = {}  # the newest at each
        self._kept = places(position)
        self._slots: dict[str, Slot] = {}
        self._order: list[Slot] = []
        self._still: list[Slot] = []  # a thread stands still at each of these
        self._first = 0  # whose turn it is
        self._rescan = 0.0
        self._passed: set[str] = set()  # files that are no logs of their own, told once
        for log in logs:
            if log.kind != "glob":
                self._begin(log)

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
            return "no file matches " + ", ".join(self._globs)
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
        for slot in tuple(self._still):
            if (block := self._look_after(slot, limit, now)) is not None:
                return block
        order, first = self._order, self._first
        turns = [order[(first + step) % len(order)] for step in range(len(order))]
        due = [slot for slot in turns if slot.turn is None and now >= slot.due]
        for slot in due:
            if slot.slow:
                self._send([slot], limit, now, 0.0)
        quick = [slot for slot in due if not slot.slow]
        return self._send(quick, limit, now, self._patience) if quick else None

    def close(self) -> None:
        """Let go of all of them."""
        patience = self._patience
        for slot in self._order:
            if not slot.close(self._errands, patience):
                patience = 0.0  # a stop must not wait for one after the other
        self._errands.close()

    def _send(self, slots: list[Slot], limit: int, now: float, patience: float) -> Block | None:
        """Look at these logs, one after another; a block of the last one."""
        turn = Turn(slots, self._open, limit)
        still = turn.take(self._errands, patience)
        if still is not None:
            still.turn, still.since = turn, now
            self._still.append(still)
        block = None
        for slot, reading in tuple(turn.brought):
            if slot is not still:
                block = self._take(slot, reading, now)
        if block is not None:
            self._first = self._order.index(slot) + 1
        return block

    def _look_after(self, slot: Slot, limit: int, now: float) -> Block | None:
        """A block of a log that nobody waits for, if it has come."""
        turn, took = slot.turn, now - slot.since
        if turn is None or not turn.done:
            if took >= STANDS:
                self._say(slot, stands(STANDS))
            return None
        slot.turn, slot.slow = None, took >= self._patience
        self._still.remove(slot)
        last, reading = turn.brought[-1]
        return self._take(slot, reading, now) if last is slot else None

    def _take(self, slot: Slot, reading: Reading, now: float) -> Block | None:
        """Note what was read."""
        if reading.error:
            self._say(slot, reading.error)
            slot.pause = min(2 * slot.pause, SLOWEST)
            slot.due = now + slot.pause
            return None
        self._say(slot, reading.waiting.removeprefix(f"{slot.log.path}: "), told=True)
        slot.pause, slot.behind, block = POLL, reading.behind, reading.block
        if block is None:
            if not slot.position and reading.position:
                slot.position = reading.position
                self.begun += 1
            slot.at_end = not reading.starting
            slot.due = now + POLL + POLL_EACH * len(self._order)
            return None
        fresh, slot.at_end = slot.at_end, block.end
        slot.position, slot.gap = block.position, slot.gap + block.gap
        end = all(other.at_end or other.trouble for other in self._order)
        return Block(block.data, self.position, block.gap, end, slot.log.text, fresh)

    def _say(self, slot: Slot, trouble: str, *, told: bool = False) -> None:
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
        self.crowded = 0
        for pattern in self._globs:
            self._look(pattern)
        if self.crowded:
            self._pass(f"{self.crowded} files more than {MOST}")
        found = {path for seen in self._globs.values() for path in seen.found}
        for name, slot in tuple(self._slots.items()):
            if slot.log.kind != "glob":
                continue
            if name in found:
                slot.vanished = None
            else:
                self._miss(name, slot, now)

    def _look(self, pattern: str) -> None:
        """See what this one matches, unless it stands still."""
        if pattern in self._looks and not self._looks[pattern].done:
            return
        known = {**self._kept, **{name: slot.position for name, slot in self._slots.items()}}
        work = partial(look, pattern, known, frozenset(self._slots))
        self._looks[pattern] = errand = self._errands.send(work, self._patience)
        if not errand.done:
            _log.error("%s: %s", pattern, stands(self._patience))
            return
        self._globs[pattern] = seen = errand.result()
        for path in seen.found:
            if path in self._slots:
                continue
            if path in seen.passed:
                self._pass(path)
            elif len(self._slots) >= MOST:
                self.crowded += 1
            else:
                self._begin(AskedLog("glob", path, path))

    def _begin(self, log: AskedLog) -> None:
        """Follow one log more, from where it was left."""
        slot = Slot(log, self._kept.get(log.text, {}))
        self._slots[log.text] = slot
        self._order.append(slot)
        self._passed.discard(log.text)
        if log.kind == "glob":
            _log.info("%s: followed from now on", log.text)

    def _miss(self, name: str, slot: Slot, now: float) -> None:
        """Its glob matches it no more: it may come back soon (rotation), late or never."""
        slot.vanished = now if slot.vanished is None else slot.vanished
        if now - slot.vanished < FORGET or slot.turn is not None:
            return
        slot.close(self._errands, self._patience)
        self._kept.pop(name, None)
        if slot.position:
            self._kept[name] = slot.position
        del self._slots[name]
        self._order.remove(slot)
        _log.info("%s: gone for good, it seems", name)

    def _pass(self, what: str) -> None:
        if what not in self._passed:
            self._passed.add(what)
            _log.info("%s: not followed as a log of its own", what)
