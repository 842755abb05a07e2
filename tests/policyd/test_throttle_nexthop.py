"""Mail by a relay host or a transport table: the gate is asked for the next-hop's name."""

from __future__ import annotations

from policyd.throttle import Lane
from policyd.throttle.memory import Bounded
from policyd.throttle.nexthop import NextHops, asked_name
from tests.policyd.throttle_parts import BIG, NOW, evidence, slowed

RELAY = "mx.big.test"
HELD = f"Error looking up name={RELAY} type=A: DNS reply filter drops all results"


def test_a_hold_line_tells_the_name_that_was_asked() -> None:
    """The name stands in the hold's words, also in an echo of them."""
    assert asked_name(HELD) == RELAY
    assert asked_name(f"delivery temporarily suspended: {HELD}") == RELAY
    assert asked_name("450 4.2.1 busy") is None


def test_what_was_held_under_a_name_stays_under_it() -> None:
    """After a hold, the later lines of a domain go by the name of its next-hop, till it changes."""
    hops, homes = NextHops(100), Bounded[str, Lane](100)
    held = evidence("held", domain="d1.test", reply=HELD)
    assert hops.translate(held, homes).domain == RELAY
    assert hops.translate(evidence("sent", domain="d1.test"), homes).domain == RELAY
    direct = held._replace(reply=HELD.replace(RELAY, "d1.test").replace("type=A", "type=MX"))
    assert hops.translate(direct, homes).domain == "d1.test"
    assert hops.translate(evidence("sent", domain="d1.test"), homes).domain == "d1.test"


def test_a_domain_never_asked_for_goes_by_the_host_that_was() -> None:
    """The first lines of a relayed domain find the relay's name without a hold of their own."""
    hops, homes = NextHops(100), Bounded[str, Lane](100)
    line = evidence("deferred", domain="d9.test", host=RELAY)
    assert hops.translate(line, homes).domain == "d9.test"
    homes[RELAY] = BIG
    assert hops.translate(line, homes).domain == RELAY


def test_a_message_held_at_a_relay_host_is_let_go() -> None:
    """Its grant is taken by the next question for the relay's name."""
    pacer = slowed(rate=1.0)
    pacer.admit(BIG, RELAY, NOW)
    assert pacer.admit(BIG, RELAY, NOW).attempt is None
    pacer.observe(evidence("held", queue_id="Q7", domain="d1.test", reply=HELD), NOW)
    released = pacer.due(NOW + 5.0)
    assert [one.queue_id for one in released] == ["Q7"]
    assert pacer.admit(BIG, RELAY, NOW + 5.0).attempt is not None
