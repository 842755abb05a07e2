"""The fleet: all machines side by side, and what one of them sees that the others do not."""

from __future__ import annotations

from contrib.grafana.source import panels as p
from contrib.grafana.source.overview import MAIL, STATE
from contrib.grafana.source.pages import PAGE, choice, dashboard, notes, row
from contrib.grafana.source.queries import ATTEMPTS, Chosen, each, share, top

HERE = Chosen(('instance=~"$instance"',))
EACH, STOPPED = "{{instance}}", "suspended|probing"


def _share(outcome: str, by: str) -> str:
    return share(*(HERE.rate(MAIL, by, outcome=o) for o in (outcome, ATTEMPTS)))


def _without(metric: str) -> str:
    """How many are 0."""
    return f"count ({HERE.now(metric)} == 0) or vector(0)"


def _apart() -> str:
    """How much more the machine that is refused most is refused than the one that is least."""
    refused = f"({_share('deferred|bounced', 'instance, receiver')})"
    apart = f"max by (receiver) {refused} - min by (receiver) {refused}"
    return top(apart, HERE.total(MAIL, "receiver", outcome="deferred|bounced"))


DASHBOARD = dashboard(
    "mxheed-fleet",
    "All machines side by side: who is refused more than the others, and who is not well.",
    [choice("instance", "Machine", "label_values(mxheed_build_info, instance)"), PAGE],
    notes(HERE),
    row(
        "Machines",
        p.number("Machines", "That answer Prometheus.", "short",
                 f"count ({HERE.now('mxheed_build_info')})"),
        p.number("Down", "That do not answer Prometheus.", "short",
                 'count (up{job="mxheed",instance=~"$instance"} == 0) or vector(0)',
                 [("green", None), ("red", 1)]),
        p.number("Not pacing", "Whose mode is not on: shadow, off or safe.", "short",
                 f"sum ({HERE.now('mxheed_mode', mode='!on')})", [("green", None), ("yellow", 1)]),
        p.number("Versions", "More than one: an update is not finished.", "short",
                 f"count (count by (version) ({HERE.now('mxheed_build_info')}))",
                 [("green", None), ("yellow", 2)]),
        p.number("Configurations refused", "Machines that keep an old configuration, for the "
                 "newest has mistakes.", "short",
                 _without("mxheed_config_last_reload_successful"), [("green", None), ("red", 1)]),
        p.number("Logs not readable", "On all machines together.", "short",
                 _without("mxheed_log_readable"), [("green", None), ("red", 1)]),
        p.table("Machines now", "The thirty with most mail first.", ["instance", "version"], {
            "accepted a minute": ("short", each("60 * " + HERE.rate(MAIL, "instance",
                                                                    outcome="sent"))),
            "deferred": ("percentunit", each(_share("deferred", "instance"))),
            "rejected": ("percentunit", each(_share("bounced", "instance"))),
            "lanes not free": ("short", each(HERE.sum(STATE, "instance", state="!free"))),
            "held": ("short", each(HERE.max("mxheed_held_messages", "instance"))),
            "log line": ("s", HERE.age("mxheed_log_last_line_timestamp_seconds", "instance")),
            "rules": ("short", each(HERE.max("mxheed_rules_loaded", "instance"))),
            "configured": ("s", HERE.age("mxheed_config_last_reload_success_timestamp_seconds",
                                         "instance")),
            "builds": ("none", each(HERE.max("mxheed_build_info", "instance, version"))),
        }, {
            "deferred": [("transparent", None), ("yellow", 0.1), ("red", 0.3)],
            "rejected": [("transparent", None), ("yellow", 0.02), ("red", 0.05)],
            "log line": [("transparent", None), ("yellow", 900), ("red", 3600)],
        }, hidden=["builds"]),
    ),
    row(
        "Side by side",
        p.lines("Deferral share", "Of all attempts of a machine.", "percentunit",
                (EACH, each(_share("deferred", "instance"))), most=1),
        p.lines("Rejection share", "Of all attempts of a machine.", "percentunit",
                (EACH, each(_share("bounced", "instance"))), most=1),
        p.lines("Accepted", "Recipients per minute.", "short",
                (EACH, each(f"60 * {HERE.rate(MAIL, 'instance', outcome='sent')}")), stacked=True),
        p.lines("Held by mxheed", "Messages of which a part is held.", "short",
                (EACH, each(HERE.max("mxheed_held_messages", "instance"))), stacked=True),
        p.lines("Lanes not free", "Slowed, probing or suspended.", "short",
                (EACH, each(HERE.sum(STATE, "instance", state="!free"))), stacked=True),
        p.lines("Receivers in bad health", "As each machine sees them.", "short",
                (EACH, each(f"count by (instance) ({HERE.now('mxheed_receiver_health')} == 2)"))),
    ),
    row(
        "What one sees and others do not",
        p.lines("Refused here, accepted there", "Between the machine that a receiver refuses most "
                "and the one it refuses least: the difference of the shares, at the ten receivers "
                "that refuse most.", "percentunit", ("{{receiver}}", _apart()), most=1),
        p.lines("Suspended on how many machines", "The twenty receivers that most machines "
                "suspend or probe.", "short",
                ("{{receiver}}", top(HERE.sum(STATE, "receiver", state=STOPPED),
                                     f"({HERE.most(STATE, 'receiver', state=STOPPED)} > 0)",
                                     most=20))),
    ),
)  # fmt: skip
