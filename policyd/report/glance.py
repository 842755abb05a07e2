"""Accepted mail for the report, without a value for each: nine of ten records of a log.

A match's texts are counted as they stand (delays, domains, the stamp's minute) and read as numbers
once, by `settle`. It is written for speed, not for beauty; a test holds it to what the long way
counts.

Contract: a `fastpath.PostfixPath` into a `Tally`; nothing is in the tally before `settle`. Memory
is bounded: it settles by itself now and then. The year of a stamp without one is inferred from
`now`. Failure: none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo

from logparse import native
from logparse.events import text_of
from logparse.exim import waited
from logparse.exim_lines import Found
from logparse.framing import FRAME
from logparse.native import Row
from logparse.record import RECIPIENT, seconds_of
from logparse.stamps import Stamps, minute
from policyd.report.tally import Tally

__all__ = ["Glance"]

_RELAYS = 65_536
_SETTLE = 50_000  # records between two settlements
_FRAME = re.compile(FRAME)


class _Glanced:
    """What one receiver took since the last settlement."""

    __slots__ = ("cells", "delays", "domains", "hours", "receiver")

    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        self.hours: dict[int, int] = defaultdict(int)
        self.domains: dict[bytes, int] = {}
        # total, before the queue, in the queue, connect, send
        self.delays: tuple[dict[bytes | float, int], ...] = tuple(
            defaultdict(int) for _ in range(5)
        )
        self.cells: Row = (self.hours, self.domains, *self.delays)  # as the native part knows them

    def clear(self) -> None:
        """Nothing."""
        for counts in self.cells:
            counts.clear()


class Glance:
    """See the module."""

    def __init__(
        self,
        tally: Tally,
        now: float,
        zone: tzinfo | None = None,
        teach: Callable[[str, str], object] = lambda domain, host: None,
    ) -> None:
        self._tally = tally
        self._now = now
        self._teach = teach  # told now and then which host took mail for which domain
        self._stamps = Stamps(zone)
        self._rows: dict[str, _Glanced] = {}
        self._relays: dict[bytes, _Glanced] = {}
        self._cells: dict[bytes, Row] = {}  # of the same relays
        self._minutes: dict[bytes, int] = {}
        self._numbers: dict[bytes | float, float] = {}
        self._last = (b"", 0)  # the newest record: its block, and where it begins
        self._counted = 0

    def learn(self, relay: bytes, receiver: str) -> None:
        """Remembers who is behind a relay's text."""
        if len(self._relays) >= _RELAYS:
            self.forget()
        row = self._rows.get(receiver)
        if row is None:
            row = self._rows[receiver] = _Glanced(receiver)
        self._relays[relay], self._cells[relay] = row, row.cells

    def forget(self) -> None:
        """Knows no relay any more."""
        self._relays.clear()
        self._cells.clear()

    def postfix(self, match: re.Match[bytes]) -> bool:
        """Counts a record of Postfix."""
        _, _, relay, total, a, b, c, d, _ = match.groups()
        row = self._relays.get(relay)
        if row is None:
            return False
        text, start = match.string, match.start()
        if text[start] == 60:  # "<22>"
            start = text.index(b">", start) + 1
        when = minute(text, start)
        hour = self._minutes.get(when)
        if hour is None:
            hour = self._hour(when, match)
        row.hours[hour] += 1
        begin = match.end(2) + RECIPIENT
        address = text[begin : text.index(b">", begin)]
        domain = address[address.rfind(b"@") + 1 :]
        domains = row.domains
        if domain in domains:
            domains[domain] += 1
        else:
            domains[domain] = 1
            self._teach(text_of(domain).lower(), text_of(relay[: relay.find(b"[")]).lower())
        whole, before, in_queue, connect, send = row.delays
        whole[total] += 1
        before[a] += 1
        in_queue[b] += 1
        connect[c] += 1
        send[d] += 1
        self._last = text, match.start()
        self._counted += 1
        if self._counted >= _SETTLE:
            self.settle()
        return True

    @property
    def scan(self) -> Callable[[bytes, list[int], int], int] | None:
        """What counts the plainest records of many at once, where the native part is there."""
        return None if native.scan is None else self._scan

    def _scan(self, block: bytes, places: list[int], index: int) -> int:
        if native.scan is None:
            return index
        after = native.scan(block, places, index, self._cells, self._minutes)
        if after > index:
            self._last = block, places[after - 1]
            self._counted += after - index
            if self._counted >= _SETTLE:
                self.settle()
        return after

    def exim(
        self, lines: Iterable[Found], stamps: Stamps, now: float
    ) -> Iterator[tuple[bytes, bytes]]:
        """Counts lines of Exim; the others as (line, relay)."""
        relays, tally = self._relays, self._tally
        for line, stamp, queue_id, relay, _, _, queue_time in lines:
            row = relays.get(relay)
            if row is None:
                yield line, relay
                continue
            when = stamps.posix(stamp, now)
            row.hours[int(when // 3600)] += 1
            begin = line.index(queue_id) + len(queue_id) + 4  # " => "
            address = line[begin : line.index(b" ", begin)]
            domain = address[address.rfind(b"@") + 1 :]
            row.domains[domain] = row.domains.get(domain, 0) + 1
            delay = waited(queue_time, queue_id, when)
            if delay:
                row.delays[0][delay] += 1
            tally.saw(when)
            self._counted += 1
            if self._counted >= _SETTLE:
                self.settle()

    def settle(self) -> None:
        """Brings everything into the tally."""
        self._counted = 0
        if self._last[0]:
            self._tally.saw(self._time(*self._last))
            self._last = b"", 0
        for row in self._rows.values():
            if row.hours:
                delays = [
                    {self._number(text): count for text, count in known.items()}
                    for known in row.delays
                ]
                domains = {text_of(name): count for name, count in row.domains.items()}
                self._tally.add_sent(row.receiver, row.hours, domains, delays)
                row.clear()
        self._tally.look()

    def _number(self, text: bytes | float) -> float:
        """A delay's value: one object for all receivers, for there are few different ones."""
        if len(self._numbers) >= _RELAYS:
            self._numbers.clear()
        seconds = text if isinstance(text, float) else seconds_of(text)
        return self._numbers.setdefault(text, seconds)

    def _hour(self, minute: bytes, match: re.Match[bytes]) -> int:
        if len(self._minutes) >= _RELAYS:
            self._minutes.clear()
        when = self._time(match.string, match.start())
        self._tally.saw(when)
        hour = self._minutes[minute] = int(when // 3600)
        return hour

    def _time(self, text: bytes, place: int) -> float:
        frame = _FRAME.match(text, place)
        return self._stamps.posix(frame[1], self._now) if frame else self._now
