"""Which lines and questions speak of the same attempt, so that each attempt counts once.

Contract: the log lines of one transaction (same message, domain, connection and delays) are one
attempt, up to the recipient limit; a verdict the status filter asked about is not counted again
when its line arrives. Of a transaction's name only the hash is kept: a busy log has thousands a
second.
Failure: none; both memories are bounded and forget after some minutes, or sooner where there is
much to remember.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.throttle.evidence import AcceptedMail, Evidence
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.window import Attempt

__all__ = ["Transaction", "Transactions"]

_AGE = 120.0
_MOST = 16_384  # transactions in each half of the memory
_HEARD = 4096

# told of a transaction's first line where the gate was not asked for it
Unasked = Callable[[Evidence | AcceptedMail, LaneState, float], None]


class Transaction:
    """What the lines of one transaction have told so far."""

    __slots__ = ("accepted", "attempt", "domain", "kept", "lines", "refused", "told")

    def __init__(self, attempt: Attempt | None, domain: str) -> None:
        self.attempt = attempt
        self.domain = domain
        self.lines = 0
        self.accepted = bool(attempt and attempt.accepted)
        self.refused = bool(attempt and attempt.refused)
        self.kept = bool(attempt and attempt.kept)
        self.told = False  # whose mail was accepted is known

    def accept(self, state: LaneState, now: float) -> None:
        """A recipient of it was accepted; the first one tells the lane."""
        if not self.accepted:
            self.accepted = True
            state.accept(now, self.attempt, self.domain)


class Transactions:
    """The attempts of the last minutes, by what their lines have in common."""

    def __init__(self, recipients: int, unasked: Unasked) -> None:
        self._recipients = recipients
        self._unasked = unasked
        self._young: dict[int, Transaction] = {}
        self._old: dict[int, Transaction] = {}
        self._turned = 0.0
        self._heard: dict[tuple[str, str], list[float]] = {}

    def of(
        self, line: Evidence | AcceptedMail, accepted: bool, state: LaneState, now: float
    ) -> Transaction:
        """The transaction of this line; its first line ends the attempt."""
        key, found = self._find(line, now)
        if found is None or found.lines >= self._recipients:
            attempt = state.pair(line.domain, accepted, now)
            found = self._young[key] = Transaction(attempt, line.domain)
            if found.attempt is None:
                self._unasked(line, state, now)
        found.lines += 1
        return found

    def elsewhere(self, line: Evidence | AcceptedMail, now: float) -> Transaction:
        """The transaction of this line of another machine: no attempt of ours is over with it."""
        key, found = self._find(line, now)
        if found is None or found.lines >= self._recipients:
            found = self._young[key] = Transaction(None, line.domain)
        found.lines += 1
        return found

    def _find(self, line: Evidence | AcceptedMail, now: float) -> tuple[int, Transaction | None]:
        young = self._young
        if now - self._turned > _AGE or len(young) >= _MOST:
            self._old, self._turned = young, now
            young = self._young = {}
        key = hash((line.queue_id, line.domain, line.group))
        return key, young.get(key) or self._old.get(key)

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
