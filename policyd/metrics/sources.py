"""Where each metric's numbers come from.

Contract: `metrics` joins every family of the table with the part that knows its numbers; the parts
know nothing of Prometheus. Numbers are read when a scrape asks. Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policyd.counting.facts import LogFacts
from policyd.metrics.exposition import Histogram
from policyd.metrics.table import STATES, Metrics
from policyd.process.reloading import Reloads
from policyd.serve.session import HookCounts
from policyd.throttle.lane.state import LaneState
from policyd.web.status import MODES, VERSION, mode

if TYPE_CHECKING:
    from policyd.core import Core

__all__ = ["Health", "metrics"]

Numbers = dict[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon itself is."""

    safe: Callable[[], bool]  # every hook gives its safe answer
    damaged: Callable[[], int]  # entries of the state file
    releases: Callable[[], bool | None]  # held messages can be let go; None: nothing to let go
    ways: Callable[[], Mapping[str, int]]  # how Postfix was asked to let messages go


def metrics(
    core: Core,
    hooks: Mapping[str, HookCounts],
    releases: Callable[[], Mapping[str, int]],
    reloads: Reloads,
    health: Health,
    logs: LogFacts | None = None,
) -> Metrics:
    """The whole /metrics page."""
    page = Metrics()
    counters = core.counters
    page.add("mxheed_build_info", lambda: {(VERSION,): 1})
    page.stream("mxheed_deliveries_total", counters.each_delivery)
    page.stream("mxheed_replies_total", counters.each_reply)
    page.stream("mxheed_replies_unclassified_total", counters.each_unclassified)
    page.stream("mxheed_delivery_delay_seconds", counters.each_delay)
    page.add("mxheed_log_lines_total", lambda: {(): counters.lines})
    page.add("mxheed_log_unparsed_total", lambda: {(): counters.unparsed})
    page.add("mxheed_log_undated_total", lambda: {(): counters.undated})
    page.add("mxheed_log_gap_bytes_total", lambda: {(): counters.gap_bytes})
    page.add("mxheed_log_last_line_timestamp_seconds", lambda: {(): _newest(core, logs)})
    page.add("mxheed_log_clock_offset_seconds", lambda: {(): core.machines.offset})
    if logs is not None:
        _logs(page, core, logs)
    page.add("mxheed_rules_loaded", lambda: {(): len(core.ruleset.rules)})
    page.add("mxheed_classifier_lookups_total", lambda: _cache(core))
    page.add("mxheed_config_last_reload_successful", lambda: {(): int(reloads.successful)})
    page.add("mxheed_config_last_reload_success_timestamp_seconds", lambda: {(): reloads.at})
    page.add("mxheed_hooks_safe", lambda: {(): int(health.safe())})
    page.add("mxheed_mode", lambda: _mode(core, health.safe()))
    page.add("mxheed_state_damaged_total", lambda: {(): health.damaged()})
    _throttle(page, core)
    page.add("mxheed_socketmap_answers_total", lambda: _numbers(hooks["socketmap"].answers))
    page.add(
        "mxheed_policy_answers_total",
        lambda: {(word,): count for (_, word), count in hooks["policy"].answers.items()},
    )
    page.add(
        "mxheed_hook_asked_timestamp_seconds",
        lambda: {
            (hook,): core.clock.posix(when)
            for counts in hooks.values()
            for hook, when in counts.last.items()
        },
    )
    page.add(
        "mxheed_hook_answer_seconds",
        lambda: {
            (hook,): Histogram(tuple(asked.took), asked.total)
            for counts in hooks.values()
            for hook, asked in counts.asked.items()
            if asked.last is not None
        },
    )
    page.add(
        "mxheed_server_errors_total",
        lambda: {(name,): sum(counts.faults.values()) for name, counts in hooks.items()},
    )
    page.add("mxheed_releases_total", lambda: _named(releases()))
    page.add("mxheed_promises_asked_total", lambda: _named(core.controller.promises))
    page.add("mxheed_release_requests_total", lambda: _named(health.ways()))
    page.add("mxheed_release_working", lambda: _known(health.releases()))
    page.add("mxheed_mx_lookups_total", lambda: _named(core.lookup.counts))
    return page


def _newest(core: Core, logs: LogFacts | None) -> float:
    """Of our own mail's lines: those of other machines must not hide that these have ended."""
    if logs is None or not core.machines.sees_others:
        return core.counters.last_time
    return logs.newest or int(core.clock.posix(core.started))  # none since then


def _logs(page: Metrics, core: Core, logs: LogFacts) -> None:
    page.add(
        "mxheed_log_readable", lambda: {(log.name,): int(not log.trouble) for log in logs.of_logs()}
    )
    page.add("mxheed_log_behind_bytes", lambda: {(log.name,): log.behind for log in logs.of_logs()})
    page.add(
        "mxheed_log_newest_line_timestamp_seconds",
        lambda: {(log.name,): log.newest for log in logs.of_logs() if log.newest},
    )
    machines = core.machines
    page.add(
        "mxheed_host_deliveries_total", lambda: machines.of_hosts() if machines.by_host else {}
    )


def _throttle(page: Metrics, core: Core) -> None:
    def lanes() -> Iterator[tuple[tuple[str, str], LaneState]]:
        # only receivers that have a row of their own: labels stay bounded
        known = core.counters.tallies
        for state in core.controller.lanes(core.clock()):
            if state.lane.receiver in known:
                yield (state.lane.receiver, state.lane.pool), state

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
        lambda: (
            (lane, core.clock.posix(s.until)) for lane, s in lanes() if s.state == "suspended"
        ),
    )
    page.stream(
        "mxheed_throttle_trouble_timestamp_seconds",
        lambda: (
            (lane, core.clock.posix(s.trouble.course.began))
            for lane, s in lanes()
            if s.state != "free"
        ),
    )
    page.stream(
        "mxheed_throttle_pinned_until_timestamp_seconds",
        lambda: (
            (lane, core.clock.posix(s.pinned)) for lane, s in lanes() if s.pinned > core.clock()
        ),
    )
    page.stream(
        "mxheed_throttle_changes_total",
        lambda: (((*lane, name), s.entered.get(name, 0)) for lane, s in lanes() for name in STATES),
    )
    page.add(
        "mxheed_receiver_recipient_limit",
        lambda: {
            (receiver,): count
            for receiver, count in core.recipients.limits(core.clock())
            if receiver in core.counters.tallies
        },
    )
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
    page.add("mxheed_gate_attempts_total", lambda: _named(core.gate.decisions))
    door = core.controller.door
    page.add("mxheed_door_waiting", lambda: {(): door.waiting})
    page.add("mxheed_door_waited_total", lambda: _named(door.counts))
    page.add("mxheed_door_waited_seconds_total", lambda: {(): door.seconds})


def _mode(core: Core, safe: bool) -> Numbers:
    now = mode(core, safe)
    return {(name,): int(name == now) for name in MODES}


def _cache(core: Core) -> Numbers:
    info = core.classifier.cache_info()
    return {("hit",): info.hits, ("alike",): info.alike, ("miss",): info.misses}


def _numbers(counts: Mapping[tuple[str, str], int]) -> Numbers:
    return {(name, answer): count for (name, answer), count in counts.items()}


def _known(working: bool | None) -> Numbers:
    return {} if working is None else {(): int(working)}


def _named(counts: Mapping[str, int]) -> Numbers:
    return {(name,): count for name, count in counts.items()}
