"""How the clock of the log stands to ours, and how old its newest line is.

Contract: `look(text, now)` takes the stamp of the last line of a block. After `fresh` the block is
one that was written just now: its stamps teach the offset (`logparse.offset`), which is said once
and added to all stamps without a zone from then on. The newest line is never later than the moment
it was read: a log whose clock is ahead must not look alive when it has ended.
Failure: none; a saved offset that is none is left out.
"""

from __future__ import annotations

import logging
import re

from logparse.offset import ClockOff, Offset
from logparse.stamps import OWN, STAMP, Stamps
from policyd.counting.counters import Counters

__all__ = ["LogClock"]

_log = logging.getLogger(__name__)

_STAMPED = re.compile(rb"(?:<\d{1,3}>)?(" + STAMP + rb"|" + OWN + rb")")
_FARTHEST = 10**10  # seconds a clock may be off, in a snapshot that is no damage


class LogClock:
    """See the module."""

    def __init__(self, stamps: Stamps, counters: Counters) -> None:
        self._stamps = stamps
        self._counters = counters
        self._offset = Offset()
        self._fresh = False
        self.newest = 0  # whole seconds: the newest stamp

    @property
    def learnt(self) -> ClockOff:
        """What the log's stamps are off by."""
        return self._offset.learnt

    def fresh(self) -> None:
        """The next block was written just now."""
        self._fresh = True

    def look(self, text: bytes, now: float) -> None:
        """Takes the time of the last line."""
        last = _STAMPED.match(text, text.rfind(b"\n", 0, len(text) - 1) + 1)
        fresh, self._fresh = self._fresh, False
        if last is None:
            return
        when = self._stamps.posix(last[1], now)
        if fresh and not self._stamps.zoned:
            learnt = self._offset.saw(when - self._stamps.offset, now)
            if learnt is not None:
                self._stamps.offset = learnt.seconds
                _say(learnt)
        self.newest = max(min(self.newest, int(now)), min(int(when), int(now)))
        known = min(self._counters.last_time, int(now))
        self._counters.last_time = max(known, min(int(when), int(now)))

    def snapshot(self) -> int:
        """What must outlive a restart."""
        return round(self.learnt.seconds)

    def restore(self, seconds: object) -> None:
        """Takes a snapshot back."""
        if isinstance(seconds, int) and abs(seconds) < _FARTHEST:
            self._offset.restore(seconds)
            self._stamps.offset = seconds


def _say(learnt: ClockOff) -> None:
    way = "behind" if learnt.seconds > 0 else "ahead of"
    if learnt.kind == "none":
        _log.info("the stamps of the log agree with the clock")
    elif learnt.kind == "zone":
        _log.warning(
            "the stamps of the log are %g hours %s the clock: another zone, which is allowed for"
            " from now on; log.timezone sets it",
            abs(learnt.seconds) / 3600,
            way,
        )
    else:
        _log.warning(
            "the stamps of the log are %d seconds %s the clock: one of the two clocks is wrong;"
            " this is allowed for from now on",
            abs(learnt.seconds),
            way,
        )
