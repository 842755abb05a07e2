"""The only log, where its file system may hang: whoever reads it must not stand still with it.

Contract: a `logparse.source.Source` around one that reads files. Where no answer comes in time,
nothing has come yet, and after `STANDS` seconds `waiting` says so; what comes late is handed out
then. What is told of the log is what the newest reading told.
Failure: `LogError` with the words of the one that reads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from logparse.errors import LogError
from logparse.source import LIMIT, Block, Position
from policyd.reading.errand import PATIENCE, STANDS, Errands, stands
from policyd.reading.slot import OpenLog, Slot, Turn
from policyd.settings.logs import AskedLog

__all__ = ["Alone"]

_log = logging.getLogger(__name__)


class Alone:
    """See the module."""

    def __init__(
        self,
        log: AskedLog,
        position: Position,
        open_one: OpenLog,
        clock: Callable[[], float],
        patience: float = PATIENCE,
    ) -> None:
        """`clock` never goes back."""
        self.waiting: str | None = None
        self.behind = 0
        self._stands = False
        self._slot = Slot(log, position)
        self._open = open_one
        self._clock = clock
        self._patience = patience
        self._errands = Errands()

    @property
    def position(self) -> Position:
        """Where the next block begins."""
        return self._slot.position

    def read(self, limit: int = LIMIT) -> Block | None:
        """The next whole lines."""
        slot, now = self._slot, self._clock()
        if slot.turn is None:
            slot.turn, slot.since = Turn([slot], self._open, limit), now
            slot.turn.take(self._errands, self._patience)
        if not slot.turn.brought:
            if now - slot.since >= STANDS and not self._stands:
                self._stands, self.waiting = True, f"{slot.log.text}: {stands(STANDS)}"
                _log.error("%s", self.waiting)
            return None
        if self._stands:
            self._stands = False
            _log.info("%s: answers again", slot.log.text)
        reading, slot.turn = slot.turn.brought[-1][1], None
        if reading.error:
            raise LogError(reading.error)
        self.waiting, self.behind = reading.waiting or None, reading.behind
        slot.position = reading.position if reading.block is None else reading.block.position
        return reading.block

    def close(self) -> None:
        """Let go of the file."""
        self._slot.close(self._errands, self._patience)
        self._errands.close()
