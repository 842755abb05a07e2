"""The metrics about pacing: lanes, what is held, the gate, its door, and what is let go.

Contract: a part of `policyd.metrics.table.TABLE`. Failure: none.
"""

from __future__ import annotations

from policyd.metrics.exposition import Family

__all__ = ["PACING", "STATES"]

STATES = ("free", "slowed", "suspended", "probing")

PACING: tuple[Family, ...] = (
    Family(
        "mxheed_hints_total",
        "counter",
        "Replies that name a time, and the next attempt of that message: early, or then accepted "
        "(right) or refused again (wrong).",
        ("receiver", "result"),
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
        "mxheed_throttle_refusals_total",
        "counter",
        "Refusals that speak of the lane, confirmed or not.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_unconfirmed_total",
        "counter",
        "Refusals that nobody confirmed: they slowed only what they concern.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_witnesses",
        "gauge",
        "Recipient domains that accuse the lane at the moment; no sample while none does.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_throttle_domains_alone",
        "gauge",
        "Recipient domains that wait by themselves; no sample where none ever did.",
        ("receiver", "pool"),
    ),
    Family(
        "mxheed_receiver_recipient_limit",
        "gauge",
        "Recipients per message a receiver takes, as learnt from its replies.",
        ("receiver",),
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
        "mxheed_sender_lanes",
        "gauge",
        "Senders' domains that a receiver blames, each paced in a lane of its own there.",
    ),
    Family(
        "mxheed_senders_asked_total",
        "counter",
        "Attempts that began where a sender's domain was blamed, by how their message was known.",
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
)
