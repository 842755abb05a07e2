"""What was counted in each minute, found by comparing the counters with what they were before.

So a line of the log costs nothing here: `sweep` looks at the rows that changed, once a minute of
the log's own time and once a commit.

Contract: `begin` takes the counters of an earlier run as known;
`sweep` gives what came since then to a minute; `put` adds one number. `take` is everything that was
not taken before, as (minute, receiver) → cell, and (hour, receiver) → cell for what is older than
`DAY`. Whoever cannot write it calls `put_back`.
Failure: while nothing can be written, what is kept is bounded: minutes become hours, and the oldest
hours are lost (`lost`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from policyd.counting.receivercounts import DELAY_PARTS, ReceiverCounts
from policyd.memory.cell import REPLY, add, parted, spelled

__all__ = ["DAY", "Cells", "Key", "TakenCells"]

DAY = 1440  # minutes that are kept one by one
_MOST = 100_000  # cells that wait to be written

Key = tuple[int, str]  # minutes or hours since 1970, receiver
_Seen = tuple[int, Mapping[str, int], int, Mapping[tuple[str, str], int], tuple[int, ...]]


class TakenCells(NamedTuple):
    """What is to be added to what is stored."""

    minutes: dict[Key, dict[str, int]]
    hours: dict[Key, dict[str, int]]


class Cells:
    """See the module."""

    def __init__(self, most: int = _MOST) -> None:
        self.lost = 0
        self._most = most
        self._seen: dict[str, _Seen] = {}
        self._minutes: dict[Key, dict[str, int]] = {}
        self._hours: dict[Key, dict[str, int]] = {}
        # of minutes, by part and of the whole; a number holds a histogram
        self._delays: dict[Key, list[int]] = {}

    def begin(self, tallies: Mapping[str, ReceiverCounts]) -> None:
        """All that was counted so far is in the memory already."""
        self._seen = {name: _look(tally) for name, tally in tallies.items()}

    def sweep(self, tallies: Mapping[str, ReceiverCounts], minute: int) -> None:
        """Give what was counted since the last time to this minute."""
        for name, tally in tallies.items():
            if tally.dirty:
                seen = self._seen.get(name, _NOTHING)
                if (
                    tally.sent != seen[0]
                    or tally.outcomes != seen[1]
                    or tally.replies != seen[3]
                    or tally.delays[-1] != seen[4][-1]
                ):
                    self._compare(name, tally, seen, minute)

    def _compare(self, name: str, tally: ReceiverCounts, seen: _Seen, minute: int) -> None:
        key = (minute, name)
        cell = self._minutes.get(key)
        if cell is None:
            cell = self._cell(key)
        sent, outcomes, accepted, replies, delays = seen
        if tally.sent != sent:
            cell["sent"] = cell.get("sent", 0) + tally.sent - sent
        if tally.accepted != accepted:
            word = f"{REPLY}accepted"
            cell[word] = cell.get(word, 0) + tally.accepted - accepted
        for outcome, count in tally.outcomes.items():
            if more := count - outcomes.get(outcome, 0):
                cell[outcome] = cell.get(outcome, 0) + more
        for which, count in tally.replies.items():
            if more := count - replies.get(which, 0):
                word = REPLY + which[0]
                cell[word] = cell.get(word, 0) + more
        if tally.delays[-1] != delays[-1]:
            known = self._delays.get(key, _NO_DELAYS)
            parts = zip(known, tally.delays, delays, strict=True)
            self._delays[key] = [some + now - before for some, now, before in parts]
        self._seen[name] = _look(tally, seen)

    def put(self, minute: int, receiver: str, word: str, number: int) -> None:
        """Add one number."""
        cell = self._cell((minute, receiver))
        cell[word] = cell.get(word, 0) + number

    def take(self, now: int) -> TakenCells:
        """Everything; `now` is the present minute."""
        self._spell()
        taken = TakenCells({}, self._hours)
        for key, cell in self._minutes.items():
            if key[0] < now - DAY:
                add(taken.hours.setdefault((key[0] // 60, key[1]), {}), cell)
            else:
                taken.minutes[key] = cell
        self._minutes, self._hours = {}, {}
        return taken

    def put_back(self, taken: TakenCells) -> None:
        """It could not be written."""
        for mine, theirs in ((self._minutes, taken.minutes), (self._hours, taken.hours)):
            for key, cell in theirs.items():
                add(mine.setdefault(key, {}), cell)
        self._bound()

    def _cell(self, key: Key) -> dict[str, int]:
        cell = self._minutes.get(key)
        if cell is None:
            if len(self._minutes) >= self._most:
                self._bound()
            cell = self._minutes[key] = {}
        return cell

    def _spell(self) -> None:
        for key, delays in self._delays.items():
            cell = self._minutes.setdefault(key, {})
            add(cell, dict(spelled(delays[-1])))
            add(cell, dict(parted(delays)))
        self._delays = {}

    def _bound(self) -> None:
        if len(self._minutes) >= self._most:
            self._spell()
            for key in sorted(self._minutes)[: len(self._minutes) // 2 + 1]:
                add(self._hours.setdefault((key[0] // 60, key[1]), {}), self._minutes.pop(key))
        for key in sorted(self._hours)[: max(0, len(self._hours) - self._most)]:
            del self._hours[key]
            self.lost += 1


def _look(tally: ReceiverCounts, seen: _Seen | None = None) -> _Seen:
    """A row as it is now; what did not change is not copied."""
    same = seen or _NOTHING
    return (
        tally.sent,
        same[1] if same[1] == tally.outcomes else dict(tally.outcomes),
        tally.accepted,
        same[3] if same[3] == tally.replies else dict(tally.replies),
        tuple(tally.delays),
    )


_NO_DELAYS = (0,) * len(DELAY_PARTS)
_NOTHING: _Seen = (0, {}, 0, {}, _NO_DELAYS)
