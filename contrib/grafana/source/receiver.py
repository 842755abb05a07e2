"""One receiver (or a few, one row of panels each): everything that is known of it."""

from __future__ import annotations

from contrib.grafana.source import panels as p
from contrib.grafana.source.overview import DELAY, MAIL, OLDEST, REFUSED, REPLIES, STATE
from contrib.grafana.source.pages import PAGE, choice, dashboard, notes, row
from contrib.grafana.source.queries import ATTEMPTS, Chosen, share

ONE = Chosen(('instance=~"$instance"', 'receiver=~"$receiver"'))
MACHINES = Chosen(('instance=~"$instance"',))
LANE = "{{instance}} {{pool}}"
LANES = "instance, pool"


def _share(outcome: str) -> str:
    return share(*(ONE.rate(MAIL, "receiver", outcome=o) for o in (outcome, ATTEMPTS)))


def _lane(metric: str) -> str:
    """Its lanes on all machines; the thirty with the highest values."""
    return f"topk(30, {ONE.max(metric, LANES)})"


def _stands() -> str:
    worst = " or ".join(
        f"{number} * ({ONE.max(STATE, LANES, state=state)} == 1)"
        for number, state in ((3, "suspended"), (2, "probing"), (1, "slowed"))
    )
    return f"topk(30, {worst} or 0 * {ONE.max(STATE, LANES, state='free')})"


DASHBOARD = dashboard(
    "mxheed-receiver",
    "What one receiver does with our mail, what it says, and what mxheed does about it.",
    [
        choice("instance", "Machine", "label_values(mxheed_build_info, instance)"),
        choice("receiver", "Receiver", f'label_values({MAIL}{{instance=~"$instance"}}, receiver)',
               everything=False),
        PAGE,
    ],
    notes(MACHINES, ONE),
    row(
        "$receiver",
        p.number("Deferred", "Share of its attempts that were deferred.", "percentunit",
                 _share("deferred"), [("green", None), ("yellow", 0.1), ("red", 0.3)], 3),
        p.number("Rejected", "Share of its attempts that were rejected.", "percentunit",
                 _share("bounced"), [("green", None), ("yellow", 0.02), ("red", 0.05)], 3),
        p.number("Accepted", "Recipients whose mail was accepted, per minute.", "short",
                 f"60 * {ONE.rate(MAIL, 'receiver', outcome='sent')}", width=3),
        p.word("Health", "How it takes our mail: by the share it refuses, beside its share "
               "before.", p.HEALTHS, ONE.max("mxheed_receiver_health"), 3),
        p.number("Held by us", "Parts of messages that mxheed holds for it.", "short",
                 ONE.sum("mxheed_throttle_held"), width=3),
        p.number("Oldest held", "How long the oldest of them waits.", "s",
                 f"time() - {ONE.min(OLDEST)} or vector(0)",
                 [("green", None), ("yellow", 3600), ("red", 14400)], 3),
        p.number("Against a week ago", "Share refused in the last hour, less the same a week "
                 "before, on the machine where it grew most.", "percentunit",
                 f"max ({ONE.now('mxheed:refused:growth1w')})",
                 [("green", None), ("yellow", 0.1), ("red", 0.2)], 3),
        p.number("Recipients a message", "How many it takes in one message, as learnt from its "
                 "replies; a dash: no limit is known.", "short",
                 ONE.min("mxheed_receiver_recipient_limit"), width=3),
        p.lines("Outcomes", "Recipients per minute by how the attempt ended.", "short",
                ("{{outcome}}", f"60 * {ONE.rate(MAIL, 'outcome')}"), stacked=True),
        p.lines("Refused on each machine", "Share of attempts that were refused, for now or for "
                "good.", "percentunit",
                ("{{instance}}", "topk(30, " + share(
                    ONE.rate(MAIL, "instance", outcome="deferred|bounced"),
                    ONE.rate(MAIL, "instance", outcome=ATTEMPTS)) + ")"), most=1),
        p.states("State", "What each machine does about it, by pool of source addresses.",
                 p.STATES, (LANE, _stands())),
        p.lines("Refusals by category", "Refusals per minute by what they mean.", "short",
                ("{{category}}",
                 f"topk(15, 60 * {ONE.rate(REPLIES, 'category', category=REFUSED)} > 0)")),
        p.lines("Refusals by stage", "Refusals per minute by the stage of the dialogue.", "short",
                ("{{stage}}", f"60 * {ONE.rate(REPLIES, 'stage', category=REFUSED)}")),
        p.lines("Delay", "From arrival to the end of the attempt: half, and 95 %, within.", "s",
                ("half within", ONE.quantile(0.5, DELAY, "", part="total")),
                ("95 % within", ONE.quantile(0.95, DELAY, "", part="total"))),
        p.lines("Where the time goes", "Mean delay by part of the way.", "s",
                ("{{part}}", share(ONE.rate(f"{DELAY}_sum", "part", part="!total"),
                                   ONE.rate(f"{DELAY}_count", "part", part="!total")))),
        p.lines("Rate it is given", "Attempts per minute that a slowed lane gets; no line while "
                "it is free.", "short", (LANE, f"60 * {_lane('mxheed_throttle_rate')}")),
        p.lines("Attempts at a time", "In flight on all machines, and how many may be.", "short",
                ("in flight", ONE.sum("mxheed_throttle_in_flight")),
                ("window", ONE.sum("mxheed_throttle_window"))),
        p.lines("Whose word was enough", "Refusals per minute that speak of the lane; those that "
                "nobody confirmed; domains that accuse it, and domains that wait by themselves.",
                "short",
                ("refusals", f"60 * {ONE.rate('mxheed_throttle_refusals_total', 'receiver')}"),
                ("unconfirmed", f"60 * "
                                f"{ONE.rate('mxheed_throttle_unconfirmed_total', 'receiver')}"),
                ("witnesses", ONE.sum("mxheed_throttle_witnesses")),
                ("domains alone", ONE.sum("mxheed_throttle_domains_alone"))),
        p.lines("Times it spoke", "Replies per minute that name a time, and what came of the next "
                "attempt: early (before that time), right (accepted) or wrong (refused again).",
                "short", ("{{result}}", f"60 * {ONE.rate('mxheed_hints_total', 'result')}")),
        p.lines("Changes of state", "How often each state was entered.", "short",
                ("{{state}}", "sum by (state) (increase("
                 + ONE.now("mxheed_throttle_changes_total") + "[$__rate_interval]))")),
        p.table("Lanes that are not free", "When the next try is, since when it is in trouble, and "
                "until when an operator's word holds it.", ["instance", "pool"], {
                    "in trouble for": ("s", "topk(30, time() - " + ONE.max(
                        "mxheed_throttle_trouble_timestamp_seconds", LANES) + ")"),
                    "next try in": ("s", "topk(30, " + ONE.max(
                        "mxheed_throttle_until_timestamp_seconds", LANES) + " - time())"),
                    "pinned for": ("s", "topk(30, " + ONE.max(
                        "mxheed_throttle_pinned_until_timestamp_seconds", LANES) + " - time())"),
                }, width=12),
        repeat="receiver",
    ),
)  # fmt: skip
