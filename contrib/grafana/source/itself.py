"""mxheed itself, one machine (or a few): what it reads, answers, releases and keeps."""

from __future__ import annotations

from contrib.grafana.source import panels as p
from contrib.grafana.source.pages import PAGE, choice, dashboard, notes, row
from contrib.grafana.source.queries import Chosen, each, share, top

HERE = Chosen(('instance=~"$instance"',))
EACH = "{{instance}}"
HOOKS, CACHE = "mxheed_hook_answer_seconds", "mxheed_classifier_lookups_total"
HOSTS = "mxheed_host_deliveries_total"
OURS, LOGS = "and on (instance) mxheed_build_info", "instance, log"


def _behind(expression: str) -> str:
    """Of the logs that are behind most."""
    return top(expression, HERE.max("mxheed_log_behind_bytes", LOGS), LOGS, 30)


READS = row(
    "What it reads",
    p.lines("Log lines", "Lines read, a second.", "short",
            (EACH, each(HERE.rate("mxheed_log_lines_total", "instance")))),
    p.lines("Age of the newest line", "Of lines that tell of our own mail.", "s",
            (EACH, HERE.age("mxheed_log_last_line_timestamp_seconds", "instance"))),
    p.lines("Unparsed, undated, lost", "Delivery lines that could not be read and lines without a "
            "time, a minute; bytes lost before they were read, a second.", "short",
            ("unparsed", f"60 * {HERE.rate('mxheed_log_unparsed_total')}"),
            ("undated", f"60 * {HERE.rate('mxheed_log_undated_total')}"),
            ("bytes lost", HERE.rate("mxheed_log_gap_bytes_total")),
            ("seconds the log's clock is behind",
             f"max (abs({HERE.now('mxheed_log_clock_offset_seconds')}))")),
    p.table("Logs", "How each log is read: the thirty that are behind most.",
            ["instance", "log", "kind", "frame"], {
        "behind": ("bytes", _behind(HERE.max("mxheed_log_behind_bytes", LOGS))),
        "readable": ("none", _behind(HERE.min("mxheed_log_readable", LOGS))),
        "newest line": ("s", _behind(
            f"time() - {HERE.max('mxheed_log_newest_line_timestamp_seconds', LOGS)}")),
        "lines": ("short", _behind(HERE.max("mxheed_log_source_lines_total", LOGS))),
        "deliveries": ("short", _behind(HERE.max("mxheed_log_source_deliveries_total", LOGS))),
        "unparsed": ("short", _behind(HERE.max("mxheed_log_source_unparsed_total", LOGS))),
        "kinds": ("none", _behind(HERE.max("mxheed_log_source_info", f"{LOGS}, kind, frame"))),
    }, {"readable": {"no": "red", "yes": "green"}}, hidden=["kinds"]),
    p.lines("Own mail seen", "Recipients of each machine's own mail whose attempts its log told "
            "of, a minute.", "short",
            (EACH, each("60 * " + HERE.rate("mxheed_own_deliveries_total", "instance")))),
    p.lines("Recipients by machine", "Where logs of several machines are read and told apart: "
            "recipients per minute by who sent the mail; the thirty with most.", "short",
            ("{{host}} {{outcome}}",
             top("60 * " + HERE.rate(HOSTS, "host, outcome"), HERE.total(HOSTS, "host, outcome"),
                 "host, outcome", 30))),
)  # fmt: skip

ANSWERS = row(
    "What it answers",
    p.lines("Table look-ups", "Answers to Postfix a second, by map and the answer's first word.",
            "short",
            ("{{map}} {{answer}}",
             each(HERE.rate("mxheed_socketmap_answers_total", "map, answer")))),
    p.lines("Policy requests", "Answers a second, by the action's first word.", "short",
            ("{{action}}", each(HERE.rate("mxheed_policy_answers_total", "action")))),
    p.lines("Time to an answer, 99 % within", "Postfix waits so long; that of the map mx includes "
            "waiting at the door.", "s", ("{{hook}}", HERE.quantile(0.99, HOOKS, "hook"))),
    p.lines("Time to an answer, mean", "Postfix waits so long on average.", "s",
            ("{{hook}}",
             share(HERE.rate(f"{HOOKS}_sum", "hook"), HERE.rate(f"{HOOKS}_count", "hook")))),
    p.lines("Hooks asked last", "How long ago; one that is silent while mail flows is not asked "
            "any more.", "s",
            ("{{instance}} {{hook}}",
             HERE.age("mxheed_hook_asked_timestamp_seconds", "instance, hook"))),
    p.lines("Safe answers", "Requests a second that could not be understood or handled and got the "
            "safe answer; and whether every answer is the safe one.", "short",
            ("{{service}}", HERE.rate("mxheed_server_errors_total", "service")),
            ("{{instance}} gives only safe answers",
             f"topk(20, {HERE.max('mxheed_hooks_safe', 'instance')})")),
    p.states("Mode", "On; or shadow, off or safe, in which nothing is held.", p.MODES,
             (EACH, each(" or ".join(
                 f"{number} * ({HERE.max('mxheed_mode', 'instance', mode=mode)} == 1)"
                 for number, mode in enumerate(p.MODES))))),
)  # fmt: skip

HOLDS = row(
    "What it holds and lets go",
    p.lines("Gate", "Attempts a second that the gate decided on, and questions it could not read.",
            "short",
            ("{{decision}}", HERE.rate("mxheed_gate_attempts_total", "decision"))),
    p.lines("Door", "Attempts that wait at the door, how their waiting ended (a second), and how "
            "many waited on average.", "short",
            ("waiting now", HERE.sum("mxheed_door_waiting")),
            ("ended: {{result}}", HERE.rate("mxheed_door_waited_total", "result")),
            ("waiting on average", HERE.rate("mxheed_door_waited_seconds_total"))),
    p.lines("Released", "Messages let go a second, readings of the queue, and what they added and "
            "dropped.", "short",
            ("{{result}}", HERE.rate("mxheed_releases_total", "result"))),
    p.lines("Ways to release", "Requests to Postfix a second by the way they took; attempts that "
            "began where places were promised, by who asked.", "short",
            ("by {{way}}", HERE.rate("mxheed_release_requests_total", "way")),
            ("promised, asked by {{by}}", HERE.rate("mxheed_promises_asked_total", "by")),
            ("a sender blamed, asked by {{by}}", HERE.rate("mxheed_senders_asked_total", "by"))),
    p.lines("Senders' domains blamed", "Each is paced in a lane of its own at that receiver.",
            "short",
            (EACH, each(HERE.sum("mxheed_sender_lanes", "instance")))),
    p.states("Releases work", "Whether held messages can be let go.", {"no": "red", "yes": "green"},
             (EACH, each(HERE.min("mxheed_release_working", "instance"))), width=12),
)  # fmt: skip

KEEPS = row(
    "What it keeps",
    p.lines("State file", "The file, the log beside it, and what it may take.", "bytes",
            ("{{instance}} {{file}}",
             f"topk(20, {HERE.max('mxheed_state_bytes', 'instance, file')})"),
            ("limit", HERE.max("mxheed_state_limit_bytes"))),
    p.states("State is written", "Whether the last commit could be written; if not, a restart "
             "forgets what is new.", {"no": "red", "yes": "green"},
             (EACH, each(HERE.min("mxheed_state_writable", "instance"))), width=12),
    p.lines("Damaged and left out", "Entries of the state file that could not be read; what the "
            "memory had no room for.", "short",
            ("damaged", HERE.sum("mxheed_state_damaged_total")),
            ("left out: {{what}}", HERE.sum("mxheed_memory_left_out_total", "what"))),
    p.lines("MX look-ups", "Who is behind a domain: look-ups a second by result.", "short",
            ("{{result}}", HERE.rate("mxheed_mx_lookups_total", "result"))),
    p.lines("Verdicts from the cache", "Share of replies whose verdict was known already.",
            "percentunit",
            (EACH, each(share(HERE.rate(CACHE, "instance", cache="hit|alike"),
                              HERE.rate(CACHE, "instance")))), most=1),
    p.lines("Memory", "Resident memory of the process.", "bytes",
            (EACH, each(f"{HERE.now('process_resident_memory_bytes')} {OURS}"))),
    p.lines("Processor", "Share of one core.", "percentunit",
            (EACH, each(f"{HERE.rate('process_cpu_seconds_total', 'instance')} {OURS}"))),
)  # fmt: skip

DASHBOARD = dashboard(
    "mxheed-itself",
    "Whether mxheed itself does its work: what it reads, answers, lets go and keeps.",
    [choice("instance", "Machine", "label_values(mxheed_build_info, instance)"), PAGE],
    notes(HERE),
    READS, ANSWERS, HOLDS, KEEPS,
)  # fmt: skip
