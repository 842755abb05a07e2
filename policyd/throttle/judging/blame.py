"""Whom a refusal blames, and so what it slows.

Contract: pure. A verdict about our address, our account or the receiver itself concerns the lane; a
verdict about a sender's domain concerns that domain at that receiver, in a lane of its own
(`judging.senders`); everything else concerns the one message at most.
Failure: none; a sender nobody knows is blamed for nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.bounded import Bounded
from policyd.throttle.book.present import Present
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.judging.retrytable import RetryTable, socket_error
from policyd.throttle.judging.senders import SenderLanes
from policyd.throttle.lane.sender import of_receiver
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
        lanes: SenderLanes,
    ) -> None:
        """`mailbox` hears of each refusal for a mailbox's sake; `lanes` are the senders' own."""
        self.settings = settings
        self.present = Present()
        self._retry = retry
        self._count = count
        self._mailbox = mailbox
        self.lanes = lanes
        self._blamed: Bounded[tuple[Lane, str], float] = Bounded(10_000)  # → until

    def until(self, lane: Lane, sender: str) -> float:
        """Until when this sender's domain had better wait at this lane; 0.0: not at all."""
        if not sender:
            return 0.0
        own = self.lanes.of(lane.of_sender(""), sender)
        stop = own.until if own is not None and own.state == "suspended" else 0.0
        return max(stop, self._blamed.get((lane.of_sender(""), sender), 0.0))

    def sender(self, evidence: Evidence) -> str:
        """The envelope sender's domain, where it is known."""
        return evidence.sender or self.present.sender(evidence.queue_id, "")

    @property
    def active(self) -> bool:
        """Whether any sender's domain is blamed anywhere."""
        return bool(self._blamed or self.lanes)

    def reaction(self, evidence: Evidence) -> Reaction | None:
        """The reaction to what was said; socket errors by their kind."""
        kind = socket_error(evidence)
        return self.settings.reaction(kind or evidence.category, evidence.stance)

    def concerns_lane(self, evidence: Evidence, lane: Lane | None = None) -> bool:
        """Whether the lane decides when mail may go again, not the message."""
        reaction = self.reaction(evidence)
        if reaction is None or reaction.shadow or reaction.act not in _LANE_ACTS:
            return False
        if evidence.scope == "domain" and lane is not None and lane.sender:
            return True
        return evidence.scope in _LANE_SCOPES or reaction.act == "connections"

    def judge(
        self, evidence: Evidence, state: LaneState, attempt: Attempt | None, now: float
    ) -> bool:
        """A refusal: slow what it blames. True: it speaks of the lane, which is not to blame."""
        if evidence.category == MAILBOX:
            domain = attempt.domain if attempt is not None else evidence.domain
            self._mailbox(state.lane.of_sender(""), domain, evidence.retry_after, now)
        reaction = self.reaction(evidence)
        if reaction is None or reaction.act not in _LANE_ACTS:
            return False
        if reaction.shadow:
            self._count(f"shadow.{evidence.category}")
        hint = self._retry.hint(evidence.retry_after)
        if evidence.scope in _LANE_SCOPES or reaction.act == "connections":
            state, attempt = of_receiver(state, attempt)
            return not try_lane(evidence, reaction, hint, attempt, state, now)
        if evidence.scope == "domain" and not reaction.shadow:
            return self._judge_sender(evidence, reaction, hint, state, attempt, now)
        return False

    def _judge_sender(
        self,
        evidence: Evidence,
        reaction: Reaction,
        hint: float | None,
        state: LaneState,
        attempt: Attempt | None,
        now: float,
    ) -> bool:
        """The receiver blames a sender's domain: that one's lane is slowed."""
        sender = state.lane.sender or self.sender(evidence)
        base, _ = of_receiver(state, None)
        own = self.lanes.blamed(base, sender, now)
        if own is not None:
            domain = attempt.domain if attempt is not None else evidence.domain
            attempt = own.seen_as(attempt, domain, now)
            return not try_lane(evidence, reaction, hint, attempt, own, now)
        if sender:
            pause = hint if hint is not None else max(_LEAST, reaction.pause)
            self._blamed[(base.lane, sender)] = now + pause
        return False
