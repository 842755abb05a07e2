"""The MX gate against a real Postfix: who is held, who is not, and when it ends."""

from __future__ import annotations

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

BUSY = "421 4.7.28 Our system has detected an unusual rate of mail; retry=00:00:05"
OPEN = {"serve": {"submission": {"suspended": "dunno"}}}  # accept mail for suspended receivers
HELD = "DNS reply filter drops all results"


def test_two_domains_behind_one_mx_are_both_held_until_the_hint_is_over(lab: Lab) -> None:
    """One refusal with a hint holds every domain behind that MX, and only those, for that time."""
    lab.mxheed.start(OPEN)
    busy = lab.receiver("busy", "once", domains=2, reply=BUSY, seconds=4.5)
    fine = lab.receiver("fine")
    lab.submit(["first@d0.busy.test"])
    lab.until(busy.refused, "the receiver refuses the first message")
    refused = busy.refused()[-1]["t"]
    lab.until(lambda: lab.mxheed.total("mxheed_replies_total") >= 1, "mxheed knows of it")
    lab.submit(["second@d0.busy.test", "third@d1.busy.test", "other@d0.fine.test"])
    lab.until(fine.taken, "another receiver is not touched")
    lab.until(
        lambda: len([one for one in lab.postfix.reasons() if HELD in one]) == 2,
        "both domains' mail is held",
        4,
    )
    lab.until(lambda: len(busy.taken()) == 3, "all is delivered after the hint", 15)
    connected = [event["t"] - refused for event in busy.events("connect")]
    assert not [since for since in connected if 0.5 < since < 5.0], connected
    assert len(busy.refused()) == 1
    assert len(lab.postfix.deliveries("bounced")) == 0


def test_a_limit_spoken_as_permanent_stays_in_the_queue(lab: Lab) -> None:
    """552 Too many recipients is deferred; a user who is unknown still bounces."""
    lab.mxheed.start()
    lab.receiver("many", "fixed", reply="552 5.5.3 Too many recipients")
    lab.receiver("gone", "fixed", reply="550 5.1.1 User unknown")
    lab.submit(["a@d0.many.test", "b@d0.gone.test"])
    lab.until(lambda: lab.postfix.deliveries("bounced"), "the unknown user's message bounces")
    lab.until(lambda: lab.postfix.deliveries("deferred"), "the other one is deferred")
    assert "to=<a@d0.many.test>" in lab.postfix.deliveries("deferred")[0]
    assert "dsn=4.5.3" in lab.postfix.deliveries("deferred")[0]
    assert [line for line in lab.postfix.deliveries("bounced") if "d0.many.test" in line] == []


def test_a_greylisted_message_goes_when_the_receiver_said(lab: Lab) -> None:
    """A spoken delay is the time of the next attempt, not Postfix's own back-off."""
    lab.mxheed.start()
    grey = lab.receiver("grey", "greylist", delay=4.0, hint=True, domains=3)
    lab.submit([f"u{number}@d{number % 3}.grey.test" for number in range(12)])
    lab.until(lambda: len(grey.taken()) == 12, "all were taken", 20)
    assert len(grey.refused()) == 12
    waited = max(event["t"] for event in grey.events("data")) - grey.events()[0]["t"]
    assert waited < 4.0 + 15.0


def test_one_message_finds_out_how_long_a_silent_receiver_greylists(lab: Lab) -> None:
    """No delay is spoken: one message is tried early, and the others follow it at once."""
    lab.mxheed.start()
    grey = lab.receiver("grey", "greylist", delay=4.0, domains=3)
    lab.submit([f"u{number}@d{number % 3}.grey.test" for number in range(12)])
    lab.until(lambda: len(grey.taken()) == 12, "all were taken", 25)
    assert len(grey.refused()) == 12


def test_submission_is_answered_with_the_time_to_come_back(lab: Lab) -> None:
    """The policy service tells a client of a suspended receiver when to try again."""
    lab.mxheed.start()
    busy = lab.receiver("busy", "once", reply=BUSY.replace("00:05", "05:00"), seconds=300)
    lab.receiver("fine")
    lab.submit(["first@d0.busy.test"])
    lab.until(busy.refused, "the receiver refuses")
    lab.until(lambda: lab.mxheed.total("mxheed_replies_total") >= 1, "mxheed knows of it")
    replies = lab.replies(["second@d0.busy.test", "other@d0.fine.test"])
    assert replies[0].startswith("450 4.7.1 <second@d0.busy.test>: Recipient address rejected:")
    assert "retry=00:0" in replies[0]
    assert replies[1].startswith("250")
