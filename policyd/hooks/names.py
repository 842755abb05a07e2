"""What the gate calls the names it is asked for: a host's lane, a domain as the log spells it.

Contract: `lane` and `domain` look into bounded tables and fill them; the roll-up behind them never
changes (who reads new rules makes a new `Names`). Failure: none.
"""

from __future__ import annotations

from policyd.bounded import Bounded
from policyd.receiver.rollup import Receivers
from policyd.throttle.evidence import Lane

__all__ = ["Names"]


class Names:
    """See the module."""

    def __init__(self, receivers: Receivers) -> None:
        self._receivers = receivers
        self._lanes: Bounded[tuple[str, bytes], Lane] = Bounded(50_000)
        self._domains: Bounded[bytes, str] = Bounded(100_000)

    def lane(self, pool: str, host: bytes) -> Lane:
        """The lane behind a host."""
        lane = self._lanes.get((pool, host))
        if lane is None:
            lane = self._lanes[pool, host] = Lane(pool, self._receivers.of_raw_host(host))
        return lane

    def domain(self, raw: bytes) -> str:
        """Lower case, no final dot."""
        found = self._domains.get(raw)
        if found is None:
            found = self._domains[raw] = raw.decode("ascii", "replace").rstrip(".").lower()
        return found
