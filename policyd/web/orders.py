"""What an operator may do to pacing while the daemon runs.

Contract: implements `policyd.web.ports.Control` over the controller: JSON-able values in and
out, times in POSIX seconds.
Failure: `ControlError` with words for what does not exist or makes no sense.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

from policyd.core import Core
from policyd.errors import ControlError
from policyd.receiver.rollup import UNKNOWN
from policyd.throttle.lane.state import LaneState
from policyd.web.status import lane_view, mode

__all__ = ["Operator"]

_log = logging.getLogger(__name__)

Later = Callable[[], Awaitable[dict[str, Any]]]

_TELLING = ("held", "deferred", "pinned", "reasons")  # of a lane that is free
_PINS = ("free", "slowed", "suspended")
_LONGEST_POOL = 64
_LONGEST = 366 * 86_400.0  # seconds


class Operator:
    """The operator's hand on the controller."""

    def __init__(
        self,
        core: Core,
        changed: Callable[[], None] = lambda: None,
        release: Later | None = None,
        reload: Later | None = None,
    ) -> None:
        self._core = core
        self._release = release
        self._reload = reload
        self._changed = changed  # what was ordered must be saved, also where no log line comes

    def overview(self) -> dict[str, Any]:
        """What is done about the states, and every lane with something to tell: the worst first."""
        now = self._core.clock()
        found = [
            {"receiver": state.lane.receiver, **asdict(lane_view(self._core, state, now))}
            for state in self._core.controller.shown(now)
        ]
        told = [
            lane
            for lane in found
            if lane["state"] != "free" or any(lane[name] for name in _TELLING)
        ]
        order = {"suspended": 0, "probing": 1, "slowed": 2, "free": 3}
        told.sort(key=lambda lane: (order[lane["state"]], -lane["held"]))
        return {
            "active": not self._core.controller.retired,
            "mode": mode(self._core, safe=False),
            "lanes": told,
        }

    def explain(self, receiver: str, pool: str | None) -> dict[str, Any]:
        """One receiver's lanes with their evidence and what happens next."""
        now = self._core.clock()
        senders = self._core.controller.senders
        found = self._find(receiver, pool)
        found += [own for state in found for own in senders.get(state.lane, {}).values()]
        lanes = [asdict(lane_view(self._core, state, now)) for state in found]
        return {"receiver": receiver, "lanes": lanes}

    def change(self, verb: str, receiver: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """pin, cancel, extend or set; returns the receiver as `explain` does."""
        pool = arguments.get("pool")
        if pool is not None and not isinstance(pool, str):
            raise ControlError("pool must be a text")
        if pool and not (pool.isprintable() and len(pool) <= _LONGEST_POOL):
            raise ControlError(f"pool must be at most {_LONGEST_POOL} printable characters")
        self._change(verb, receiver, pool, arguments)
        _log.info("operator: %s %s %s", verb, receiver, dict(arguments))
        self._changed()
        return self.explain(receiver, pool)

    def _change(
        self, verb: str, receiver: str, pool: str | None, arguments: Mapping[str, Any]
    ) -> None:
        controller, now = self._core.controller, self._core.clock()
        self._known(receiver)
        if verb in ("cancel", "extend"):
            self._find(receiver, pool)
        if verb == "cancel":
            controller.cancel(receiver, now, pool=pool)
        elif verb == "extend":
            if not controller.extend(receiver, _seconds(arguments), now, pool=pool):
                raise ControlError(f"{_named(receiver, pool)} is neither suspended nor pinned")
        elif verb == "set":
            controller.set_rate(receiver, _rate(arguments), now, pool=pool)
        else:
            wish = arguments.get("state")
            if wish not in _PINS:
                raise ControlError(f"pin needs a state: one of {', '.join(_PINS)}")
            rate = _rate(arguments) if arguments.get("rate") is not None else None
            controller.pin(receiver, wish, _seconds(arguments), now, rate=rate, pool=pool)

    def _known(self, receiver: str) -> None:
        """A typing mistake must neither pin what does not exist nor be told to be free."""
        by_id = self._core.ruleset.receivers.by_id
        seen = {state.lane.receiver for state in self._core.controller.lanes(self._core.clock())}
        if receiver in by_id or receiver in seen:
            return
        kind, _, name = receiver.partition(":")
        if kind in ("mx", "ip") and name:
            owner = self._core.receivers.of_host(name)
            if owner == receiver:
                return
            if kind == "mx" and owner != UNKNOWN:
                raise ControlError(f"there is no receiver {receiver!r}; {name} is of {owner!r}")
        owner = self._core.receivers.of_domain(receiver.lower()).receiver
        if owner != UNKNOWN:
            raise ControlError(f"{receiver} is a domain; its receiver is {owner!r}")
        meant = get_close_matches(receiver, [*by_id, *seen], n=1)
        hint = f"did you mean {meant[0]!r}? " if meant else ""
        some = ", ".join([*by_id][:12])
        raise ControlError(
            f"there is no receiver {receiver!r}; {hint}known: {some}, …, mx:DOMAIN, ip:ADDRESS"
        )

    def switch(self, on: bool) -> dict[str, Any]:
        """off: let everything go and step aside; on: pace again."""
        if on:
            self._core.controller.retired = False
        else:
            self._core.controller.retire(self._core.clock())
        _log.info("operator: %s", "pace again" if on else "step aside")
        return {"active": on, "held": self._core.controller.book.waits.held}

    async def release(self) -> dict[str, Any]:
        """Whether held messages can be let go; tried now."""
        return await self._release() if self._release else {"enabled": False, "trouble": ""}

    async def reload(self) -> dict[str, Any]:
        """Take the configuration file over as it is now."""
        if self._reload is None:
            raise ControlError("there is nothing to read anew")
        return await self._reload()

    def _find(self, receiver: str, pool: str | None) -> list[LaneState]:
        """Its lanes; none: nothing has been sent there yet."""
        self._known(receiver)
        lanes = self._core.controller.lanes(self._core.clock())
        found = [state for state in lanes if state.lane.receiver == receiver]
        chosen = [state for state in found if pool in (None, state.lane.pool)]
        if found and not chosen:
            pools = ", ".join(repr(state.lane.pool) for state in found)
            raise ControlError(
                f"nothing was sent to {receiver!r} from pool {pool!r}; from: {pools}"
            )
        return chosen


def _named(receiver: str, pool: str | None) -> str:
    return receiver if pool is None else f"{receiver} (pool {pool!r})"


def _seconds(arguments: Mapping[str, Any]) -> float:
    return _number(arguments, "seconds", 0.0, _LONGEST, "at most 366 days")


def _rate(arguments: Mapping[str, Any]) -> float:
    return _number(
        arguments, "rate", 1 / 86_400, 100_000.0, "between one a day and 100,000 a second"
    )


def _number(
    arguments: Mapping[str, Any], name: str, least: float, most: float, allowed: str
) -> float:
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ControlError(f"{name} must be a number above 0")
    if not least <= value <= most:
        raise ControlError(f"{name} must be {allowed}")
    return float(value)
