"""What is counted: plain dictionaries of whole numbers with bounded labels.

Contract: `Counters.tally(receiver)` is the row of numbers of one receiver; callers add to it in
place and set its `dirty` flag. Receivers we know by name always have a row of their own. Others
("mx:…", "ip:…") get one while few do; after that a row has to be earned by `EARNED` attempts, and
when `receivers` of them have one, the rest shares the row "other". A row is never taken away, so
every exported counter only grows. Delays are added as `histogram.single` gives them.

Saving: `take()` is what changed since the last `take()`, as (family, labels, value) with absolute
values, so that writing it twice does no harm; `put_back(changes)` after a failed write; `dump()` is
everything; `load(rows)` is the way back and returns the rows it does not understand. Values are
whole numbers or, for "delay", lists of them.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policyd.counting.histogram import FIELDS, Histogram, gather, shown
from policyd.counting.receivercounts import (
    ACCEPTED,
    DELAY_PARTS,
    Change,
    ReceiverCounts,
    Value,
)

__all__ = ["OTHER", "Counters"]

OTHER = "other"
EARNED = 20  # attempts that earn a row once half of the rows are given away

_LABELS = {"deliveries": 2, "replies": 3, "unclassified": 1, "delay": 2}
_TOTALS = ("lines", "unparsed", "undated", "gap_bytes", "last_time")


class Counters:
    """All numbers; see the module."""

    def __init__(self, receivers: int = 500) -> None:
        self.receivers = receivers
        self.tallies: dict[str, ReceiverCounts] = {}
        self.lines = 0
        self.unparsed = 0
        self.undated = 0  # lines of an MTA whose time could not be read
        self.gap_bytes = 0
        self.last_time = 0  # whole seconds: the newest stamp seen at the end of a block
        self._candidates: dict[str, int] = {}  # receivers without a row, and how often seen
        self._earned = 0  # rows given to receivers we do not know by name
        self._saved: dict[str, int] = {}
        self._dropped: set[str] = set()

    def tally(self, receiver: str) -> ReceiverCounts:
        """The row of `receiver`, or the shared one."""
        known = self.tallies.get(receiver)
        if known is not None:
            return known
        if ":" in receiver and not self._earns(receiver):
            receiver = OTHER
        return self._row(receiver)

    def _row(self, receiver: str) -> ReceiverCounts:
        known = self.tallies.get(receiver)
        if known is None:
            known = self.tallies[receiver] = ReceiverCounts(receiver)
        return known

    def settled(self, receiver: str) -> ReceiverCounts | None:
        """The row `receiver` will always have from now on; None: that is not decided yet."""
        if receiver in self.tallies:
            return self.tallies[receiver]
        return self.tallies.get(OTHER) if self._earned >= self.receivers else None

    def row_name(self, receiver: str) -> str:
        """The name under which `receiver` is counted at the moment."""
        return receiver if receiver in self.tallies else OTHER

    def _earns(self, receiver: str) -> bool:
        if self._earned >= self.receivers:
            return False
        if self._earned >= self.receivers // 2:
            seen = self._candidates.get(receiver, 0) + 1
            self._candidates[receiver] = seen
            if seen < EARNED:
                self._thin_out()
                return False
            del self._candidates[receiver]
            self._dropped.add(receiver)
        self._earned += 1
        return True

    def _thin_out(self) -> None:
        """Keeps the list of candidates short: what is seen rarely is forgotten."""
        if len(self._candidates) <= 4 * self.receivers:
            return
        halved = {name: seen // 2 for name, seen in self._candidates.items() if seen > 1}
        self._dropped.update(self._candidates.keys() - halved.keys())
        self._candidates = halved

    # what /metrics asks for: numbers by labels; one by one, for more may be counted meanwhile

    def deliveries(self) -> dict[tuple[str, ...], float]:
        """Recipients by (receiver, outcome)."""
        return dict(self.each_delivery())

    def each_delivery(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """The same one by one."""
        for name, tally in tuple(self.tallies.items()):
            for outcome, count in tuple(tally.all_outcomes()):
                yield (name, outcome), count

    def replies(self) -> dict[tuple[str, ...], float]:
        """Replies by (receiver, category, stage)."""
        return dict(self.each_reply())

    def each_reply(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """The same one by one."""
        for name, tally in tuple(self.tallies.items()):
            for (category, stage), count in tuple(tally.all_replies()):
                yield (name, category, stage), count

    def unclassified(self) -> dict[tuple[str, ...], float]:
        """Refusals no rule knows, by (receiver,); zeros too, so that the first one is a rise."""
        return dict(self.each_unclassified())

    def each_unclassified(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """The same one by one."""
        for name, tally in tuple(self.tallies.items()):
            yield (name,), tally.unclassified

    def delays(self) -> dict[tuple[str, ...], Histogram]:
        """Delay histograms by (receiver, part)."""
        return dict(self.each_delay())

    def each_delay(self) -> Iterator[tuple[tuple[str, ...], Histogram]]:
        """The same one by one."""
        for name, tally in tuple(self.tallies.items()):
            for part, histogram in zip(DELAY_PARTS, tuple(tally.delays), strict=True):
                if histogram:
                    yield (name, part), shown(histogram)

    # saving

    def dump(self) -> list[Change]:
        """Everything."""
        rows = [row for tally in self.tallies.values() for row in tally.rows()]
        rows += [("total", (name,), getattr(self, name)) for name in _TOTALS]
        rows += [("candidate", (name,), seen) for name, seen in self._candidates.items()]
        return rows

    def take(self) -> list[Change]:
        """What changed since the last time; a value of 0 for a candidate means it is gone."""
        rows: list[Change] = []
        for tally in self.tallies.values():
            if tally.dirty:
                tally.dirty = False
                rows += tally.rows()
        for name in _TOTALS:
            value = getattr(self, name)
            if self._saved.get(name) != value:
                self._saved[name] = value
                rows.append(("total", (name,), value))
        if self._candidates or self._dropped:
            rows += [("candidate", (name,), 0) for name in self._dropped]
            rows += [("candidate", (name,), seen) for name, seen in self._candidates.items()]
            self._dropped = set()
        return rows

    def put_back(self, changes: Iterable[Change]) -> None:
        """Marks `changes` as not saved after all."""
        for family, labels, value in changes:
            if family == "total":
                self._saved.pop(labels[0], None)
            elif family == "candidate":
                if value == 0 and labels[0] not in self._candidates:
                    self._dropped.add(labels[0])
            else:
                self.tallies[labels[0]].dirty = True

    def load(self, rows: Iterable[Change]) -> list[Change]:
        """Takes up what was dumped or saved; meant for an empty object. Returns odd rows."""
        odd = []
        for family, labels, value in rows:
            try:
                self._load(family, labels, value)
            except (ValueError, IndexError):
                odd.append((family, labels, value))
        self._earned = sum(":" in name for name in self.tallies)
        return odd

    def _load(self, family: str, labels: tuple[str, ...], value: Value) -> None:
        if family == "total" and isinstance(value, int):
            if labels[0] in _TOTALS:
                setattr(self, labels[0], value)
                self._saved[labels[0]] = value
            return
        if family == "candidate" and isinstance(value, int):
            if value:
                self._candidates[labels[0]] = value
            return
        if len(labels) != _LABELS.get(family):
            raise ValueError(f"no counter family {family!r} with labels {labels} and {value!r}")
        tally = self._row(labels[0])
        if family == "deliveries" and isinstance(value, int):
            if labels[1] == "sent":
                tally.sent = value
            else:
                tally.outcomes[labels[1]] = value
        elif family == "replies" and isinstance(value, int):
            if labels[1:] == ACCEPTED:
                tally.accepted = value
            else:
                tally.replies[labels[1], labels[2]] = value
        elif family == "unclassified" and isinstance(value, int):
            tally.unclassified = value
        elif family == "delay" and isinstance(value, list) and len(value) == FIELDS:
            tally.delays[DELAY_PARTS.index(labels[1])] = gather(value)
        else:
            raise ValueError(f"no counter family {family!r} with labels {labels} and {value!r}")
