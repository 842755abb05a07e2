"""Refusals at hosts that were not the last: whose they are, the end of the attempt tells.

Postfix goes on to the next host in the same attempt. Taken there, or refused there for a reason of
the message's own, the first refusal was that host's alone. Refused there for the lane's sake, too,
the last refusal speaks for both.
Contract: pure; `note` takes such a refusal, `over` the end of its message's attempt and tells the
hosts that it outlived. Bounded in number and in time.
Failure: none; what is forgotten blames nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from policyd.throttle.evidence import AcceptedMail, Evidence, Lane

__all__ = ["Outlived"]

_MOST = 4096  # messages
_EACH = 8  # hosts of each
_AGE = 120.0


class _Refusal(NamedTuple):
    lane: Lane
    evidence: Evidence
    time: float


class Outlived:
    """See the module; `blames` tells what concerns a lane."""

    def __init__(self, blames: Callable[[Evidence], bool]) -> None:
        self._blames = blames
        self._waiting: dict[str, list[_Refusal]] = {}

    def note(self, evidence: Evidence, lane: Lane, now: float) -> None:
        """One host refused, and another one is tried."""
        known = self._waiting.get(evidence.queue_id)
        if known is None:
            if len(self._waiting) >= _MOST:
                del self._waiting[next(iter(self._waiting))]
            known = self._waiting[evidence.queue_id] = []
        if len(known) < _EACH:
            known.append(_Refusal(lane, evidence, now))

    def over(self, line: Evidence | AcceptedMail, lane: Lane, now: float) -> list[Evidence]:
        """The refusals at other hosts that this end of an attempt outlived."""
        if line.queue_id not in self._waiting:
            return []
        noted = self._waiting.pop(line.queue_id)
        if isinstance(line, Evidence) and line.outcome != "sent" and self._blames(line):
            return []
        address = line.group[0] if line.group else None
        return [
            one.evidence
            for one in noted
            if one.lane == lane and one.evidence.address != address and now - one.time < _AGE
        ]
