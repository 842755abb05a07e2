"""A receiver with an unknown limit, met in the ways mail comes: all arrives, little is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab, ReceiverView
from tests.lab.postfix import DEFAULT_FRAGMENTS

pytestmark = pytest.mark.live

BUSY = "421 4.7.28 Our system has detected an unusual rate of mail from your address"
LIMIT: dict[str, Any] = {"kind": "window", "limit": 10, "per": 1.0, "reply": BUSY}
OPEN = {"serve": {"submission": {"suspended": "dunno"}}}
MESSAGES = 60

# a content filter that hands everything back unchanged
FILTER = """\
127.0.0.1:10026 inet n - y - - smtpd
    -o content_filter=
"""


@pytest.fixture
def reconfigured(lab: Lab) -> Iterator[Lab]:
    """The lab; its Postfix gets its usual configuration back afterwards."""
    yield lab
    lab.configure()
    lab.postfix.restart()


def deliver(lab: Lab, receiver: ReceiverView, mail: list[str], seconds: float = 40.0) -> None:
    """Send it all, see it arrive, once each, with less than half of the refusals."""
    lab.mxheed.start(OPEN)
    assert lab.submit(mail) == {"250": len(mail)}
    lab.until(lambda: len(receiver.taken()) >= len(mail), "all is delivered", seconds)
    assert sorted(receiver.taken()) == sorted(mail)
    assert lab.postfix.deliveries("bounced") == []
    # Stock Postfix has all but the first ten refused at its first attempt, and waits for its
    # back-off. Ours are what is on its way when the first refusal comes back, and later probes: on
    # a busy machine more is on its way. How few on an idle one, `make bench-pacing` tells.
    assert len(receiver.refused()) < 0.5 * (len(mail) - LIMIT["limit"])


def test_twenty_domains_on_one_mx(lab: Lab) -> None:
    """Many domains share the receiver's limit and are paced together."""
    receiver = lab.receiver("many", domains=20, **LIMIT)
    deliver(lab, receiver, [f"u{n}@d{n % 20}.many.test" for n in range(MESSAGES)])


def test_one_recipient_again_and_again_over_tls(lab: Lab) -> None:
    """Mixed case, a quoted local part, one domain, TLS."""
    receiver = lab.receiver("one", tls=True, **LIMIT)
    deliver(lab, receiver, ['"A b>c"@D0.One.Test', "User@d0.ONE.test"] * (MESSAGES // 2))
    assert receiver.events("tls")


def test_one_message_for_many_domains(lab: Lab) -> None:
    """A message for six times as many domains as may go at once: no storm of held parts."""
    domains = 6 * LIMIT["limit"]
    receiver = lab.receiver("wide", domains=domains, **LIMIT)
    lab.mxheed.start(OPEN)
    mail = [f"u@d{number}.wide.test" for number in range(domains)]
    assert lab.submit([mail]) == {"250": 1}
    lab.until(lambda: len(receiver.taken()) >= domains, "all is delivered", 40)
    assert sorted(receiver.taken()) == sorted(mail)
    held = [line for line in lab.postfix.deliveries("deferred") if "filter drops" in line]
    assert len(held) <= 3 * domains


def test_a_relayhost_is_paced_like_a_receiver(reconfigured: Lab) -> None:
    """A next-hop in brackets has no MX record: its address record is gated."""
    lab = reconfigured
    receiver = lab.receiver("relay", **LIMIT)
    lab.postfix.configure(*DEFAULT_FRAGMENTS, extra="relayhost = [mx.relay.test]\n")
    lab.postfix.restart()
    deliver(lab, receiver, [f"u{n}@elsewhere{n % 20}.example" for n in range(MESSAGES)])


def test_a_content_filter_is_not_paced_and_what_comes_back_is(reconfigured: Lab) -> None:
    """Each message is queued twice; only its second way leads to the receiver."""
    lab = reconfigured
    receiver = lab.receiver("many", domains=20, **LIMIT)
    lab.postfix.configure(*DEFAULT_FRAGMENTS, extra="content_filter = smtp:[127.0.0.1]:10026\n")
    lab.postfix.add_services(FILTER)
    lab.postfix.restart()
    deliver(lab, receiver, [f"u{n}@d{n % 20}.many.test" for n in range(MESSAGES)])
