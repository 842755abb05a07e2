"""The fast path for mail Exim delivered when nobody listens: from a block's lines to counters.

It is written for speed, not for beauty.

Contract: `exim(lines, stamps, now)` counts those lines that tell of mail taken with a plain 250
(see `logparse.exim_lines`), with the numbers `pipeline` would get by way of the value (a
test holds both to it), and gives back each other line when its turn comes, with the text of its
relay. Given back is also what names a relay that is not known; `learn` makes it known.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zlib import crc32

from logparse.exim import waited
from logparse.exim_lines import Found
from logparse.stamps import Stamps
from policyd.counting.counters import Counters
from policyd.counting.fastpath import Delays, RelayRows
from policyd.counting.sessions import KEPT, Sessions

__all__ = ["EximFastPath"]

_CACHED = 4096


class EximFastPath(RelayRows):
    """The fast path to the counters; see the module."""

    def __init__(self, counters: Counters, sessions: Sessions, delays: Delays) -> None:
        super().__init__(counters)
        self._sessions = sessions
        self._delays = delays
        self._told: dict[bytes, int] = {}  # of times in the queue as they are logged

    def exim(
        self, lines: Iterable[Found], stamps: Stamps, now: float
    ) -> Iterator[tuple[bytes, bytes]]:
        """Counts lines; the others as (line, relay)."""
        rows, told, known = self._rows, self._told, self._sessions.last
        last, when, second = b"", 0.0, 0
        for line, stamp, queue_id, relay, address, reply, queue_time in lines:
            row = rows.get(relay) or self._row(relay)
            if row is None:
                yield line, relay
                continue
            if stamp != last:
                last, when = stamp, stamps.posix(stamp, now)
                second = int(when)
            wait = told.get(queue_time)
            row.delays[-1] += self._wait(queue_time, queue_id, when) if wait is None else wait
            row.sent += 1
            row.dirty = True
            if queue_id in known or len(known) >= KEPT:
                row.accepted += self._sessions.is_new_exim(queue_id, address, second, crc32(reply))
            else:
                known[queue_id] = (address, second, 0, crc32(reply))
                row.accepted += 1

    def _wait(self, queue_time: bytes, queue_id: bytes, when: float) -> int:
        """The time since the message came in, as a histogram of one; of none: it is not told."""
        seconds = waited(queue_time, queue_id, when)
        found = self._delays[seconds] if seconds else 0
        if queue_time:
            if len(self._told) >= _CACHED:
                self._told.clear()
            self._told[queue_time] = found
        return found
