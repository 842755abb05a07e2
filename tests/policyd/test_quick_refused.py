"""A refused recipient is counted from its line, and every other shape is left alone."""

from __future__ import annotations

import pytest

from logparse.record import RECORD
from policyd.counters import Counters
from policyd.histogram import single
from policyd.quick import Delays
from policyd.quick_refused import QuickRefused
from rules.verdict import Verdict
from tests.logparse.postfix_lines import HEAD, record, said

RELAY = "mx.example.net[192.0.2.10]:25"
FULL = Verdict("recipient.full", "test.full", None, "recipient", "retry", False)
UNKNOWN = Verdict("unknown", None, None, "message", "none", False)


def counted(
    text: str = said("452 4.2.2 full"),
    *,
    learnt: str = RELAY,
    relay: str = RELAY,
    status: str = "deferred",
    head: str = HEAD,
    verdict: Verdict = FULL,
) -> tuple[str | None, Counters, list[object]]:
    """What one line comes to: the receiver, the counters, and what the rules were asked."""
    asked: list[object] = []

    def classify(reply: str, **about: object) -> Verdict:
        asked.append((reply, about))
        return verdict

    counters = Counters()
    quick = QuickRefused(counters, Delays())
    quick.learn(learnt.encode(), "example", "example")
    line = head + record(text, relay=relay, status=status, dsn="4.2.2")
    match = RECORD.fullmatch(line.encode())
    assert match is not None
    return quick.postfix(match, classify), counters, asked


@pytest.mark.parametrize("status", ["deferred", "bounced"])
def test_a_refused_recipient(status: str) -> None:
    """Outcome, reply and delays are counted; the rules see the reply without Postfix's words."""
    receiver, counters, asked = counted(said("452-4.2.2 mailbox 452 4.2.2 full"), status=status)
    assert receiver == "example"
    about = {
        "mx": "mx.example.net",
        "receiver": "example",
        "stage": "rcpt",
        "origin": "remote",
        "dsn": "4.2.2",
    }
    assert asked == [("452 4.2.2 mailbox full", about)]
    assert counters.deliveries() == {("example", status): 1}
    assert counters.replies() == {("example", "recipient.full", "rcpt"): 1}
    assert counters.tally("example").delays == [single(s) for s in (0.07, 0.01, 0.6, 0.72, 1.4)]


def test_what_no_rule_knows() -> None:
    """An unknown refusal shows as unclassified."""
    _, counters, _ = counted(verdict=UNKNOWN)
    assert counters.unclassified() == {("example",): 1}


@pytest.mark.parametrize(
    "line",
    [
        {"learnt": "mx2.example.net[192.0.2.11]:25"},
        {"text": said("452 4.2.2 full", "end of DATA")},
        {"text": said("452 4.2.2 full", host="mx2.example.net[192.0.2.11]")},
        {"text": "delivery temporarily suspended: " + said("452 4.2.2 full")},
        {"text": said("452 4.2.2 full").removesuffix(" (in reply to RCPT TO command)")},
        {"text": said("452 4.2.2 " + "full " * 400)},
        {"status": "undeliverable"},
        {"head": HEAD.replace("smtp", "pipe")},
        {"relay": "mx 1[192.0.2.10]:25", "learnt": "mx 1[192.0.2.10]:25",
         "text": said("452 4.2.2 full", host="mx 1[192.0.2.10]")},
    ],
)  # fmt: skip
def test_other_shapes_take_the_long_way(line: dict[str, str]) -> None:
    """Nothing is counted of what is not exactly that."""
    receiver, counters, asked = counted(**line)  # type: ignore[arg-type]
    assert receiver is None
    assert asked == []
    assert counters.tallies == {}
