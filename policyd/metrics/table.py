"""Every metric of mxheed in one table: names, kinds, help texts, labels.

Contract: `TABLE` is the only place where a metric gets its name; docs/metrics.md, the dashboard and
the alert rules are tested against it. Labels are bounded: receivers are those of the counters
(the busiest and "other"), all other labels have closed sets of values. Failure: none.
Length: it is one table.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest

from policyd.counting.histogram import DELAY_BOUNDS
from policyd.counting.receivercounts import DELAY_PARTS
from policyd.metrics.exposition import CONTENT_TYPE, Exposition, Family
from policyd.serve.session import ANSWER_BOUNDS
from policyd.serve.turns import Steps

__all__ = ["CONTENT_TYPE", "DELAY_BOUNDS", "DELAY_PARTS", "STATES", "TABLE", "Metrics"]

STATES = ("free", "slowed", "suspended", "probing")

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
        "mxheed_delivery_delay_seconds",
        "histogram",
        "How long deliveries took, by part of the way.",
        ("receiver", "part"),
        DELAY_BOUNDS,
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
        "mxheed_throttle_state",
        "gauge",
        "1 for the state a receiver is in, 0 for the others.",
        ("receiver", "pool", "state"),
    ),
    Family(
        "mxheed_throttle_rate",
        "gauge",
        "Attempts a second a slowed receiver may get; no sample while it is free.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_window",
        "gauge",
        "Attempts that may be in flight at once.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_in_flight",
        "gauge",
        "Attempts in flight.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_until_timestamp_seconds",
        "gauge",
        "When a suspended receiver is probed again.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_changes_total",
        "counter",
        "How often a state was entered.",
        ("receiver", "pool", "state"),
    ),
    Family(
        "mxheed_receiver_recipient_limit",
        "gauge",
        "Recipients per message a receiver takes, as learnt from its replies.",
        ("receiver",),
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
        "mxheed_mode",
        "gauge",
        "1 for what is done about the states: on, or shadow, off, safe, in which nothing is held.",
        ("mode",),
    ),
    Family(
        "mxheed_throttle_trouble_timestamp_seconds",
        "gauge",
        "When a receiver that is not free was free last.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_pinned_until_timestamp_seconds",
        "gauge",
        "Until when an operator's word holds a receiver in its state.",
        ("receiver", "pool"),
    ),
    Family("mxheed_held_messages", "gauge", "Messages that wait because mxheed holds them."),
    Family(
        "mxheed_deferred_messages",
        "gauge",
        "Messages that wait because a receiver deferred them, as far as mxheed minds their time.",
    ),
    Family(
        "mxheed_throttle_held",
        "gauge",
        "Parts of messages that mxheed holds for a receiver.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_held_oldest_timestamp_seconds",
        "gauge",
        "Since when the oldest part that mxheed holds for a receiver waits.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_gate_attempts_total",
        "counter",
        "Attempts to deliver that the gate decided on, and questions it could not read.",
        ("decision",),
    ),
    Family("mxheed_door_waiting", "gauge", "Attempts that wait at the door for their turn."),
    Family(
        "mxheed_door_waited_total",
        "counter",
        "Attempts that waited at the door, by how that ended.",
        ("result",),
    ),
    Family(
        "mxheed_door_waited_seconds_total",
        "counter",
        "Seconds that attempts have waited at the door, all together.",
    ),
    Family(
        "mxheed_releases_total",
        "counter",
        "Messages let go, by how it went.",
        ("result",),
    ),
    Family(
        "mxheed_promises_asked_total",
        "counter",
        "Attempts that began where places were promised, by how it was known to whom.",
        ("by",),
    ),
    Family(
        "mxheed_release_requests_total",
        "counter",
        "Requests to Postfix to let a message go, by the way they took.",
        ("way",),
    ),
    Family(
        "mxheed_release_working",
        "gauge",
        "1 if held messages can be let go, 0 if not; absent while there is nothing to hold.",
    ),
    Family(
        "mxheed_mx_lookups_total",
        "counter",
        "MX look-ups in the background, by result.",
        ("result",),
    ),
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
