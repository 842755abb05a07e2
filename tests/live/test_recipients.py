"""Receivers that take few recipients a message: learnt once, kept to from then on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab, ReceiverView
from tests.lab.postfix import DEFAULT_FRAGMENTS, FEWER, FEWER_FRAGMENTS

pytestmark = pytest.mark.live

LIMIT = 10
EACH = 30
REPLIES = {"soft": "452 4.5.3", "hard": "552 5.5.3", "wrong": "550 5.5.3"}
PEOPLE = [f"u{number}" for number in range(EACH)]


@pytest.fixture
def fewer(lab: Lab) -> Iterator[Lab]:
    """The lab with the transports for fewer recipients, in Postfix and in mxheed."""
    lab.postfix.configure(*DEFAULT_FRAGMENTS, *FEWER_FRAGMENTS)
    lab.postfix.restart()
    lab.mxheed.start({"serve": {"recipient_limits": list(FEWER)}})
    yield lab
    lab.configure()
    lab.postfix.restart()


def sizes(receiver: ReceiverView) -> list[int]:
    """Recipients of each message it took."""
    return [len(event["recipients"]) for event in receiver.events("data")]


def test_only_the_first_message_is_refused_in_part(fewer: Lab) -> None:
    """What is left of it, and all later mail there, goes by a transport that sends to ten."""
    receivers = [
        fewer.receiver(name, "recipients", domains=2, limit=LIMIT, reply=f"{reply} Too many")
        for name, reply in REPLIES.items()
    ]
    fine = fewer.receiver("fine")
    fewer.submit([[f"{one}@{few.domains[0]}" for one in PEOPLE] for few in receivers])
    for few in receivers:
        fewer.until(lambda few=few: len(few.taken()) == EACH, f"{few.name}: the first is delivered")
    domains = [domain for one in (*receivers, fine) for domain in one.domains]
    fewer.submit([[f"{one}@{domain}" for one in PEOPLE] for domain in domains])
    for few in receivers:
        fewer.until(lambda few=few: len(few.taken()) == 3 * EACH, f"{few.name}: all is delivered")
    fewer.until(lambda: len(fine.taken()) == EACH, "and what is for another receiver")
    assert {few.name: (len(few.refused()), max(sizes(few))) for few in receivers} == {
        few.name: (EACH - LIMIT, LIMIT) for few in receivers
    }
    assert sizes(fine) == [EACH]
    assert fewer.postfix.deliveries("bounced") == []
    by = [line for line in fewer.postfix.deliveries("sent") if "postfix/mxheed-r10/smtp[" in line]
    assert len(by) == len(receivers) * (3 * EACH - LIMIT)
