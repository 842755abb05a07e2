"""What an operator may do to pacing while the daemon runs.

Contract: implements `policyd.serve.ports.Control` over the controller: JSON-able values in and
out, times in POSIX seconds.
Failure: `ControlError` with words for what does not exist or makes no sense.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from policyd.core import Core
from policyd.errors import ControlError
from policyd.status import lane_view
from policyd.throttle.lane import LaneState
from rules.source import oneof

__all__ = ["Operator"]

_log = logging.getLogger(__name__)

_PINS = ("free", "slowed", "suspended")


class Operator:
    """The operator's hand on the controller."""

    def __init__(self, core: Core, changed: Callable[[], None] = lambda: None) -> None:
        self._core = core
        self._changed = changed  # what was ordered must be saved, also where no log line comes

    def lanes(self) -> list[dict[str, Any]]:
        """Every lane with something to tell, the most troubled first."""
        now = self._core.clock()
        found = [
            {"receiver": state.lane.receiver, **asdict(lane_view(self._core, state, now))}
            for state in self._core.controller.lanes(now)
        ]
        told = [
            lane for lane in found if lane["state"] != "free" or lane["held"] or lane["reasons"]
        ]
        order = {"suspended": 0, "probing": 1, "slowed": 2, "free": 3}
        return sorted(told, key=lambda lane: (order[lane["state"]], -lane["held"]))

    def explain(self, receiver: str, pool: str | None) -> dict[str, Any]:
        """One receiver's lanes with their evidence and what happens next."""
        now = self._core.clock()
        lanes = [asdict(lane_view(self._core, state, now)) for state in self._find(receiver, pool)]
        return {"receiver": receiver, "lanes": lanes}

    def change(self, verb: str, receiver: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """pin, cancel, extend or set; returns the receiver as `explain` does."""
        pool = arguments.get("pool")
        if pool is not None and not isinstance(pool, str):
            raise ControlError("pool must be a text")
        self._change(verb, receiver, pool, arguments)
        _log.info("operator: %s %s %s", verb, receiver, dict(arguments))
        self._changed()
        return self.explain(receiver, pool)

    def _change(
        self, verb: str, receiver: str, pool: str | None, arguments: Mapping[str, Any]
    ) -> None:
        controller, now = self._core.controller, self._core.clock()
        if verb in ("cancel", "extend"):
            self._find(receiver, pool)
        else:
            self._known(receiver)
        if verb == "cancel":
            controller.cancel(receiver, now, pool=pool)
        elif verb == "extend":
            if not controller.extend(receiver, _number(arguments, "seconds"), now, pool=pool):
                raise ControlError(f"{receiver} is neither suspended nor pinned")
        elif verb == "set":
            controller.set_rate(receiver, _number(arguments, "rate"), now, pool=pool)
        else:
            wish = arguments.get("state")
            if wish not in _PINS:
                raise ControlError(f"pin needs a state: one of {', '.join(_PINS)}")
            rate = _number(arguments, "rate") if arguments.get("rate") is not None else None
            length = _number(arguments, "seconds")
            controller.pin(receiver, wish, length, now, rate=rate, pool=pool)

    def _known(self, receiver: str) -> None:
        """A typing mistake must not pin a receiver that does not exist."""
        by_id = self._core.ruleset.receivers.by_id
        if receiver not in by_id and not receiver.startswith(("mx:", "ip:")):
            raise ControlError(
                f"there is no receiver {receiver!r}; {oneof(receiver, list(by_id)[:12])}, …, "
                "or mx:DOMAIN, ip:ADDRESS"
            )

    def switch(self, on: bool) -> dict[str, Any]:
        """off: let everything go and step aside; on: pace again."""
        if on:
            self._core.controller.retired = False
        else:
            self._core.controller.retire()
        _log.info("operator: %s", "pace again" if on else "step aside")
        return {"active": on, "held": len(self._core.controller.book)}

    def _find(self, receiver: str, pool: str | None) -> list[LaneState]:
        states = self._core.controller.lanes(self._core.clock())
        found = [
            state
            for state in states
            if state.lane.receiver == receiver and pool in (None, state.lane.pool)
        ]
        if not found:
            near = sorted({state.lane.receiver for state in states})[:12]
            known = f"; known: {', '.join(near)}" if near else ""
            raise ControlError(f"nothing was sent to {receiver!r} yet{known}")
        return found


def _number(arguments: Mapping[str, Any], name: str) -> float:
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ControlError(f"{name} must be a number above 0")
    return float(value)
