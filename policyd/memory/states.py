"""How long each lane was in a state other than free, by minutes; and what changed it, and why.

Contract: `changed` is told of each lane's change, `account` of the time now and then. Seconds go to
`put(minute, receiver, word, number)`, changes to `note`. Times are steady ones; `posix` makes them
people's. A lane that is free has no seconds: what is left of the minute was free.
Failure: none; the lanes that are told apart are bounded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from policyd.memory.cell import SECONDS
from policyd.throttle.evidence import Lane
from policyd.throttle.lane.state import LaneState, State

__all__ = ["States", "Transition", "cause_of"]

_MOST = 10_000  # lanes
_LONGEST = 7200.0  # seconds without a look: more is a gap, not a state


class Transition(NamedTuple):
    """One change of one lane."""

    time: float
    receiver: str
    pool: str
    before: str
    after: str
    cause: str
    rule: str
    category: str
    reply: str
    evidence: str  # JSON: [[rule, category, refusals], …]


class States:
    """See the module."""

    def __init__(
        self,
        put: Callable[[int, str, str, int], None],
        note: Callable[[Transition], None],
        posix: Callable[[float], float] = float,
    ) -> None:
        self._put, self._note, self._posix = put, note, posix
        self._since: dict[Lane, tuple[State, float]] = {}  # lanes that are not free
        self._rest: dict[tuple[str, str], float] = {}  # parts of seconds

    def begin(self, lanes: Iterable[LaneState], now: float) -> None:
        """These lanes are in these states now."""
        for lane in lanes:
            self._set(lane.lane, lane.state, now)

    def changed(self, lane: LaneState, before: State, now: float) -> None:
        """One change."""
        self._close(lane.lane, now)
        self._set(lane.lane, lane.state, now)
        pinned = lane.pinned > now
        last = max(lane.reasons, key=lambda reason: reason.last, default=None)
        if pinned or lane.state in ("free", "probing"):
            last = None
        self._note(
            Transition(
                self._posix(now),
                lane.lane.receiver,
                lane.lane.pool,
                before,
                lane.state,
                cause_of(lane, before, now),
                (last.rule or "") if last else "",
                last.category if last else "",
                last.reply if last else "",
                json.dumps([[one.rule, one.category, one.count] for one in lane.reasons]),
            )
        )

    def account(self, now: float) -> None:
        """Give the seconds up to now to their minutes."""
        for lane, (state, _) in list(self._since.items()):
            self._close(lane, now)
            self._since[lane] = (state, now)

    def _set(self, lane: Lane, state: State, now: float) -> None:
        self._since.pop(lane, None)
        if state != "free" and len(self._since) < _MOST:
            self._since[lane] = (state, now)

    def _close(self, lane: Lane, now: float) -> None:
        known = self._since.get(lane)
        if known is None:
            return
        state, since = known
        begin, end = self._posix(max(since, now - _LONGEST)), self._posix(now)
        while begin < end:
            minute = int(begin // 60)
            until = min(end, (minute + 1) * 60.0)
            key = (lane.receiver, state)
            exact = until - begin + self._rest.pop(key, 0.0)
            whole = int(exact)
            if whole:
                self._put(minute, lane.receiver, SECONDS + state, whole)
            if len(self._rest) < _MOST:
                self._rest[key] = exact - whole
            begin = until


def cause_of(lane: LaneState, before: State, now: float) -> str:
    """What made the change, in a word."""
    if lane.pinned > now:
        return "operator"
    if lane.state == "suspended":
        return "refused"
    if lane.state == "probing":
        return "time"
    if before == "probing":
        return "accepted"
    if lane.state == "slowed":
        return "refused" if len(lane.reasons) else "limit"
    return "recovered"
