"""What the status page shows, gathered from the parts that know it.

Contract: `page` reads counters and lanes as they are and returns one frozen tree; it changes
nothing and is only called when somebody looks. It goes in steps, for there may be thousands; what
happens between two of them shows in the rows that are not made yet. Failure: none.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING

from policyd.counting.tlsdemands import TLS_REMEDY
from policyd.serve.turns import Steps
from policyd.throttle.explain import explain
from policyd.throttle.lane.state import LaneState
from policyd.web.view import LaneView, LogsView, LogView, Page, ReasonView, ReceiverView, Totals

if TYPE_CHECKING:
    from policyd.core import Core

__all__ = ["MODES", "VERSION", "lane_view", "mode", "page"]

MODES = ("on", "shadow", "off", "safe")

try:
    VERSION = version("mxheed")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+checkout"

_RANK = {"bad": 0, "poor": 1, "good": 2, "": 2}  # of healths
_STEP = 100  # lanes or receivers
_NONE = LogsView()


def page(
    core: Core,
    log: str,
    caught_up: bool,
    troubles: Mapping[str, str],
    safe: str = "",
    most: int | None = None,
    asked: Mapping[str, float] = MappingProxyType({}),
    logs: LogsView = _NONE,
) -> Steps[Page]:
    """Everything at one moment.

    `most`: so many receivers at most, but the sums are over all; `asked`: when each hook was.
    """
    now, counters, posix = core.clock(), core.counters, core.clock.posix
    ours = core.demands.told(now)
    lanes = yield from _lanes(core, now)
    order: list[tuple[bool, int, int, int, str]] = []
    sums: Counter[str] = Counter()
    unclassified = 0
    for name in [*counters.tallies, *(name for name in lanes if name not in counters.tallies)]:
        tally = counters.tallies.get(name)
        mail = 0
        if tally is not None:
            mail = sum(count for _, count in tally.all_outcomes())
            sums.update(dict(tally.all_outcomes()))
            unclassified += tally.unclassified
        calm = not any(_troubled(core, state) for state in lanes.get(name, ()))
        order.append((calm, _RANK[core.lately.of(tally).level], -mail, len(order), name))
        if not len(order) % _STEP:
            yield
    rows = []
    for *_, name in nsmallest(most or len(order), order):
        rows.append(_row(core, name, lanes.get(name, ()), now))
        yield
    return Page(
        now=posix(now),
        started=posix(core.started),
        version=VERSION,
        host=socket.gethostname(),
        mode=mode(core, bool(safe)),
        active=not core.controller.retired,
        asked={hook: posix(when) for hook, when in asked.items()},
        safe=safe,
        log=LogView(
            log, caught_up, counters.last_time or None, counters.lines, counters.unparsed, logs
        ),
        troubles=troubles,
        ours=ours,
        remedy=TLS_REMEDY if ours else "",
        totals=Totals(
            outcomes=dict(sums),
            unclassified=unclassified,
            held=core.controller.book.waits.held,
            deferred=core.controller.book.waits.deferred,
            receivers=len(order),
            troubled=sum(_troubled(core, state) for states in lanes.values() for state in states),
        ),
        receivers=tuple(rows),
    )


def mode(core: Core, safe: bool) -> str:
    """What is done about the states: something (on), or nothing, and why not."""
    if safe:
        return "safe"
    if core.controller.retired:
        return "off"
    return "shadow" if core.controller.settings.shadow else "on"


def _row(core: Core, name: str, lanes: Iterable[LaneState], now: float) -> ReceiverView:
    views = tuple(lane_view(core, state, now) for state in lanes)
    tally = core.counters.tallies.get(name)
    if tally is None:
        return ReceiverView(id=name, lanes=views)
    return ReceiverView(
        id=name,
        name=_name(core, name),
        outcomes=dict(tally.all_outcomes()),
        categories=_refusals(tally.replies),
        unclassified=tally.unclassified,
        health=core.lately.of(tally),
        lanes=views,
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


def _troubled(core: Core, state: LaneState) -> bool:
    waiting = core.controller.book.waiting(state.lane)
    return state.state != "free" or waiting > 0 or state.pinned > core.clock()


def _lanes(core: Core, now: float) -> Steps[dict[str, list[LaneState]]]:
    """Those with something to tell, by receiver."""
    found: dict[str, list[LaneState]] = {}
    for number, state in enumerate(core.controller.shown(now)):
        if state.reasons or _troubled(core, state):
            found.setdefault(state.lane.receiver, []).append(state)
        if not number % _STEP:
            yield
    return found


def lane_view(core: Core, state: LaneState, now: float) -> LaneView:
    """One lane with its evidence; its times as a wall clock shows them."""
    posix = core.clock.posix
    book = core.controller.book
    waiting, held = book.waiting(state.lane), book.waits.held_for(state.lane)
    oldest = book.waits.oldest(state.lane)
    told = explain(state, waiting, now, mode(core, safe=False))
    until = told.until if told.until is not None else told.pinned_until
    return LaneView(
        state=told.state,
        pool=told.pool,
        sender=told.sender,
        since=posix(told.began),
        stops=told.stops,
        changed=posix(told.since),
        until=None if until is None else posix(until),
        rate=told.rate,
        window=told.window,
        in_flight=told.in_flight,
        held=held,
        deferred=waiting - held,
        oldest=None if oldest is None else posix(oldest),
        pinned=told.pinned_until is not None,
        off=core.controller.retired,
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
