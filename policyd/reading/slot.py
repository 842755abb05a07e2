"""One log of several: what is known of it, and the way of reading it where it may hang.

Contract: `Slot.fetch` alone touches the log, in a thread, and changes nothing but `source`; what it
found is a `Reading`, which `take` notes where nothing else happens. A `Turn` fetches from one log
after the other until one has a block; `leave` ends it after the log it stands still at.
Failure: none: an error is a `Reading` as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from logparse.errors import LogError
from logparse.source import NOWHERE, Block, Position, Source
from policyd.reading.errand import Errand, Errands
from policyd.settings.logs import AskedLog

__all__ = ["POLL", "SLOWEST", "OpenLog", "Reading", "Slot", "Turn"]

POLL = 0.05  # seconds until a log at its end is looked at again
SLOWEST = 30.0  # seconds between two attempts with a log that gives errors

OpenLog = Callable[[AskedLog, Position], Source]


class Reading(NamedTuple):
    """What a look into a log brought."""

    block: Block | None = None
    error: str = ""
    position: Position = NOWHERE
    waiting: str = ""
    behind: int = 0
    starting: bool = False


@dataclass(slots=True)
class Slot:
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
    turn: Turn | None = None  # the turn that stands still at it
    since: float = 0.0  # when that began
    slow: bool = False  # nobody waits for it

    @property
    def lost(self) -> bool:
        """Whether it is a trouble that it cannot be read: what vanishes from a glob may."""
        return bool(self.trouble) and self.vanished is None

    def fetch(self, open_one: OpenLog, limit: int) -> Reading:
        """The next block, if there is one."""
        try:
            source = self.source = self.source or open_one(self.log, self.position)
            block = source.read(limit)
            return Reading(
                block,
                "",
                source.position if block is None else NOWHERE,
                getattr(source, "waiting", None) or "",
                getattr(source, "behind", 0),
                getattr(source, "starting", False),
            )
        except Exception as error:  # whatever it is, it must not keep the other logs
            words = str(error) if isinstance(error, OSError | LogError) else repr(error)
            return Reading(error=words)

    def close(self, errands: Errands, patience: float) -> bool:
        """Let go of it: at once, or as soon as it answers; False: it did not in time."""
        if self.turn is not None:
            self.turn.needless = True
            return True
        return self.source is None or errands.send(self.source.close, patience).done


class Turn:
    """One look at each of some logs, until one of them has a block."""

    def __init__(self, slots: Sequence[Slot], open_one: OpenLog, limit: int) -> None:
        self.brought: list[tuple[Slot, Reading]] = []
        self.needless = False  # nobody will ask what it brought
        self._slots = slots
        self._open = open_one
        self._limit = limit
        self._left = False
        self._errand: Errand[None] | None = None

    @property
    def done(self) -> bool:
        """Whether it came back."""
        return self._errand is None or self._errand.done

    def take(self, errands: Errands, patience: float) -> Slot | None:
        """Send it; the log that it stands still at when so many seconds are over."""
        self._errand = errands.send(self._run, patience)
        if self._errand.done:
            return None
        self._left = True  # before it is looked where it is
        at = len(self.brought)
        ended = at == len(self._slots) or (at > 0 and self.brought[-1][1].block is not None)
        return None if ended else self._slots[at]

    def _run(self) -> None:
        for slot in self._slots:
            reading = slot.fetch(self._open, self._limit)
            self.brought.append((slot, reading))
            if self.needless and slot.source is not None:
                slot.source.close()
            if reading.block is not None or self._left:
                return
