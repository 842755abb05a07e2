"""What the status page shows, gathered from the parts that know it.

Contract: `page` reads counters and lanes as they are and returns one frozen tree; it changes
nothing and is only called when somebody looks. Failure: none.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from policyd.serve.view import LaneView, LogView, Page, ReasonView, ReceiverView
from policyd.throttle.explain import explain
from policyd.throttle.lane import LaneState

if TYPE_CHECKING:
    from policyd.core import Core

__all__ = ["VERSION", "lane_view", "page"]

try:
    VERSION = version("mxheed")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+checkout"

_MOST = 60  # receivers on one page; the rest is in /metrics


def page(
    core: Core, log: str, caught_up: bool, troubles: Mapping[str, str], safe: str = ""
) -> Page:
    """Everything at one moment."""
    now, counters, posix = core.clock(), core.counters, core.clock.posix
    lanes = _lanes(core, now)
    rows = [
        ReceiverView(
            id=name,
            name=_name(core, name),
            outcomes=dict(tally.all_outcomes()),
            categories=_refusals(tally.replies),
            unclassified=tally.unclassified,
            lanes=lanes.pop(name, ()),
        )
        for name, tally in counters.tallies.items()
    ]
    rows += [ReceiverView(id=name, lanes=found) for name, found in lanes.items()]
    rows.sort(key=lambda row: (not any(map(_troubled, row.lanes)), -sum(row.outcomes.values())))
    return Page(
        now=posix(now),
        started=posix(core.started),
        version=VERSION,
        host=socket.gethostname(),
        active=not core.controller.retired,
        safe=safe,
        log=LogView(log, caught_up, counters.last_time or None, counters.lines, counters.unparsed),
        troubles=troubles,
        receivers=tuple(rows[:_MOST]),
    )


def _name(core: Core, receiver: str) -> str:
    known = core.ruleset.receivers.by_id.get(receiver)
    return known.name if known is not None else ""


def _refusals(replies: Mapping[tuple[str, str], int]) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for (category, _stage), count in replies.items():
        if category != "accepted":
            found[category] += count
    return tuple(found.most_common())


def _troubled(lane: LaneView) -> bool:
    return lane.state != "free" or lane.held > 0


def _lanes(core: Core, now: float) -> dict[str, tuple[LaneView, ...]]:
    found: dict[str, tuple[LaneView, ...]] = {}
    for state in core.controller.lanes(now):
        view = lane_view(core, state, now)
        if _troubled(view) or view.reasons:
            found[state.lane.receiver] = (*found.get(state.lane.receiver, ()), view)
    return found


def lane_view(core: Core, state: LaneState, now: float) -> LaneView:
    """One lane with its evidence; its times as a wall clock shows them."""
    posix = core.clock.posix
    told = explain(state, core.controller.book.waiting(state.lane), now)
    until = told.until if told.until is not None else told.pinned_until
    return LaneView(
        state=told.state,
        pool=told.pool,
        since=posix(told.since),
        until=None if until is None else posix(until),
        rate=told.rate,
        window=told.window,
        in_flight=told.in_flight,
        held=told.waiting,
        pinned=told.pinned_until is not None,
        shadow=core.controller.settings.shadow,
        why=told.text,
        next=told.next,
        reasons=tuple(
            ReasonView(
                g.category, g.rule, g.reply, g.count, posix(g.first), posix(g.last), g.host, g.scope
            )
            for g in told.grounds
        ),
    )
