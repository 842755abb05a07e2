"""Whole messages and the policy service: Postfix holds one only where all of it is meant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

SERVICE = "check_policy_service { unix:mxheed/policy, timeout=2s, default_action=DUNNO }"
RESTRICTIONS = f"""
smtpd_recipient_restrictions = check_recipient_access inline:{{{{ early@d0.fine.test = OK }}}}
    {SERVICE}
    check_recipient_access inline:{{{{ late@d1.news.test = REJECT }}}}
smtpd_end_of_data_restrictions = {SERVICE}
"""
CLOSED = {"serve": {"submission": {"closed": {"news": {"receivers": ["mx:news.test"],
                                                       "action": "hold"}}}}}  # fmt: skip


@pytest.fixture
def asked_at_the_end(lab: Lab) -> Iterator[Lab]:
    """The lab, its smtpd asking for each recipient and at the end of the message."""
    lab.postfix.configure("gate.main.cf", "status.main.cf", extra=RESTRICTIONS)
    lab.postfix.restart()
    yield lab
    lab.configure()
    lab.postfix.restart()


def test_a_message_is_held_only_when_every_recipient_is_meant(asked_at_the_end: Lab) -> None:
    """Mixed messages go through, also where a restriction before ours let a recipient pass."""
    lab = asked_at_the_end
    lab.mxheed.start(CLOSED)
    news = lab.receiver("news", domains=2)
    fine = lab.receiver("fine")
    lab.submit(["first@d0.news.test", "first@d1.news.test", "first@d0.fine.test"])
    lab.until(lambda: len(news.taken()) == 2 and fine.taken(), "all domains are known")
    meant = [
        ["one@d0.news.test"],
        ["two@d0.news.test", "two@d1.news.test"],
        ["three@d0.news.test", "late@d1.news.test"],  # refused after our answer
    ]
    mixed = [
        ["four@d0.news.test", "four@d0.fine.test"],
        ["five@d0.fine.test", "five@d0.news.test"],
        ["six@d0.news.test", "early@d0.fine.test"],  # permitted before we are asked
        ["seven@d0.fine.test"],
    ]
    assert lab.submit([*meant, *mixed]) == {"250": 7}
    lab.until(lambda: len(fine.taken()) == 5 and len(news.taken()) == 5, "the mixed ones go")
    assert sorted(waiting(lab)) == [
        ("hold", ["one@d0.news.test"]),
        ("hold", ["three@d0.news.test"]),
        ("hold", ["two@d0.news.test", "two@d1.news.test"]),
    ]


def waiting(lab: Lab) -> list[tuple[str, list[str]]]:
    """What is in the queue: in which one, and for whom."""
    return [
        (one["queue_name"], sorted(recipient["address"] for recipient in one["recipients"]))
        for one in lab.postfix.queue()
    ]
