"""Recipient limits are learnt from what receivers say, and from where they stop."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from logparse.events import Delivery
from policyd.receiver.recipient_limits import RecipientLimits
from rules.verdict import Verdict

TOO_MANY = Verdict("flow.recipients", "r", None, "message", "retry", False)


def delivery(outcome: str, queue_id: str, pid: int = 7) -> Delivery:
    delays = (100, 200, 300, 400)
    return Delivery(
        0.0, "postfix", "postfix/smtp", "smtp", queue_id, "a@example.net", None, "mx.example.net",
        "192.0.2.1", 25, 1, 1000, delays, "", outcome, outcome, "remote", "rcpt", "", pid,
    )  # fmt: skip


def learn(steps: Sequence[tuple[str, str, Verdict | None]]) -> int | None:
    limits = RecipientLimits()
    for outcome, queue_id, verdict in steps:
        limits.take(delivery(outcome, queue_id), "mx:example.net", verdict)
    again = RecipientLimits()
    again.restore(json.loads(json.dumps(limits.snapshot())))
    assert dict(again.limits(1.0)) == dict(limits.limits(1.0))
    learnt = limits.limit("mx:example.net", 1.0)
    assert dict(limits.limits(1.0)) == ({} if learnt is None else {"mx:example.net": learnt})
    return learnt


def partly(queue_id: str, taken: int) -> list[tuple[str, str, Verdict | None]]:
    """A transaction of which so many were taken."""
    return [("deferred", queue_id, TOO_MANY)] + [("sent", queue_id, None)] * taken


def said(count: object) -> Verdict:
    return Verdict(
        "flow.recipients", "r", None, "message", "retry", False, captures={"count": count}
    )


@pytest.mark.parametrize(
    ("steps", "learnt"),
    [
        # Postfix logs the refused recipients first: they were refused before DATA
        ([("deferred", "A", TOO_MANY)] * 2 + [("sent", "A", None)] * 3, 3),
        # a message that nobody refused shows no limit
        ([("sent", "A", None)] * 50, None),
        # another message's refusal is no limit of this one
        ([("deferred", "A", TOO_MANY), ("sent", "B", None)], None),
        # what it says goes before what it shows
        ([("deferred", "A", said(100))] + [("sent", "A", None)] * 3, 100),
        # a transaction in which others were refused for other reasons looks smaller
        (partly("A", 10) + partly("B", 4), 10),
        # but a limit that was lowered shows in all of the latest
        (partly("A", 10) + [step for n in range(8) for step in partly(f"B{n}", 4)], 4),
        # refused altogether: no number to learn
        ([("deferred", "A", TOO_MANY)] * 3, None),
        # nonsense is not believed
        ([("deferred", "A", said(0)), ("deferred", "A", said(10**9))], None),
    ],
)
def test_a_limit_is_learnt(
    steps: Sequence[tuple[str, str, Verdict | None]], learnt: int | None
) -> None:
    """The number a receiver names, else the recipients it took before it stopped."""
    assert learn(steps) == learnt


def test_a_limit_is_forgotten_after_a_week() -> None:
    """A receiver that takes more by now would never show it otherwise."""
    limits = RecipientLimits()
    for outcome, queue_id, verdict in partly("A", 10):
        limits.take(delivery(outcome, queue_id), "mx:example.net", verdict)
    week = 7 * 86400.0
    assert limits.limit("mx:example.net", week - 1) == 10
    assert limits.limit("mx:example.net", week) is None
    assert dict(limits.limits(week)) == {}


def test_transactions_of_one_message_are_told_apart() -> None:
    """A hundred recipients are two transactions at a time: ten of each taken are not twenty."""
    limits = RecipientLimits()
    for pid in (7, 8):
        limits.take(delivery("deferred", "A", pid), "mx:example.net", TOO_MANY)
    for pid in (7, 8, 9) * 10:  # 9 is one of which nobody was refused
        limits.take(delivery("sent", "A", pid), "mx:example.net", None)
    assert limits.limit("mx:example.net", 1.0) == 10
