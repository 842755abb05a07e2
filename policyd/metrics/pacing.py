"""Where the numbers about pacing come from: lanes, what is held, the gate and its door.

Contract: `pacing` joins the families of the table that speak of lanes with the controller. Lanes
are those of receivers that have a row of their own, so labels stay bounded; they are listed once
for all families of a page. Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from policyd.metrics.table import STATES, Metrics
from policyd.throttle.lane.state import LaneState

if TYPE_CHECKING:
    from policyd.core import Core

__all__ = ["pacing"]

Numbers = dict[tuple[str, ...], float]
Shown = tuple[tuple[str, str], LaneState]
_FRESH = 1.0  # seconds for which a list of lanes is good enough


class _Lanes:
    """The lanes that are shown, looked for once for all families of a page."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._until = float("-inf")
        self._found: list[Shown] = []

    def __call__(self) -> Iterator[Shown]:
        core = self._core
        if (now := core.clock()) >= self._until:
            self._until, known = now + _FRESH, core.counters.tallies
            self._found = [
                ((state.lane.receiver, state.lane.pool), state)
                for state in core.controller.lanes(now)
                if state.lane.receiver in known
            ]
        return iter(self._found)


def pacing(page: Metrics, core: Core) -> None:
    """The lanes, and what waits for them."""
    lanes = _Lanes(core)
    _states(page, core, lanes)
    _courts(page, core, lanes)
    _held(page, core, lanes)
    page.add(
        "mxheed_receiver_recipient_limit",
        lambda: {
            (receiver,): count
            for receiver, count in core.recipients.limits(core.clock())
            if receiver in core.counters.tallies
        },
    )
    page.add("mxheed_gate_attempts_total", lambda: _named(core.gate.decisions))
    door = core.controller.door
    page.add("mxheed_door_waiting", lambda: {(): door.waiting})
    page.add("mxheed_door_waited_total", lambda: _named(door.counts))
    page.add("mxheed_door_waited_seconds_total", lambda: {(): door.seconds})
    counts = core.controller.counts
    page.add("mxheed_hosts_aside", lambda: {(): sum(s.hosts.aside for _, s in lanes())})
    page.add("mxheed_host_skips_total", lambda: {(): counts.get("host.skipped", 0)})
    page.add("mxheed_host_refusals_outlived_total", lambda: {(): counts.get("outlived", 0)})


def _states(page: Metrics, core: Core, lanes: Callable[[], Iterator[Shown]]) -> None:
    posix = core.clock.posix
    page.stream(
        "mxheed_throttle_state",
        lambda: (((*lane, name), int(s.state == name)) for lane, s in lanes() for name in STATES),
    )
    page.stream(
        "mxheed_throttle_rate",
        lambda: ((lane, s.bucket.rate) for lane, s in lanes() if s.bucket is not None),
    )
    page.stream("mxheed_throttle_window", lambda: ((lane, s.window.size()) for lane, s in lanes()))
    page.stream("mxheed_throttle_in_flight", lambda: ((lane, s.window.open) for lane, s in lanes()))
    page.stream(
        "mxheed_throttle_until_timestamp_seconds",
        lambda: ((lane, posix(s.until)) for lane, s in lanes() if s.state == "suspended"),
    )
    page.stream(
        "mxheed_throttle_trouble_timestamp_seconds",
        lambda: ((lane, posix(s.trouble.course.began)) for lane, s in lanes() if s.state != "free"),
    )
    page.stream(
        "mxheed_throttle_pinned_until_timestamp_seconds",
        lambda: ((lane, posix(s.pinned)) for lane, s in lanes() if s.pinned > core.clock()),
    )
    page.stream(
        "mxheed_throttle_changes_total",
        lambda: (((*lane, name), s.entered.get(name, 0)) for lane, s in lanes() for name in STATES),
    )


def _courts(page: Metrics, core: Core, lanes: Callable[[], Iterator[Shown]]) -> None:
    """Whose word was enough."""
    page.stream(
        "mxheed_throttle_refusals_total", lambda: ((lane, s.refused_total) for lane, s in lanes())
    )
    page.stream(
        "mxheed_throttle_unconfirmed_total", lambda: ((lane, s.court.kept) for lane, s in lanes())
    )
    page.stream(
        "mxheed_throttle_witnesses",
        lambda: ((lane, len(s.court.votes)) for lane, s in lanes() if s.court.votes),
    )
    page.stream(
        "mxheed_throttle_domains_alone",
        lambda: ((lane, len(s.court.alone(core.clock()))) for lane, s in lanes() if s.court.kept),
    )


def _held(page: Metrics, core: Core, lanes: Callable[[], Iterator[Shown]]) -> None:
    waits = core.controller.book.waits
    page.add("mxheed_held_messages", lambda: {(): waits.held})
    page.add("mxheed_deferred_messages", lambda: {(): waits.deferred})
    page.stream(
        "mxheed_throttle_held", lambda: ((lane, waits.held_for(s.lane)) for lane, s in lanes())
    )
    page.stream(
        "mxheed_throttle_held_oldest_timestamp_seconds",
        lambda: (
            (lane, core.clock.posix(since))
            for lane, s in lanes()
            if (since := waits.oldest(s.lane)) is not None
        ),
    )


def _named(counts: Mapping[str, int]) -> Numbers:
    return {(name,): count for name, count in counts.items()}
