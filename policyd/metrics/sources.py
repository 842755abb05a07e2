"""Where each metric's numbers come from.

Contract: `metrics` joins every family of the table with the part that knows its numbers; the parts
know nothing of Prometheus. Numbers are read when a scrape asks. Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policyd.counting.facts import LogFacts
from policyd.counting.lately import LEVELS
from policyd.metrics.exposition import Histogram
from policyd.metrics.pacing import pacing
from policyd.metrics.table import Metrics
from policyd.process.reloading import Reloads
from policyd.serve.session import HookCounts
from policyd.store import Store
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
    store: Store | None = None


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
    page.stream("mxheed_receiver_health", lambda: _healths(core))
    page.add("mxheed_hints_total", lambda: _numbers(core.hints.counts))
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
    pacing(page, core)
    _state(page, core, health)
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
    senders = core.controller.senders
    page.add("mxheed_sender_lanes", lambda: {(): len(senders)})
    page.add("mxheed_senders_asked_total", lambda: _named(senders.asked))
    page.add("mxheed_release_requests_total", lambda: _named(health.ways()))
    page.add("mxheed_release_working", lambda: _known(health.releases()))
    page.add("mxheed_mx_lookups_total", lambda: _named(core.lookup.counts))
    return page


def _healths(core: Core) -> Iterator[tuple[tuple[str, ...], float]]:
    for name, tally in tuple(core.counters.tallies.items()):
        if level := core.lately.of(tally).level:
            yield (name,), LEVELS.index(level)


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
    page.add(
        "mxheed_log_source_info",
        lambda: {(log.name, log.kind, log.frame or "none"): 1 for log in logs.of_logs()},
    )
    page.add("mxheed_log_source_lines_total", lambda: {(g.name,): g.lines for g in logs.of_logs()})
    page.add(
        "mxheed_log_source_deliveries_total",
        lambda: {(log.name,): log.deliveries for log in logs.of_logs()},
    )
    page.add("mxheed_own_deliveries_total", lambda: {(): logs.delivered})
    page.add(
        "mxheed_log_source_unparsed_total", lambda: {(g.name,): g.unparsed for g in logs.of_logs()}
    )
    machines = core.machines
    page.add(
        "mxheed_host_deliveries_total", lambda: machines.of_hosts() if machines.by_host else {}
    )


def _state(page: Metrics, core: Core, health: Health) -> None:
    store, memory = health.store, core.memory
    if store is not None:
        page.add("mxheed_state_writable", lambda: {(): int(not store.trouble)})
        page.add("mxheed_state_bytes", lambda: _named(store.sizes()))
    page.add("mxheed_state_limit_bytes", lambda: {(): memory.notes.settings.size * 1_000_000})
    page.add("mxheed_new_replies", lambda: _named(memory.news))
    page.add(
        "mxheed_memory_left_out_total",
        lambda: {("cells",): memory.cells.lost, ("notes",): memory.notes.left_out},
    )


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
