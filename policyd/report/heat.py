"""The heat lines of the report: the time axis of a log, and what happened in each part of it.

Contract: pure. `time_slots` are the beginnings of as many slots as there are columns, of whole
hours; `heat` adds up a receiver's hours for each. Failure: none; without a time there are no slots.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from policyd.report.rows import Settings
from policyd.report.tally import ReceiverTally

__all__ = ["heat", "time_slots"]

_HOUR = 3600
_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 168)  # hours a column of the heat line may cover


def time_slots(began: float, ended: float, say: Settings) -> tuple[tuple[float, ...], int]:
    """The time axis, and the hours of a slot: as many as needed; a day is cut at its midnight."""
    if not ended:
        return (), 1
    offset = datetime.fromtimestamp(began, say.zone).astimezone(say.zone).utcoffset()
    ahead = round((offset or timedelta()) / timedelta(hours=1))
    first, last = int(began // _HOUR), int(ended // _HOUR)
    widths = (*_WIDTHS, -(-(last - first + 1) // max(1, say.columns - 1)))
    for width in widths:
        start = first - (first + ahead) % width
        if (last - start) // width < say.columns:
            break
    return tuple(float(hour * _HOUR) for hour in range(start, last + 1, width)), width


def heat(
    row: ReceiverTally, slots: tuple[float, ...], width: int
) -> tuple[tuple[int, int, int], ...]:
    """Accepted, deferred and rejected in each slot; nothing where the hours were given up."""
    if not row.detailed or not slots:
        return ()
    sums = [[0, 0, 0] for _ in slots]
    start = int(slots[0]) // _HOUR
    for hour, counts in row.hours.items():
        place = (hour - start) // width
        if 0 <= place < len(sums):
            sums[place] = [a + b for a, b in zip(sums[place], counts, strict=True)]
    return tuple((sent, deferred, bounced) for sent, deferred, bounced in sums)
