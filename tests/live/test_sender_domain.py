"""A receiver that limits each sender's domain: one of ours is blamed, the others go untouched."""

from __future__ import annotations

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

SAID = "450 4.7.1 Sender domain {} exceeded its rate, try again later"
OPEN = {"serve": {"submission": {"suspended": "dunno"}}}
EACH = 60


@pytest.mark.parametrize("domains", [10, 1])
def test_only_the_blamed_domains_mail_is_paced(lab: Lab, domains: int) -> None:
    """All of it arrives once, with few refusals; everybody else's is refused never.

    To one recipient domain, too: there Postfix takes the next-hop of held mail for dead.
    """
    lab.mxheed.start(OPEN)
    each = lab.receiver("each", "sender-rate", limit=10, per=1.0, reply=SAID, domains=domains)
    mail = [f"u{number}@d{number % domains}.each.test" for number in range(2 * EACH)]
    senders = ["news@bulk.test", *(f"u@people{number}.test" for number in range(20))]
    order = [sender for one in senders[1:] for sender in (senders[0], one)]
    assert lab.submit(mail, sender=order) == {"250": len(mail)}
    lab.until(lambda: len(each.taken()) >= len(mail), "all is delivered", 60)
    assert sorted(each.taken()) == sorted(mail)
    assert {event["sender"] for event in each.refused()} == {"news@bulk.test"}
    # stock Postfix has all but the first ten refused at its first attempt; see test_ground.py
    assert len(each.refused()) < 0.5 * (EACH - 10)
    assert lab.mxheed.total("mxheed_senders_asked_total", by="message") > EACH
    assert lab.mxheed.total("mxheed_sender_lanes") == 1
    lanes = lab.mxheed.throttle()["lanes"]
    assert [lane["sender"] for lane in lanes if lane["state"] != "free"] == ["bulk.test"]
    assert lab.postfix.deliveries("bounced") == []
