"""Every metric of mxheed in one table: names, kinds, help texts, labels.

Contract: `TABLE`, with its part about pacing in `pacingtable`, is where a metric gets its name;
docs/metrics.md, the dashboards and the alert rules are tested against it. Labels are bounded:
receivers are those of the counters (the busiest and "other"), all other labels have closed sets of
values. Failure: none.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest

from policyd.counting.histogram import SHOWN_BOUNDS
from policyd.counting.receivercounts import DELAY_PARTS
from policyd.metrics.exposition import CONTENT_TYPE, Exposition, Family
from policyd.metrics.pacingtable import PACING, STATES
from policyd.serve.session import ANSWER_BOUNDS
from policyd.serve.turns import Steps

__all__ = ["CONTENT_TYPE", "DELAY_PARTS", "STATES", "TABLE", "Metrics"]

TABLE: tuple[Family, ...] = (
    Family(
        "mxheed_build_info",
        "gauge",
        "Always 1; the label tells the version.",
        ("version",),
    ),
    Family(
        "mxheed_deliveries_total",
        "counter",
        "Recipients by how their delivery attempt ended.",
        ("receiver", "outcome"),
    ),
    Family(
        "mxheed_replies_total",
        "counter",
        "Replies by what they mean and at which stage they came; one session that failed for "
        "several recipients counts once.",
        ("receiver", "category", "stage"),
    ),
    Family(
        "mxheed_replies_unclassified_total",
        "counter",
        "Refusals that no rule knows.",
        ("receiver",),
    ),
    Family(
        "mxheed_new_replies",
        "gauge",
        "Replies with texts that were heard for the first time within the last hour.",
        ("receiver",),
    ),
    Family(
        "mxheed_delivery_delay_seconds",
        "histogram",
        "How long deliveries took, by part of the way.",
        ("receiver", "part"),
        SHOWN_BOUNDS,
    ),
    Family(
        "mxheed_receiver_health",
        "gauge",
        "How well a receiver takes our mail: 0 good, 1 poor, 2 bad; no sample: too little mail.",
        ("receiver",),
    ),
    Family("mxheed_log_lines_total", "counter", "Log lines read."),
    Family(
        "mxheed_log_unparsed_total",
        "counter",
        "Log lines that look like a delivery and could not be read.",
    ),
    Family(
        "mxheed_log_undated_total",
        "counter",
        "Log lines of a mail system without a readable time.",
    ),
    Family(
        "mxheed_log_gap_bytes_total",
        "counter",
        "Bytes of the log that were lost to rotation or truncation before they could be read.",
    ),
    Family(
        "mxheed_log_last_line_timestamp_seconds",
        "gauge",
        "The stamp of the newest log line that was understood.",
    ),
    Family(
        "mxheed_hooks_safe",
        "gauge",
        "1 while every hook gives its safe answer: no log is read, or the sample day is played.",
    ),
    Family(
        "mxheed_state_damaged_total",
        "counter",
        "Entries of the state file that could not be read at the start and were kept aside.",
    ),
    Family(
        "mxheed_state_writable",
        "gauge",
        "1 if the state file could be written the last time, 0 if not.",
    ),
    Family(
        "mxheed_state_bytes",
        "gauge",
        "Size of the state file and of the write-ahead log beside it.",
        ("file",),
    ),
    Family(
        "mxheed_state_limit_bytes",
        "gauge",
        "What the state file may take (memory.size).",
    ),
    Family(
        "mxheed_memory_left_out_total",
        "counter",
        "What there was no room for between two commits and the memory lost.",
        ("what",),
    ),
    Family(
        "mxheed_log_clock_offset_seconds",
        "gauge",
        "How far stamps of the log without a zone are behind the clock; it is allowed for.",
    ),
    Family(
        "mxheed_log_readable",
        "gauge",
        "1 while this log can be read.",
        ("log",),
    ),
    Family(
        "mxheed_log_behind_bytes",
        "gauge",
        "Bytes of this log that are not read yet.",
        ("log",),
    ),
    Family(
        "mxheed_log_newest_line_timestamp_seconds",
        "gauge",
        "The stamp of this log's newest line since the start.",
        ("log",),
    ),
    Family(
        "mxheed_log_source_info",
        "gauge",
        "Always 1; the labels tell what kind of log this is and how its lines are framed.",
        ("log", "kind", "frame"),
    ),
    Family(
        "mxheed_log_source_lines_total",
        "counter",
        "Lines read of this log.",
        ("log",),
    ),
    Family(
        "mxheed_log_source_deliveries_total",
        "counter",
        "Recipients whose attempts this log told of.",
        ("log",),
    ),
    Family(
        "mxheed_own_deliveries_total",
        "counter",
        "Recipients of this machine's own mail whose attempts were told of.",
    ),
    Family(
        "mxheed_log_source_unparsed_total",
        "counter",
        "Lines of this log that look like a delivery and could not be read.",
        ("log",),
    ),
    Family(
        "mxheed_host_deliveries_total",
        "counter",
        "Recipients by the machine that sent the mail and by how the attempt ended; only where "
        "log.hosts is label.",
        ("host", "outcome"),
    ),
    Family("mxheed_rules_loaded", "gauge", "Rules in use."),
    Family(
        "mxheed_classifier_lookups_total",
        "counter",
        "Replies judged, by whether the verdict came from the cache.",
        ("cache",),
    ),
    Family(
        "mxheed_config_last_reload_successful",
        "gauge",
        "1 if the newest configuration is in use, 0 if it was refused.",
    ),
    Family(
        "mxheed_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration in use was loaded.",
    ),
    Family(
        "mxheed_socketmap_answers_total",
        "counter",
        "Answers given to Postfix's table look-ups.",
        ("map", "answer"),
    ),
    Family(
        "mxheed_policy_answers_total",
        "counter",
        "Answers given to policy requests.",
        ("action",),
    ),
    Family(
        "mxheed_hook_asked_timestamp_seconds",
        "gauge",
        "When the MTA asked a hook last; no sample before it ever did.",
        ("hook",),
    ),
    Family(
        "mxheed_hook_answer_seconds",
        "histogram",
        "How long the MTA waited for answers; those of the map mx include waiting at the door.",
        ("hook",),
        ANSWER_BOUNDS,
    ),
    Family(
        "mxheed_server_errors_total",
        "counter",
        "Requests that got the safe answer because they could not be understood or handled.",
        ("service",),
    ),
    Family(
        "mxheed_mx_lookups_total",
        "counter",
        "MX look-ups in the background, by result.",
        ("result",),
    ),
    *PACING,
)


class Metrics(Exposition):
    """The /metrics page: the families of the table, and process figures by prometheus-client."""

    def __init__(self) -> None:
        super().__init__(TABLE)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        GCCollector(registry=self._process)

    def steps(self) -> Steps[list[bytes]]:
        """The whole page."""
        page = yield from super().steps()
        return [*page, generate_latest(self._process)]
