"""Learns how far the clock of a log is from ours: a zone nobody told, or a clock that goes wrong.

A container writes in UTC while its host lives in Berlin; stamps of neither tell the zone. Lines
that are read the moment they are written give it away: if they are always the same whole quarter
of an hour off, it is a zone, and if they are off by any other time, a clock.
Contract: `Offset.saw(stamp, now)` takes the uncorrected time of a line that was written just now
and gives the offset to add to such times, once it has changed. It needs `_ENOUGH` lines over
`_SPAN` seconds that agree, for a relay may hand over old lines in a burst.
Failure: none.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple

__all__ = ["ClockOff", "Offset"]

_QUARTER = 900
_NEAR = 60.0  # seconds from a whole quarter of an hour that still are a zone
_LARGE = 120.0  # seconds a log's clock may be off before it is corrected
_AGREE = 3.0  # seconds that lines may differ
_ENOUGH, _SPAN = 3, 5.0


class ClockOff(NamedTuple):
    """What the log's stamps are off by."""

    seconds: float  # to be added; negative: the log is ahead
    kind: Literal["none", "zone", "clock"]


class Offset:
    """See the module."""

    def __init__(self) -> None:
        self.learnt = ClockOff(0.0, "none")
        self._seen: deque[tuple[float, float]] = deque(maxlen=_ENOUGH)

    def restore(self, seconds: float) -> None:
        """What an earlier run had learnt."""
        self.learnt = _judge(seconds)

    def saw(self, stamp: float, now: float) -> ClockOff | None:
        """A line was written just now; what is new about the offset."""
        behind = now - stamp
        if self._seen and abs(behind - self._seen[-1][1]) > _AGREE:
            self._seen.clear()
        if not self._seen or now - self._seen[-1][0] >= _SPAN / _ENOUGH:
            self._seen.append((now, behind))
        if len(self._seen) < _ENOUGH or now - self._seen[0][0] < _SPAN / 2:
            return None
        found = _judge(min(behind for _, behind in self._seen))
        if found.kind == self.learnt.kind and abs(found.seconds - self.learnt.seconds) < _LARGE:
            return None
        self.learnt = found
        return found


def _judge(behind: float) -> ClockOff:
    if abs(behind) < _LARGE:
        return ClockOff(0.0, "none")
    quarter = round(behind / _QUARTER) * _QUARTER
    if quarter and abs(behind - quarter) < _NEAR:
        return ClockOff(float(quarter), "zone")
    return ClockOff(round(behind), "clock")
