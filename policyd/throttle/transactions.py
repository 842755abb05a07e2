"""Which lines and questions speak of the same attempt, so that each attempt counts once.

Contract: the log lines of one transaction (same message, domain, connection and delays) are one
attempt, up to the recipient limit; a verdict the status filter asked about is not counted again
when its line arrives.
Failure: none; both memories are bounded and forget after some minutes.
"""

from __future__ import annotations

from policyd.throttle.evidence import Evidence
from policyd.throttle.lane import LaneState
from policyd.throttle.window import Attempt

__all__ = ["Transaction", "Transactions"]

_AGE = 120.0
_HEARD = 4096


class Transaction:
    """What the lines of one transaction have told so far."""

    __slots__ = ("accepted", "attempt", "lines", "refused")

    def __init__(self, attempt: Attempt | None) -> None:
        self.attempt = attempt
        self.lines = 0
        self.accepted = bool(attempt and attempt.accepted)
        self.refused = bool(attempt and attempt.refused)


class Transactions:
    """The attempts of the last minutes, by what their lines have in common."""

    def __init__(self, recipients: int) -> None:
        self._recipients = recipients
        self._young: dict[tuple[object, ...], Transaction] = {}
        self._old: dict[tuple[object, ...], Transaction] = {}
        self._turned = 0.0
        self._heard: dict[tuple[str, str], list[float]] = {}

    def of(self, evidence: Evidence, state: LaneState, now: float) -> Transaction:
        """The transaction of this line; its first line ends the attempt."""
        if now - self._turned > _AGE:
            self._old, self._young, self._turned = self._young, {}, now
        key = (evidence.queue_id, evidence.domain, evidence.group)
        found = self._young.get(key) or self._old.get(key)
        if found is None or found.lines >= self._recipients:
            found = self._young[key] = Transaction(
                state.window.pair(evidence.domain, evidence.outcome == "sent", now)
            )
        found.lines += 1
        return found

    def hear(self, evidence: Evidence, now: float) -> None:
        """Remember a refusal the status filter told, to know its log line again."""
        self._heard.setdefault((evidence.host, evidence.reply), []).append(now)
        if len(self._heard) > _HEARD:
            del self._heard[next(iter(self._heard))]

    def known(self, evidence: Evidence, now: float) -> bool:
        """Whether this refusal was told before; each telling excuses one line."""
        key = (evidence.host, evidence.reply)
        marks = self._heard.get(key)
        while marks:
            mark = marks.pop(0)
            if not marks:
                del self._heard[key]
            if now - mark < _AGE:
                return True
        return False
