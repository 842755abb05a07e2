"""Mail by a relay host or a transport table: the gate is asked for the next-hop's name."""

from __future__ import annotations

import pytest

from policyd.bounded import Bounded
from policyd.throttle import Lane
from policyd.throttle.book.nexthop import NextHops, asked_name
from policyd.throttle.evidence import may_be_hold
from tests.policyd.throttle_parts import BIG, NOW, evidence, slowed

RELAY = "relay.test"
HOST = "mx.big.test"
HELD = f"Error looking up name={HOST} type=A: DNS reply filter drops all results"
BACKUP = "unable to find primary relay for d1.test"
DANGLING = (
    "Host or domain name not found. Name service error for name=gone.d1.test type=A: Host not found"
)


def test_only_an_mx_look_up_tells_the_name_that_was_asked() -> None:
    """An address is looked up for a host, which is the next-hop of nobody; also in an echo."""
    asked = HELD.replace("type=A", "type=MX")
    assert asked_name(asked) == HOST
    assert asked_name(f"delivery temporarily suspended: {asked}") == HOST
    assert asked_name(HELD) is None
    assert asked_name("450 4.2.1 busy") is None


def test_what_was_held_under_a_name_stays_under_it() -> None:
    """After a hold, the later lines of a domain go by the name of its next-hop, till it changes."""
    hops, homes = NextHops(100), Bounded[str, Lane](100)
    hops.held(RELAY, [HOST], NOW)
    held = evidence("held", domain="d1.test", reply=HELD)
    assert hops.translate(held, homes).domain == RELAY
    assert hops.translate(evidence("sent", domain="d1.test"), homes).domain == RELAY
    hops.held("d1.test", [HOST], NOW)
    homes["d1.test"] = BIG
    assert hops.translate(held, homes).domain == "d1.test"
    assert hops.translate(evidence("sent", domain="d1.test"), homes).domain == "d1.test"


def test_a_domain_that_is_asked_for_itself_is_no_other_domains_next_hop() -> None:
    """Two domains behind one host: each hold line is about its own, however long it echoes."""
    hops, homes = NextHops(100), Bounded[str, Lane](100)
    for domain, when in (("d1.test", NOW - 300), ("d2.test", NOW)):
        hops.held(domain, [HOST], when)
        homes[domain] = BIG
    echo = evidence("held", domain="d1.test", reply=f"delivery temporarily suspended: {HELD}")
    assert hops.translate(echo, homes).domain == "d1.test"


def test_lines_of_another_time_teach_nothing() -> None:
    """History that is read at start, of domains the gate has not been asked for since."""
    hops, homes = NextHops(100), Bounded[str, Lane](100)
    hops.held("d2.test", [HOST], NOW)
    old = evidence("held", domain="d1.test", reply=HELD)._replace(time=NOW - 3600)
    assert hops.translate(old, homes).domain == "d1.test"
    assert hops.known("d1.test") == "d1.test"


def test_a_domain_never_asked_for_goes_by_the_host_that_was() -> None:
    """The first lines of a relayed domain find the relay's name without a hold of their own."""
    hops, homes = NextHops(100), Bounded[str, Lane](100)
    line = evidence("deferred", domain="d9.test", host=RELAY)
    assert hops.translate(line, homes).domain == "d9.test"
    homes[RELAY] = BIG
    assert hops.translate(line, homes).domain == RELAY


@pytest.mark.parametrize("name", [RELAY, HOST])
def test_a_message_held_at_a_relay_host_is_let_go(name: str) -> None:
    """Its grant is taken by the next question for the relay's name, in brackets or not."""
    pacer = slowed(rate=1.0)
    pacer.admit(BIG, name, NOW)
    assert pacer.admit(BIG, name, NOW).attempt is None
    pacer.hops.held(name, [HOST], NOW)
    pacer.observe(evidence("held", queue_id="Q7", domain="d1.test", reply=HELD), NOW)
    released = pacer.due(NOW + 5.0)
    assert [one.queue_id for one in released] == ["Q7"]
    assert pacer.admit(BIG, name, NOW + 5.0).attempt is not None


def test_next_hops_outlive_a_restart() -> None:
    """What the queue shows after it is put under the relay's name again."""
    pacer = slowed(rate=1.0)
    pacer.hops.held(RELAY, [HOST], NOW)
    pacer.observe(evidence("held", queue_id="Q7", domain="d1.test", reply=HELD), NOW)
    again = slowed(rate=1.0)
    again.restore(pacer.snapshot(NOW), NOW)
    assert again.hops.of_all([("d1.test", 2), (RELAY, 1)]) == ((RELAY, 3),)


@pytest.mark.parametrize("words", [BACKUP, DANGLING])
@pytest.mark.parametrize(("outcome", "later", "held"), [
    ("deferred", 1.0, True), ("deferred", 40.0, False), ("suspended", 300.0, True),
    ("suspended", 900.0, False), ("bounced", 1.0, False),
])  # fmt: skip
def test_a_hold_in_other_words_is_ours_only_at_the_time_of_a_hold(
    words: str, outcome: str, later: float, held: bool
) -> None:
    """Where the last host is this machine, or has no address; Postfix says the same by itself."""
    pacer = slowed(rate=1.0)
    line = evidence(outcome, queue_id="Q7", domain="d1.test", reply=words)
    line = line._replace(origin="local", host="", time=NOW + later, category="", receiver="unknown")
    assert may_be_hold(words)
    pacer.observe(line, NOW)
    assert pacer.book.get("Q7") is None
    pacer.held(BIG, "d1.test", NOW)
    pacer.hops.held("d1.test", [HOST], NOW)
    assert pacer.hops.is_hold(line) == held
    if held:
        pacer.observe(line, NOW)
        assert pacer.book.ready(BIG)


def test_a_receivers_own_words_are_never_taken_for_our_hold() -> None:
    """A reply may quote anything."""
    hops = NextHops(100)
    hops.held("d1.test", [HOST], NOW)
    said = evidence("deferred", domain="d1.test", reply=BACKUP)
    assert not hops.is_hold(said._replace(origin="remote"))
    assert not hops.is_hold(said._replace(origin="local", host=HOST))
    assert not may_be_hold("450 4.2.0 unable to find primary relay for d1.test")
