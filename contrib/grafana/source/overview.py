"""Overview: who defers and rejects our mail, why, how long it takes, and what is done about it."""

from __future__ import annotations

from contrib.grafana.source import panels as p
from contrib.grafana.source.pages import PAGE, choice, dashboard, notes, row
from contrib.grafana.source.queries import ATTEMPTS, Chosen, share, top

HERE = Chosen(('instance=~"$instance"', 'receiver=~"$receiver"'))
MACHINES = Chosen(('instance=~"$instance"',))
MAIL, REPLIES = "mxheed_deliveries_total", "mxheed_replies_total"
DELAY, STATE = "mxheed_delivery_delay_seconds", "mxheed_throttle_state"
OLDEST = "mxheed_throttle_held_oldest_timestamp_seconds"
REFUSED = "!accepted"
BY = "{{receiver}}"


def _all(outcome: str) -> str:
    """The share of all attempts that ended so."""
    mail = HERE.now(MAIL, outcome=outcome), HERE.now(MAIL, outcome=ATTEMPTS)
    return share(*(f"sum (rate({one}[$__rate_interval]))" for one in mail))


def _each(outcome: str) -> str:
    """The share of each receiver's attempts that ended so: of those with most such ends."""
    part, whole = (HERE.rate(MAIL, "receiver", outcome=o) for o in (outcome, ATTEMPTS))
    return top(share(part, whole), HERE.total(MAIL, "receiver", outcome=outcome))


def _of_range(outcome: str) -> str:
    return share(*(HERE.total(MAIL, "receiver", outcome=o) for o in (outcome, ATTEMPTS)))


def _ranked(expression: str) -> str:
    """Of the receivers with most mail."""
    return top(expression, HERE.total(MAIL, "receiver", outcome=ATTEMPTS), most=30)


def _stands() -> str:
    """0 free, 1 slowed, 2 probing, 3 suspended, 4 pinned, of lanes that were not free all along."""
    worst = " or ".join(
        f"{number} * ({HERE.max(STATE, 'receiver, pool', state=state)} == 1)"
        for number, state in ((3, "suspended"), (2, "probing"), (1, "slowed"))
    )
    pinned = HERE.max("mxheed_throttle_pinned_until_timestamp_seconds", "receiver, pool")
    free = f"0 * {HERE.max(STATE, 'receiver, pool', state='free')}"
    troubled = HERE.total("mxheed_throttle_changes_total", "receiver, pool", state="!free")
    troubled += " + " + HERE.most(STATE, "receiver, pool", state="!free")
    return top(f"4 * ({pinned} > bool 0) or {worst} or {free}", f"({troubled} > 0)",
               "receiver, pool", 25)  # fmt: skip


GLANCE = row(
    "At a glance",
    p.number("Deferred", "Share of delivery attempts that were refused for now.", "percentunit",
             _all("deferred"), [("green", None), ("yellow", 0.1), ("red", 0.3)]),
    p.number("Rejected", "Share of delivery attempts that were refused for good.", "percentunit",
             _all("bounced"), [("green", None), ("yellow", 0.02), ("red", 0.05)]),
    p.number("Accepted", "Recipients whose mail was accepted, per minute.", "short",
             f"60 * sum (rate({HERE.now(MAIL, outcome='sent')}[$__rate_interval]))"),
    p.number("Receivers not free", "Receivers that a machine slows, suspends or probes now.",
             "short", f"count ({HERE.max(STATE, 'receiver', state='!free')} == 1) or vector(0)",
             [("green", None), ("yellow", 1)]),
    p.number("Receivers in bad health", "They refuse more than half for now, or a fifth for good; "
             "twice as much as before counts, too.", "short",
             f"count ({HERE.max('mxheed_receiver_health', 'receiver')} == 2) or vector(0)",
             [("green", None), ("red", 1)]),
    p.number("Unclassified", "Share of refusals that no rule knows.", "percentunit",
             share(HERE.rate("mxheed_replies_unclassified_total"),
                   f"sum (rate({HERE.now(REPLIES, category=REFUSED)}[$__rate_interval]))"),
             [("green", None), ("yellow", 0.1), ("red", 0.3)]),
    p.number("Held by us", "Messages of which a part waits because mxheed holds it.", "short",
             MACHINES.sum("mxheed_held_messages")),
    p.number("Deferred by them", "Messages that wait because a receiver deferred them, as far as "
             "mxheed minds their time; the MTA's queue may have more.", "short",
             MACHINES.sum("mxheed_deferred_messages")),
    p.number("Oldest held", "How long the oldest message waits that mxheed holds.", "s",
             f"time() - {HERE.min(OLDEST)} or vector(0)",
             [("green", None), ("yellow", 3600), ("red", 14400)]),
    p.number("Machines not pacing", "Machines whose mode is not on: shadow, off or safe. Their "
             "states have no effect.", "short",
             f"sum ({MACHINES.now('mxheed_mode', mode='!on')})", [("green", None), ("yellow", 1)]),
    p.number("Postfix asked last", "How long ago the gate was asked. Where nobody asks, nothing "
             "is paced, whatever is shown.", "s",
             f"time() - {MACHINES.max('mxheed_hook_asked_timestamp_seconds', hook='mx')}",
             [("green", None), ("yellow", 900), ("red", 3600)]),
    p.number("Newest log line", "Age of the newest line that told of our own mail, on the machine "
             "where it is oldest.", "s",
             f"time() - {MACHINES.min('mxheed_log_last_line_timestamp_seconds')}",
             [("green", None), ("yellow", 900), ("red", 3600)]),
)  # fmt: skip

WHO = row(
    "Who",
    p.lines("Deferral share", "Share of attempts that were deferred, at the ten receivers that "
            "deferred most.", "percentunit", (BY, _each("deferred")), most=1),
    p.lines("Rejection share", "Share of attempts that were rejected, at the ten receivers that "
            "rejected most.", "percentunit", (BY, _each("bounced")), most=1),
    p.table("Receivers", "The thirty with most mail in the range that is shown. Health is what "
            "they do, state what mxheed does.", ["receiver"], {
                "attempts": ("short", _ranked(HERE.total(MAIL, "receiver", outcome=ATTEMPTS))),
                "deferred": ("percentunit", _ranked(_of_range("deferred"))),
                "rejected": ("percentunit", _ranked(_of_range("bounced"))),
                "health": ("none", _ranked(HERE.max("mxheed_receiver_health", "receiver"))),
                "held": ("short", _ranked(HERE.sum("mxheed_throttle_held", "receiver"))),
                "95 % within": ("s", _ranked(
                    "histogram_quantile(0.95, "
                    + HERE.total(f"{DELAY}_bucket", "receiver, le", part="total") + ")")),
            }, {
                "deferred": [("transparent", None), ("yellow", 0.1), ("red", 0.3)],
                "rejected": [("transparent", None), ("yellow", 0.02), ("red", 0.05)],
                "health": p.HEALTHS,
            }),
    p.lines("More refused than a week ago", "Share of attempts refused in the last hour, less the "
            "same a week before, where it grew most.", "percentunit",
            (BY, "topk(10, mxheed:refused:growth1w > 0)")),
    p.states("Health", "Poor and bad receivers, as each machine sees them at worst.", p.HEALTHS,
             (BY, top(HERE.max("mxheed_receiver_health", "receiver"),
                      "(" + HERE.most("mxheed_receiver_health", "receiver") + " > 0)", most=20)),
             width=12),
)  # fmt: skip

WHY = row(
    "Why",
    p.lines("Refusals by category", "Refusals per minute by what they mean; the twelve most "
            "frequent.", "short",
            ("{{category}}", top(f"60 * {HERE.rate(REPLIES, 'category', category=REFUSED)}",
                                 HERE.total(REPLIES, "category", category=REFUSED), "category",
                                 12))),
    p.bars("Biggest reasons", "Refusals in the range that is shown, by receiver and category.",
           "short", ("{{receiver}} · {{category}}",
                     f"topk(15, {HERE.total(REPLIES, 'receiver, category', category=REFUSED)})")),
    p.lines("Refusals by stage", "Refusals per minute by the stage of the dialogue in which they "
            "came.", "short", ("{{stage}}", f"60 * "
                                            f"{HERE.rate(REPLIES, 'stage', category=REFUSED)}")),
    p.lines("Unclassified refusals", "Refusals per minute that no rule knows, at the ten receivers "
            "with most of them. `mxheed report` groups their texts.", "short",
            (BY, top(f"60 * {HERE.rate('mxheed_replies_unclassified_total', 'receiver')}",
                     HERE.total("mxheed_replies_unclassified_total", "receiver")))),
    p.lines("New words", "Replies of the last hour with texts that were heard for the first time "
            "then, at the ten receivers with most. `mxheed history` shows them.", "short",
            (BY, top(HERE.sum("mxheed_new_replies", "receiver"),
                     HERE.most("mxheed_new_replies", "receiver"))), width=24),
)  # fmt: skip

HOW_LONG = row(
    "How long",
    p.lines("Delay, 95 % within", "From arrival to the end of the attempt, at the ten receivers "
            "with most mail.", "s",
            (BY, top(HERE.quantile(0.95, DELAY, "receiver", part="total"),
                     HERE.total(MAIL, "receiver", outcome=ATTEMPTS)))),
    p.lines("Where the time goes", "Mean delay by part of the way.", "s",
            ("{{part}}", share(HERE.rate(f"{DELAY}_sum", "part", part="!total"),
                               HERE.rate(f"{DELAY}_count", "part", part="!total")))),
    p.lines("Held", "Parts of messages that mxheed holds, for the ten receivers with most.",
            "short", (BY, top(HERE.sum("mxheed_throttle_held", "receiver"),
                              HERE.most("mxheed_throttle_held", "receiver"))), stacked=True),
    p.lines("Oldest held", "How long the oldest held part waits, for the ten receivers with most.",
            "s", (BY, top(f"time() - {HERE.min(OLDEST, 'receiver')}",
                          HERE.most("mxheed_throttle_held", "receiver")))),
)  # fmt: skip

PACING = row(
    "Pacing",
    p.states("Not free", "The 25 lanes with most trouble in the range that is shown; "
             "those that were free all along are left out.", p.STATES,
             ("{{receiver}} {{pool}}", _stands())),
    p.lines("Times spoken by receivers", "Replies that name a time, and what came of the next "
            "attempt, per minute: early, right or wrong.", "short",
            ("{{result}}", f"60 * {HERE.rate('mxheed_hints_total', 'result')}")),
    p.lines("Refusals confirmed and not", "Refusals per minute that speak of a lane, and those of "
            "them that nobody confirmed.", "short",
            ("all", f"60 * sum (rate({HERE.now('mxheed_throttle_refusals_total')}"
             "[$__rate_interval]))"),
            ("unconfirmed", f"60 * sum (rate({HERE.now('mxheed_throttle_unconfirmed_total')}"
             "[$__rate_interval]))")),
)  # fmt: skip

DASHBOARD = dashboard(
    "mxheed",
    "Who defers and rejects our mail, why, how long it takes, and what mxheed does about it.",
    [
        choice("instance", "Machine", "label_values(mxheed_build_info, instance)"),
        choice("receiver", "Receiver", f'label_values({MAIL}{{instance=~"$instance"}}, receiver)'),
        PAGE,
    ],
    notes(MACHINES),
    GLANCE, WHO, WHY, HOW_LONG, PACING,
)  # fmt: skip
