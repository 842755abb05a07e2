"""Source address pools and named transports, with the fragments of contrib/postfix."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.lab.postfix import DEFAULT_FRAGMENTS

pytestmark = pytest.mark.live

NAMED = ("resolver.master.cf", "transport.master.cf")
OPEN = {"submission": {"suspended": "dunno"}}  # accept mail for suspended receivers
BUSY = "421 4.7.28 Too much mail from your IP address; retry=00:02:00"


@pytest.fixture
def reconfigured(lab: Lab) -> Iterator[Lab]:
    """The lab; its Postfix gets its usual configuration back afterwards."""
    yield lab
    lab.configure()
    lab.postfix.restart()


def test_a_refused_source_address_does_not_hold_the_other(reconfigured: Lab) -> None:
    """What a receiver says of one pool's address paces that pool only."""
    lab = reconfigured
    lab.run("ip", "address", "add", "192.0.2.2/32", "dev", "lo")
    route = "sender_dependent_default_transport_maps = inline:{{ bulk@lab.test = pool2: }}\n"
    lab.postfix.configure(*DEFAULT_FRAGMENTS, "pools.master.cf", extra=route)
    lab.postfix.restart()
    lab.mxheed.start({"serve": OPEN, "log": {"pools": {"postfix/pool2/smtp": "pool2"}}})
    both = lab.receiver("both", "window", limit=2, per=600.0, reply=BUSY, domains=2)
    lab.submit(["a@d0.both.test", "b@d1.both.test"])
    lab.until(lambda: len(both.taken()) == 2, "two are taken")
    lab.submit(["c@d0.both.test"])
    lab.until(both.refused, "the third is refused")
    lab.until(lambda: held(lab) == {"": "suspended"}, "the default pool is suspended")
    lab.submit(["d@d1.both.test"])
    lab.until(lambda: any("drops all results" in why for why in lab.postfix.reasons()), "one waits")
    lab.submit(["e@d0.both.test", "f@d1.both.test"], sender="bulk@lab.test")
    lab.until(lambda: len(both.taken()) == 4, "the other address goes on")
    assert {event["peer"] for event in both.events("connect")} == {"127.0.0.1", "192.0.2.2"}
    assert len(both.refused()) == 1


def held(lab: Lab) -> dict[str, str]:
    """The state of every pool that is not free."""
    lanes = lab.mxheed.throttle()["lanes"]
    return {lane["pool"]: lane["state"] for lane in lanes if lane["state"] != "free"}


def test_a_receiver_can_have_a_transport_of_its_own(reconfigured: Lab) -> None:
    """Mail to a receiver with a named transport leaves by it, other mail does not."""
    lab = reconfigured
    lab.postfix.configure(*DEFAULT_FRAGMENTS, *NAMED)
    lab.postfix.restart()
    lab.mxheed.start({"serve": {"transports": {"google": "mx-google"}}})
    google = lab.receiver("google", domains=["lists.test"], mx="aspmx.l.google.com")
    fine = lab.receiver("fine")
    lab.submit(["first@lists.test"])
    lab.until(google.taken, "the first message tells who is behind the domain")
    lab.submit(["second@lists.test", "other@d0.fine.test"])
    lab.until(lambda: len(google.taken()) == 2 and fine.taken(), "all is delivered")
    lines = {line.split("to=<")[1].split(">")[0]: line for line in lab.postfix.deliveries("sent")}
    assert "postfix/mx-google/smtp[" in lines["second@lists.test"]
    assert "postfix/smtp[" in lines["other@d0.fine.test"]


def test_named_transports_do_not_stop_submission_without_mxheed(reconfigured: Lab) -> None:
    """Only the queue manager asks for transports: smtpd accepts mail, also for local users."""
    lab = reconfigured
    lab.postfix.configure(*DEFAULT_FRAGMENTS, *NAMED)
    lab.postfix.restart()
    lab.mxheed.prepare()  # installed, never started
    fine = lab.receiver("fine")
    assert lab.submit(["a@d0.fine.test", "alice@lab.test"]) == {"250": 2}
    refused = lab.replies(["nobody-there@lab.test"])
    assert refused[0].startswith("550 5.1.1")
    lab.until(lambda: len(lab.postfix.deliveries("deferred")) == 2, "both wait in the queue")
    lab.mxheed.configure({})
    lab.mxheed.bypass()

    def delivered() -> bool:
        lab.check("postqueue", "-f")  # stands for the time that Postfix would wait
        return bool(fine.taken()) and "alice" in lab.mailboxes()

    lab.until(delivered, "both are delivered")
