"""How receivers stand, as the hooks ask for it: who is behind a domain, and may mail go there now?

Contract: answers from memory, of all pools together: mail may go by any of them, so the best one
counts. After a reload it is made anew from what the reload kept.
Failure: a domain nobody knows yet is None, and looked up meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from policyd.hooks.softening import Stands
from policyd.receiver.lookup import MxLookup
from policyd.receiver.recipient_limits import RecipientLimits
from policyd.receiver.rollup import UNKNOWN
from policyd.throttle import Controller
from policyd.throttle.settings.pacing import PacingSettings

__all__ = ["Standing", "Standings", "stands_of"]


class Standing(NamedTuple):
    """How a receiver stands just now."""

    state: str  # free, slowed, suspended, probing
    until: float = 0.0  # of a suspension


def stands_of(controller: Controller, clock: Callable[[], float]) -> Callable[[str], Stands]:
    """What the status filter asks about a receiver, of all pools together."""

    def stands(receiver: str) -> Stands:
        lanes = controller.of_receiver(receiver, clock())
        stopped = any(lane.state in ("suspended", "probing") for lane in lanes)
        return Stands(sum(lane.accepted for lane in lanes), stopped)

    return stands


_FREE = Standing("free")
_RANK = {"free": 0, "slowed": 1, "probing": 2, "suspended": 3}


class Standings:
    """See the module."""

    def __init__(
        self,
        controller: Controller,
        lookup: MxLookup,
        recipients: RecipientLimits,
        pacing: PacingSettings,
    ) -> None:
        self._controller = controller
        self._lookup = lookup
        self._recipients = recipients
        self._pacing = pacing

    def receiver_of(self, domain: str) -> str | None:
        """The receiver behind a recipient's domain; None: not known yet, but soon."""
        receiver = self._lookup.receiver(domain)
        return None if receiver == UNKNOWN else receiver

    def recipient_limit(self, receiver: str, now: float, wall: float) -> int | None:
        """Recipients per message it takes: what the operator says, else what was learnt."""
        told = self._pacing.limits(receiver, wall).recipients
        return told or self._recipients.limit(receiver, now)

    def standing(self, receiver: str, now: float) -> Standing:
        """How a receiver stands."""
        states = self._controller.of_receiver(receiver, now)
        for lane in states:
            if lane.state == "free":
                return _FREE  # nearly always
        if not states or self._pacing.shadow:  # who only watches refuses nobody
            return _FREE
        best = min(states, key=lambda lane: (_RANK[lane.state], lane.until))
        return Standing(best.state, best.until)

    @property
    def blames(self) -> bool:
        """Whether any sender's domain is blamed by a receiver just now."""
        return self._controller.blame.active and not self._pacing.shadow

    def blamed(self, sender: str, receiver: str, now: float) -> float:
        """Until when this sender's domain had better send nothing there."""
        lanes = self._controller.of_receiver(receiver, now)
        return min((self._controller.blame.until(s.lane, sender) for s in lanes), default=0.0)

    def mail_class(self, sender: str, domain: str) -> str:
        """The class in `pacing.classes` of mail from this domain to that one; "": of none."""
        return self._controller.classes.of(sender, domain)
