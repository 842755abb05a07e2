"""One line in mxheed's own log for each change of a lane: what it became, and what was said to it.

    lane receiver=google from=free to=suspended until=2026-11-23T10:15:00Z rule=google.rate
    category=flow.rate reply="421 4.7.28 our system has detected an unusual rate of…"

Contract: `key=value` pairs on one line; what a stranger wrote (the reply, a host's name) is cut and
quoted as JSON in ASCII, so that it can forge no line and no pair. Receivers decide how often they
change, so a lane gets at most `PER_LANE` lines a minute and all lanes together `IN_ALL`; the next
line of a lane tells how many were left out. Time is an argument.
Failure: none.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator

from policyd.bounded import Bounded
from policyd.throttle.evidence import Lane
from policyd.throttle.lane.state import LaneState, State

__all__ = ["IN_ALL", "PER_LANE", "LaneLog"]

_log = logging.getLogger(__name__)

PER_LANE, IN_ALL = 12, 300  # lines a minute
_MINUTE = 60.0
_REPLY = 200  # characters of a reply that are told
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class _Quota:
    """So many in a minute, and how many were left out since the last one."""

    __slots__ = ("began", "left_out", "taken")

    def __init__(self, now: float) -> None:
        self.began = now
        self.taken = self.left_out = 0

    def allows(self, most: int, now: float) -> bool:
        if now - self.began >= _MINUTE:
            self.began, self.taken = now, 0
        return self.taken < most


class LaneLog:
    """Takes the controller's changes (`Lanes.on_change`) and writes them down."""

    def __init__(self, posix: Callable[[float], float] = float) -> None:
        self._posix = posix  # for people, who have a wall clock
        self._all = _Quota(0.0)
        self._lanes: Bounded[Lane, _Quota] = Bounded(10_000)

    def __call__(self, state: LaneState, before: State, now: float) -> None:
        """One change."""
        quota = self._lanes.get(state.lane)
        if quota is None:
            quota = self._lanes[state.lane] = _Quota(now)
        if not (quota.allows(PER_LANE, now) and self._all.allows(IN_ALL, now)):
            quota.left_out += 1
            return
        quota.taken += 1
        self._all.taken += 1
        pairs = [*_pairs(state, before, now, self._posix)]
        if quota.left_out:
            pairs.append(("left_out", str(quota.left_out)))
            quota.left_out = 0
        _log.info("lane %s", " ".join(f"{name}={value}" for name, value in pairs))


def _pairs(
    state: LaneState, before: State, now: float, posix: Callable[[float], float]
) -> Iterator[tuple[str, str]]:
    yield "receiver", _quoted(state.lane.receiver)
    if state.lane.pool:
        yield "pool", _quoted(state.lane.pool)
    if state.lane.sender:
        yield "sender", _quoted(state.lane.sender)
    yield "from", before
    yield "to", state.state
    if state.state == "suspended":
        yield "until", _moment(posix(state.until))
    elif state.state == "slowed" and state.bucket is not None:
        yield "rate", f"{state.bucket.rate:.3g}/s"
    if state.pinned > now:
        yield "pinned_until", _moment(posix(state.pinned))
    elif state.state == "suspended" and state.reasons:
        last = max(state.reasons, key=lambda reason: reason.last)
        yield "rule", _quoted(last.rule or "none")
        yield "category", _quoted(last.category)
        yield "host", _quoted(last.host)
        yield "reply", _string(last.reply)
    if state.settings.shadow:
        yield "shadow", "yes"


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _string(text)


def _string(text: str) -> str:
    """JSON in printable ASCII, which JSON itself does not demand of DEL."""
    return json.dumps(text[:_REPLY]).replace("\x7f", "\\u007f")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
