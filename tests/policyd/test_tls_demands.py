"""Receivers that demand TLS of a machine that offers none: said, as our mistake."""

from __future__ import annotations

import pytest

from logparse.events import Delivery
from policyd.config import Config
from policyd.core import Core
from policyd.counting.tlsdemands import TlsDemands
from policyd.serve.turns import finish
from policyd.throttle import Lane
from policyd.web.http import drawn, told
from policyd.web.status import page
from rules.verdict import Verdict
from tests.policyd.clocks import still

NOW = 1_000_000.0
STAMP = "Jan 12 13:46:40 mail postfix/smtp[7]: "
BOUNCE = (
    "4D5A723BF2{number}: to=<u@d{number}.test>, relay=mx.r{number}.test[192.0.2.{number}]:25, "
    "delay=1, delays=0.1/0/0.5/0.4, dsn=5.7.0, status=bounced (host mx.r{number}.test"
    "[192.0.2.{number}] said: {reply} (in reply to MAIL FROM command))\n"
)
DEMAND = "530 5.7.0 Must issue a STARTTLS command first"


class Machine:
    """A core with a clock to turn, whose log we write."""

    def __init__(self) -> None:
        self.now = NOW
        self.core = Core(Config(), clock=still(lambda: self.now))

    def bounce(self, reply: str, number: int = 1) -> None:
        line = STAMP + BOUNCE.format(number=number, reply=reply)
        self.core.process(line.encode(), self.now)

    @property
    def ours(self) -> str:
        return self.core.demands.told(self.now)


@pytest.mark.parametrize(
    "reply",
    [DEMAND, "550 5.7.10 Clear text sessions are refused", "550 5.7.1 TLS is required here"],
)
def test_a_demand_for_tls_is_told_as_our_mistake(reply: str) -> None:
    """On the page and in /api/state, with the setting that mends it; the lane stays free."""
    machine = Machine()
    for _ in range(3):
        machine.bounce(reply)
    machine.bounce(reply, number=2)
    view = finish(page(machine.core, "", True, {}))
    assert view.ours == "2 receivers refused 4 recipients because our mail came without TLS"
    assert "smtp_tls_security_level = may" in finish(drawn(view)).decode()
    assert '"remedy":"smtp_tls_security_level = may"' in finish(told(view)).decode()
    assert machine.core.controller.peek(Lane("", "mx:r1.test"), NOW) == "free"


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 User unknown",
        "454 4.7.0 TLS not available due to temporary reason",
        "550 5.7.1 Your IP address is temporarily blocked, try again later",
    ],
)
def test_nothing_else_is(reply: str) -> None:
    """Other refusals, their own trouble with TLS among them, are no mistake of ours."""
    machine = Machine()
    machine.bounce(reply)
    assert machine.ours == ""
    assert "Our mistake" not in finish(drawn(finish(page(machine.core, "", True, {})))).decode()


def test_it_is_forgotten_after_a_day() -> None:
    """What has been mended is no longer told."""
    machine = Machine()
    machine.bounce(DEMAND)
    assert machine.ours == "1 receiver refused 1 recipient because our mail came without TLS"
    machine.now += 86_401.0
    assert machine.ours == ""


def test_many_receivers_are_not_all_kept() -> None:
    """Memory is bounded, whoever says so."""
    demands = TlsDemands()
    delivery = Delivery(
        NOW, "postfix", "postfix/smtp", "smtp", "4D5A723BF2", "u@d.test", None, "mx.r.test",
        "192.0.2.1", 25, 1, 1.0, None, "5.7.0", "bounced", "bounced", "remote", "mail", DEMAND,
    )  # fmt: skip
    verdict = Verdict("session.tls", "a.session.tls-required", None, "connection", "retry", False)
    for number in range(3000):
        demands.take(delivery, f"mx:r{number}.test", verdict, NOW)
    assert demands.told(NOW).startswith("1000 receivers refused 1000 recipients")
