"""The short cut for mail Exim delivered when nobody listens: from a block's lines to counters.

It is written for speed, not for beauty.

Contract: `exim(lines, stamps, now)` counts the lines of `logparse.exim_lines.sent_lines` that tell
of mail taken with a plain 250, with the numbers `policyd.pipeline` would get by way of the value (a
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
from policyd.counters import Counters
from policyd.quick import Delays, Rows
from policyd.sessions import Sessions

__all__ = ["QuickExim"]


class QuickExim(Rows):
    """The short cut to the counters; see the module."""

    def __init__(self, counters: Counters, sessions: Sessions, delays: Delays) -> None:
        super().__init__(counters)
        self._sessions = sessions
        self._delays = delays

    def exim(
        self, lines: Iterable[Found], stamps: Stamps, now: float
    ) -> Iterator[tuple[bytes, bytes]]:
        """Counts lines; the others as (line, relay)."""
        rows, delays, is_new = self._rows, self._delays, self._sessions.is_new_exim
        last, when = b"", 0.0
        for line, stamp, queue_id, relay, address, reply, queue_time in lines:
            row = rows.get(relay) or self._row(relay)
            if row is None:
                yield line, relay
                continue
            if stamp != last:
                last, when = stamp, stamps.posix(stamp, now)
            delay = waited(queue_time, queue_id, when)
            if delay:
                row.delays[-1] += delays[delay]
            row.sent += 1
            row.dirty = True
            row.accepted += is_new(queue_id, address, int(when), crc32(reply))
