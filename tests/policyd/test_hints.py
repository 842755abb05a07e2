"""Times that receivers spoke: kept to, and true or not."""

from __future__ import annotations

import pytest

from policyd.counting.hints import Hints
from policyd.throttle.evidence import Evidence


def tried(
    time: float, outcome: str, spoken: float | None = None, group: str = "", queue_id: str = "Q1"
) -> Evidence:
    """One recipient of one attempt; attempts at another time are other transactions."""
    return Evidence(
        time, "log", "", "google", "gmail.com", "a@gmail.com", queue_id, "mx", outcome,  # type: ignore[arg-type]
        "flow.rate", "ip", "temporary", None, "450", spoken, "rcpt", "remote", 1,  # type: ignore[arg-type]
        (group or f"{queue_id} {time}",), 0.0,
    )  # fmt: skip


WAYS = {
    "kept and true": ([tried(0, "deferred", 300.0), tried(300, "sent")], {"told": 1, "right": 1}),
    "a stamp of whole seconds is early enough": (
        [tried(0, "deferred", 300.0), tried(299, "sent")], {"told": 1, "right": 1}),
    "not kept": ([tried(0, "deferred", 300.0), tried(60, "sent")], {"told": 1, "early": 1}),
    "kept and not true": (
        [tried(0, "deferred", 300.0), tried(301, "deferred", 300.0)],
        {"told": 2, "wrong": 1}),
    "rejected after all": (
        [tried(0, "deferred", 300.0), tried(301, "bounced")], {"told": 1, "wrong": 1}),
    "held meanwhile is no attempt": (
        [tried(0, "deferred", 300.0), tried(60, "held"), tried(301, "sent")],
        {"told": 1, "right": 1}),
    "two recipients of one transaction": (
        [tried(0, "deferred", 300.0, "one"), tried(0, "deferred", 300.0, "one"),
         tried(301, "sent", None, "two"), tried(301, "sent", None, "two")],
        {"told": 1, "right": 1}),
    "another message": (
        [tried(0, "deferred", 300.0), tried(10, "sent", queue_id="Q2")], {"told": 1}),
    "no time was named": ([tried(0, "deferred"), tried(9, "sent")], {}),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_next_attempt_tells(way: str) -> None:
    """Whether it came before the time that was named, and what became of it."""
    attempts, counts = WAYS[way]
    hints = Hints()
    for attempt in attempts:
        hints.take(attempt, "google")
    assert hints.counts == {("google", result): n for result, n in counts.items()}


def test_it_is_bounded() -> None:
    """A flood of messages that each name a time, of receivers without number."""
    hints = Hints()
    for number in range(30_000):
        hints.take(tried(0, "deferred", 300.0, queue_id=f"Q{number}"), f"mx:{number}")
    assert len(hints._spoken) <= 20_000
    assert len(hints.counts) <= 8000
