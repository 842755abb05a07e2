"""When to try one message again: the reply's own hint, else a table per receiver and category.

Contract: pure. Socket errors are told apart by kind (`net.refused`, `net.timeout`, `net.lost`,
`net.dns`, `net.tls`) from the MTA's words, whatever the rules called them. No entry: the MTA's own
back-off stands.
Failure: none; hints are clamped and lengthened by jitter, never shortened.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from policyd.throttle.evidence import Evidence
from policyd.throttle.settings.pacing import DEFAULT_RETRY, PacingSettings

__all__ = ["RetryTable", "socket_error"]

_KINDS = (
    ("net.refused", ("connection refused", "network is unreachable", "no route to host")),
    ("net.timeout", ("timed out", "timeout")),
    ("net.lost", ("lost connection", "connection reset", "broken pipe")),
    ("net.tls", ("tls", "certificate", "ssl")),
    ("net.dns", ("host or domain name not found", "name service error", "host not found")),
)


def socket_error(evidence: Evidence) -> str | None:
    """The kind of socket error in the MTA's own words; None for a remote reply."""
    if evidence.origin != "local":
        return None
    text = evidence.reply.lower()
    for kind, words in _KINDS:
        if any(word in text for word in words):
            return kind
    return None


class RetryTable:
    """The operator's intervals before the shipped ones, a receiver's before everybody's."""

    def __init__(self, settings: PacingSettings, rng: random.Random) -> None:
        self._rng = rng
        self.use(settings)

    def use(self, settings: PacingSettings) -> None:
        """Take new settings over."""
        self._settings = settings
        self._tables: tuple[Mapping[str, Mapping[str, tuple[float, ...]]], ...] = (
            settings.retry,
            DEFAULT_RETRY,
        )

    def intervals(self, receiver: str, category: str) -> tuple[float, ...]:
        """The intervals for a category at a receiver; empty: the MTA's own back-off."""
        family = category.partition(".")[0] + ".*"
        for table in self._tables:
            for owner in (receiver, "any"):
                rows = table.get(owner, {})
                if found := rows.get(category) or rows.get(family):
                    return found
        return ()

    def hint(self, seconds: float | None) -> float | None:
        """A spoken time, clamped and with jitter on the late side."""
        if seconds is None:
            return None
        settings = self._settings
        clamped = min(max(seconds, settings.shortest_hint), settings.longest_hint)
        return self.late(clamped)

    def late(self, seconds: float) -> float:
        """A little later: not everybody at the same instant, never before the time."""
        return seconds + self._rng.random() * min(seconds * self._settings.jitter, 30.0)

    def delay(self, evidence: Evidence, times: int) -> float | None:
        """Seconds until this message's next attempt after its `times`th refusal (from 1)."""
        hinted = self.hint(evidence.retry_after)
        kind = socket_error(evidence) or evidence.category
        rows = self.intervals(evidence.receiver, kind)
        if hinted is not None:
            # the hint was not the whole truth: each identical refusal at its time doubles
            return min(hinted * float(1 << min(times - 1, 6)), self._settings.longest_hint)
        if not rows:
            return None
        return self.late(rows[min(times, len(rows)) - 1])
