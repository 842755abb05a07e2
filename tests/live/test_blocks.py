"""A receiver that blocks our address and says so with a permanent code."""

from __future__ import annotations

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

BLOCK = 20.0  # seconds
MESSAGES = 100
OPEN = {"serve": {"submission": {"suspended": "dunno"}}}


def test_a_block_spoken_as_550_bounces_nothing(lab: Lab) -> None:
    """Blocked from the first message on for 20 s: nobody bounces, all arrives, few are refused."""
    receiver = lab.receiver(
        "blocked",
        domains=20,
        kind="once",
        seconds=BLOCK,
        reply="550 5.7.1 Your IP address is temporarily blocked, try again later",
    )
    lab.mxheed.start(OPEN)
    mail = [f"u{number}@d{number % 20}.blocked.test" for number in range(MESSAGES)]
    assert lab.submit(mail) == {"250": MESSAGES}
    lab.until(lambda: len(receiver.taken()) >= MESSAGES, "all is delivered", 3 * BLOCK)
    assert sorted(receiver.taken()) == sorted(mail)
    assert lab.postfix.deliveries("bounced") == []
    assert len(receiver.refused()) < MESSAGES / 2


def test_a_user_who_is_unknown_bounces_beside_it(lab: Lab) -> None:
    """The words decide: what nobody will ever take is not kept, however it is said."""
    lab.receiver(
        "gone",
        kind="fixed",
        reply="550 5.1.1 User unknown; your message was temporarily blocked, try again later",
    )
    lab.mxheed.start(OPEN)
    assert lab.submit(["nobody@gone.test"]) == {"250": 1}
    lab.until(lambda: lab.postfix.deliveries("bounced"), "it bounces", 20)
