"""A lane whose hosts have limits of their own goes as fast as all of them together.

Contract: pure. Where every host that answers has a learnt rate, the lane's rate is their sum;
where all of them are stopped, so is the lane, until the first one may be tried. An operator's word
stands.
Failure: none.
"""

from __future__ import annotations

from policyd.throttle.lane.state import LaneState

__all__ = ["clear", "follow"]


def follow(state: LaneState, now: float) -> None:
    """Go as fast as the hosts."""
    if state.lane.sender or not state.hosts.apart or state.pinned > now or state.limits.rate:
        return
    if state.advance(now) not in ("free", "slowed"):
        return
    total, until = state.hosts.flow(now)
    if until:
        state.suspend(until, now)
    elif total is not None and state.bucket is not None:
        state.speed.follow(total, now)
    elif total is not None:
        state.set_rate(total, now)


def clear(state: LaneState, address: str, now: float) -> None:
    """The refusal that stopped the lane was this host's own: go on as if it had not been."""
    if not address or state.blamed != address or state.state != "suspended" or state.pinned > now:
        return
    state.blamed = ""
    if state.bucket is None:
        state.cancel(now)
    else:
        state.set_rate(state.bucket.rate, now)
    follow(state, now)
