"""The short cut for mail Exim delivered when nobody listens: from a line's match to counters.

Contract: `exim(match, when)` counts a match of `logparse.exim.SENT` with the numbers
`policyd.pipeline` would get by way of the value (a test holds both to it). False, and nothing
counted: the relay is not known; `learn` makes it known.
Failure: none.
"""

from __future__ import annotations

import re
from zlib import crc32

from logparse.exim import LONGEST_LIFE, made_at
from logparse.exim_record import duration
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

    def exim(self, match: re.Match[bytes], when: float) -> bool:
        """Counts a line of Exim, which was written at `when`."""
        _, queue_id, relay, address, reply, queue_time = match.groups()
        row = self._rows.get(relay) or self._row(relay)
        if row is None:
            return False
        if queue_time is None:
            since = when - made_at(queue_id[:6])
            delay = since if 0 <= since <= LONGEST_LIFE else 0.0
        else:
            delay = duration(queue_time)
        if delay:
            bucket, microseconds = self._delays[delay]
            whole = row.delays[-1]
            whole[bucket] += 1
            whole[-1] += microseconds
        row.sent += 1
        row.dirty = True
        row.accepted += self._sessions.is_new_exim(queue_id, address, int(when), crc32(reply))
        return True
