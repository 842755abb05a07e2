"""The controller's knowledge as plain values, to be kept over a restart.

Contract: `snapshot` is JSON-able and holds what was learnt: lanes with trouble or an opened window,
which lane a domain belongs to while it is held, and messages that wait for a time of their own.
Held messages are not in it: the queue itself tells them. `restore` starts every bucket empty, so
that a restart never lets more through than going on would have.
Failure: an entry of another version or shape is skipped; learning starts anew there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from policyd.throttle.evidence import Lane
from policyd.throttle.lane import LaneState, State
from policyd.throttle.prospect import Prospect
from policyd.throttle.reasons import Reason, Reasons

if TYPE_CHECKING:
    from policyd.throttle.controller import Controller

__all__ = ["VERSION", "restore", "snapshot"]

VERSION = 1

_LANES = 5_000
_HOMES = 50_000
_ASIDE = 20_000
_KEPT = (
    "since", "seen", "until", "pinned", "accepted", "refused_total", "held_total",
)  # fmt: skip
_SPEED = ("ceiling", "cost", "explore_at", "explore_gap", "near")
_TROUBLE = ("episode", "refused_at", "act", "slowing", "capacity", "tolerance")
_PATIENCE = ("stop", "good", "bad", "whole")
_WINDOW = ("limit", "cap", "explore_at", "explore_gap", "taken")
_REASON = ("rule", "category", "scope", "count", "first", "last", "reply", "host")


def snapshot(controller: Controller, now: float) -> dict[str, Any]:
    """Everything worth keeping, as plain values."""
    lanes = [state for state in controller.lanes(now) if _worth(state)]
    lanes.sort(key=lambda state: state.seen)
    troubled = {state.lane for state in lanes if state.state != "free"}
    homes = [
        [domain, *lane] for domain, lane in controller.homes() if lane in troubled
    ]  # fmt: skip
    return {
        "version": VERSION,
        "time": now,
        "lanes": [_lane(state) for state in lanes[-_LANES:]],
        "homes": homes[-_HOMES:],
        "aside": _aside(controller, now),
        "counts": dict(controller.counts),
        "retired": controller.retired,
    }


def _worth(state: LaneState) -> bool:
    settled = state.settings.window.settled
    known = bool(state.reasons) or state.greylist.age is not None
    return state.state != "free" or known or state.window.taken > settled


def _lane(state: LaneState) -> dict[str, Any]:
    return {
        "lane": list(state.lane),
        "state": state.state,
        "rate": state.bucket.rate if state.bucket else None,
        "speed": {name: getattr(state.speed, name) for name in _SPEED},
        "prospect": state.speed.prospect._asdict(),
        "patience": {name: getattr(state.trouble.patience, name) for name in _PATIENCE},
        "window": {name: getattr(state.window, name) for name in _WINDOW},
        "greylist": {"age": state.greylist.age},
        "trouble": {name: getattr(state.trouble, name) for name in _TROUBLE},
        "reasons": [{name: getattr(r, name) for name in _REASON} for r in state.reasons],
        **{name: getattr(state, name) for name in _KEPT},
    }


def _aside(controller: Controller, now: float) -> list[list[Any]]:
    found: list[list[Any]] = []
    for message in controller.book.oldest():
        for part in message.parts.values():
            if part.due > now and len(found) < _ASIDE:
                row = [message.queue_id, message.arrived, message.sender, *part.lane]
                found.append([*row, part.domain, part.recipients, part.due, part.refused])
    return found


def restore(controller: Controller, saved: Mapping[str, Any], now: float) -> None:
    """Take a snapshot back."""
    if saved.get("version") != VERSION:
        return
    for row in saved.get("lanes", ()):
        try:
            _restore_lane(controller, row, now)
        except (KeyError, TypeError, ValueError):
            continue
    for domain, pool, receiver in saved.get("homes", ()):
        controller.set_home(str(domain), Lane(str(pool), str(receiver)))
    for queue_id, arrived, sender, pool, receiver, domain, recipients, due, refused in saved.get(
        "aside", ()
    ):
        message = controller.book.message(queue_id, now, float(arrived))
        message.sender, message.klass = sender, controller.classes.of(sender, domain)
        part = controller.book.wait(message, Lane(pool, receiver), domain, now, float(due))
        part.recipients, part.refused = int(recipients), int(refused)
    controller.counts.update(saved.get("counts", {}))
    controller.retired = bool(saved.get("retired"))


def _restore_lane(controller: Controller, row: Mapping[str, Any], now: float) -> None:
    pool, receiver = row["lane"]
    if row["state"] not in get_args(State):
        raise ValueError(row["state"])
    state = controller.lane(Lane(str(pool), str(receiver)), now)
    reasons = [Reason.of(**{name: reason[name] for name in _REASON}) for reason in row["reasons"]]
    for name in _KEPT:
        setattr(state, name, row[name])
    parts: tuple[tuple[str, object, tuple[str, ...]], ...] = (
        ("speed", state.speed, _SPEED),
        ("patience", state.trouble.patience, _PATIENCE),
        ("trouble", state.trouble, _TROUBLE),
        ("window", state.window, _WINDOW),
        ("greylist", state.greylist, ("age",)),
    )
    for name, part, names in parts:
        for field in names:
            setattr(part, field, row[name][field])
    state.speed.prospect = Prospect(**row["prospect"])
    state.trouble.flowing = now  # what was accepted before is not known any more
    if state.limits.attempts:
        state.window.limit = state.limits.attempts
    state.reasons = Reasons(reasons)
    state.state = row["state"]
    state.adjusted = now
    if row["rate"]:
        state.speed.start(float(row["rate"]), now)
