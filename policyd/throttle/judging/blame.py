"""Whom a refusal blames, and so what it slows.

Contract: pure. A verdict about our address, our account or the receiver itself concerns the lane; a
verdict about a sender's domain concerns that domain at that receiver; everything else concerns the
one message at most.
Failure: none; a sender nobody knows is blamed for nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.bounded import Bounded
from policyd.throttle.book.present import Present
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.judging.retrytable import RetryTable, socket_error
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.trial import try_lane
from policyd.throttle.lane.window import Attempt
from policyd.throttle.settings.pacing import PacingSettings, Reaction

__all__ = ["MAILBOX", "Blame", "is_our_own"]

MAILBOX = "recipient.rate"  # the category that blames a mailbox for the mail it gets

_LANE_SCOPES = frozenset({"ip", "receiver", "account"})
_LANE_ACTS = frozenset({"slow", "connections", "pause"})
_LEAST = 60.0  # seconds for which a sender's domain is blamed


def is_our_own(evidence: Evidence) -> bool:
    """Words of our own MTA about itself ("deferred transport"): no receiver had a part in it."""
    return (
        evidence.origin == "local"
        and evidence.outcome in ("deferred", "bounced")
        and not evidence.host
        and not evidence.category.startswith("net.")
        and socket_error(evidence) is None
    )


class Blame:
    """Reactions by category, and the sender domains that are blamed just now."""

    def __init__(
        self,
        settings: PacingSettings,
        retry: RetryTable,
        count: Callable[[str], None],
        mailbox: Callable[[Lane, str, float | None, float], None],
    ) -> None:
        """`mailbox` hears of each refusal for a mailbox's sake."""
        self.settings = settings
        self.present = Present()
        self._retry = retry
        self._count = count
        self._mailbox = mailbox
        self._blamed: Bounded[tuple[Lane, str], float] = Bounded(10_000)  # → until

    def until(self, lane: Lane, sender: str) -> float:
        """Until when this sender's domain had better wait at this lane; 0.0: not at all."""
        return self._blamed.get((lane, sender), 0.0) if sender else 0.0

    @property
    def active(self) -> bool:
        """Whether any sender's domain is blamed anywhere."""
        return bool(self._blamed)

    def reaction(self, evidence: Evidence) -> Reaction | None:
        """The reaction to what was said; socket errors by their kind."""
        kind = socket_error(evidence)
        return self.settings.reaction(kind or evidence.category, evidence.stance)

    def concerns_lane(self, evidence: Evidence) -> bool:
        """Whether the lane decides when mail may go again, not the message."""
        reaction = self.reaction(evidence)
        if reaction is None or reaction.shadow or reaction.act not in _LANE_ACTS:
            return False
        return evidence.scope in _LANE_SCOPES or reaction.act == "connections"

    def judge(
        self, evidence: Evidence, state: LaneState, attempt: Attempt | None, now: float
    ) -> bool:
        """A refusal: slow what it blames. True: it speaks of the lane, which is not to blame."""
        if evidence.category == MAILBOX:
            domain = attempt.domain if attempt is not None else evidence.domain
            self._mailbox(state.lane, domain, evidence.retry_after, now)
        reaction = self.reaction(evidence)
        if reaction is None or reaction.act not in _LANE_ACTS:
            return False
        if reaction.shadow:
            self._count(f"shadow.{evidence.category}")
        hint = self._retry.hint(evidence.retry_after)
        if evidence.scope in _LANE_SCOPES or reaction.act == "connections":
            return not try_lane(evidence, reaction, hint, attempt, state, now)
        if evidence.scope == "domain" and not reaction.shadow:
            sender = evidence.sender or self.present.sender(evidence.queue_id, "")
            if sender:
                pause = hint if hint is not None else max(_LEAST, reaction.pause)
                self._blamed[(state.lane, sender)] = now + pause
        return False
