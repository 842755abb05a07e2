"""Times that receivers spoke ("retry in 300 seconds"): whether we kept to them, and were they true.

Contract: `take` sees what became of each recipient, in the log's order. A reply that names a time
is `told`; the next attempt of the same message to the same domain is `early` if it came before
that time, else `right` if it was accepted and `wrong` if it was refused again. Recipients of one
transaction count once. `counts` is by (receiver, one of `RESULTS`).
Failure: none; a message that is never seen again is in `told` alone. Both tables are bounded.
"""

from __future__ import annotations

from typing import NamedTuple

from policyd.bounded import Bounded
from policyd.throttle.evidence import Evidence

__all__ = ["RESULTS", "Hints"]

RESULTS = ("told", "early", "right", "wrong")
_TRIED = ("sent", "deferred", "bounced")
_MESSAGES = 20_000
_SLACK = 1.5  # seconds: a stamp may tell whole ones only
_RECEIVERS = 2000


class _Spoken(NamedTuple):
    """A message may be tried again at `until`, said to the recipients of `group`."""

    until: float
    group: tuple[object, ...]


class Hints:
    """See the module."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self._spoken: Bounded[tuple[str, str], _Spoken] = Bounded(_MESSAGES)

    def take(self, evidence: Evidence, row: str) -> None:
        """One recipient's result; `row` is what its receiver is called where it is counted."""
        if evidence.outcome not in _TRIED:
            return
        key = (evidence.queue_id, evidence.domain)
        spoken = self._spoken.get(key)
        if spoken is not None and spoken.group != evidence.group:
            self._spoken.pop(key)
            if evidence.time < spoken.until - _SLACK:
                self._count(row, "early")
            else:
                self._count(row, "right" if evidence.outcome == "sent" else "wrong")
            spoken = None
        if spoken is None and evidence.outcome == "deferred" and evidence.retry_after is not None:
            self._spoken[key] = _Spoken(evidence.time + evidence.retry_after, evidence.group)
            self._count(row, "told")

    def _count(self, row: str, result: str) -> None:
        key = (row, result)
        if key in self.counts or len(self.counts) < _RECEIVERS * len(RESULTS):
            self.counts[key] = self.counts.get(key, 0) + 1
