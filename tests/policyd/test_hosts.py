"""Single hosts of a receiver: whose trouble is whose, and when an address is left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.events import HostTrouble
from policyd.hooks.beyond import Beyond
from policyd.hooks.mxgate import DROP, KEEP
from policyd.throttle import Controller
from policyd.throttle.evidence import from_trouble
from policyd.throttle.lane.host import Host
from policyd.throttle.lane.hosts import Hosts
from policyd.throttle.settings.hosts import HostSettings
from policyd.throttle.settings.pacing import PacingSettings
from tests.policyd.test_gate import HELD, Door, Session, a, mx
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence

ONE, TWO, SIX = "192.0.2.1", "192.0.2.2", "2001:db8::1"
NAMES = {ONE: "mx1.big.test", TWO: "mx2.big.test", SIX: "mx1.big.test"}
BUSY = {"category": "flow.busy", "reply": "421 4.3.2 busy", "stage": "connect"}
DEAD = {"origin": "local", "category": "net.connect", "stage": "connect", "stance": "retry",
        "reply": "connect to mx: Connection refused"}  # fmt: skip
RATE = {"stage": "rcpt"}
NO_PTR = {"category": "identity.ptr", "scope": "ip", "stance": "pause", "stage": "eod",
          "reply": "550 5.7.1 IPv6 sending guidelines", "receiver": "mx:big.test"}  # fmt: skip


def told(pacer: Controller, outcome: str, address: str, now: float, **changes: Any) -> None:
    """One log line about a message at this host."""
    values: dict[str, Any] = {"queue_id": f"Q{now}", "domain": "d1.test"} | changes
    line = evidence(
        outcome,
        host=NAMES[address],
        address=address,
        time=now,
        group=(address, 1, (now,)),
        **values,
    )
    pacer.observe(line, now)


def refused_connection(pacer: Controller, address: str, now: float) -> None:
    """Postfix could not connect to this host."""
    words = f"connect to {NAMES[address]}[{address}]:25: Connection refused"
    trouble = HostTrouble(now, "postfix", "postfix/smtp", "", NAMES[address], address, "connect",
                          words)  # fmt: skip
    pacer.host_trouble(from_trouble(trouble, BIG.receiver, None), now)


def hosts_of(pacer: Controller) -> Hosts:
    return pacer.lane(BIG, NOW).hosts


def aside(pacer: Controller, now: float) -> set[str]:
    """The hosts that are left out now."""
    return {one.address for one in hosts_of(pacer) if one.why and now < one.until}


@pytest.mark.parametrize("words", [BUSY, RATE], ids=["busy", "rate"])
def test_what_a_message_outlived_is_the_hosts(words: dict[str, Any]) -> None:
    """Refused by one host and taken by the next: the receiver goes on, that host is left out."""
    pacer = controller()
    for number in range(8):
        told(pacer, "tried", ONE, NOW + number, **words)
        told(pacer, "sent", TWO, NOW + number)
        assert pacer.peek(BIG, NOW + number) == "free"
    assert aside(pacer, NOW + 7.1) == {ONE}


def test_what_no_host_takes_is_the_receivers() -> None:
    """Refused by both hosts in one attempt: the receiver stops, and no single host is blamed."""
    pacer = controller()
    told(pacer, "sent", ONE, NOW)
    told(pacer, "tried", ONE, NOW + 1, **RATE)
    told(pacer, "deferred", TWO, NOW + 1, **RATE)
    assert pacer.peek(BIG, NOW + 1) == "suspended"
    assert aside(pacer, NOW + 1) == set()


def test_a_refusal_of_the_message_itself_says_nothing_of_the_last_host() -> None:
    """Busy at one host, no such user at the next: the first one is in trouble."""
    pacer = controller()
    told(pacer, "tried", ONE, NOW, **BUSY)
    told(pacer, "bounced", TWO, NOW, category="recipient.unknown", scope="recipient",
         stance="stop", reply="550 5.1.1 no such user", stage="rcpt")  # fmt: skip
    assert aside(pacer, NOW) == {ONE}


def test_nobody_is_blamed_for_an_end_that_never_comes() -> None:
    """The end of the attempt is lost: nothing stops, and the memory stays small."""
    pacer = controller()
    for number in range(10_000):
        told(pacer, "tried", ONE, NOW, queue_id=f"L{number}", **RATE)
    assert (pacer.peek(BIG, NOW), aside(pacer, NOW)) == ("free", set())
    assert len(pacer._outlived._waiting) <= 4096


def test_connections_that_fail_are_the_hosts_while_another_answers() -> None:
    """A dead host is left out for longer each time, and never stops the receiver."""
    pacer, lasted = controller(), []
    for _ in range(3):
        now = max([NOW, *(one.until for one in hosts_of(pacer))])
        told(pacer, "sent", TWO, now)
        refused_connection(pacer, ONE, now)
        lasted.append(next(one for one in hosts_of(pacer) if one.address == ONE).until - now)
    assert lasted == [30.0, 60.0, 120.0]
    assert pacer.peek(BIG, now) == "free"


def test_all_hosts_in_trouble_are_the_receivers_trouble() -> None:
    """A host that failed after it answered answers no more."""
    pacer = controller()
    told(pacer, "sent", ONE, NOW)
    told(pacer, "sent", TWO, NOW)
    for number in range(20):
        for address in (ONE, TWO):
            now = NOW + 1 + number * 0.1
            told(pacer, "deferred", address, now, queue_id=f"{address}{number}", **DEAD)
    assert pacer.peek(BIG, NOW + 5) == "suspended"


def test_a_message_refused_by_a_dead_host_is_tried_at_once_and_then_ever_more_seldom() -> None:
    """It may be another host's turn; where it is not, no message goes round and round."""
    pacer, now, waited = controller(), NOW, []
    for number in range(5):
        told(pacer, "sent", TWO, now, queue_id=f"S{number}")
        told(pacer, "deferred", ONE, now, queue_id="M", **DEAD)
        due = next(iter(pacer.book.get("M").parts.values())).due  # type: ignore[union-attr]
        waited.append(due - now)
        now = due + 0.1
    assert waited == [0.0, 5.0, 10.0, 20.0, 40.0]


# the gate ---------------------------------------------------------------------------------------


def paced(*well: str, dead: tuple[str, ...] = ()) -> Door:
    """A gate whose receiver has hosts that answer, and dead ones."""
    door = Door(tokens=1000)
    for address in well:
        told(door.controller, "sent", address, NOW, queue_id=f"W{address}")
    for address in dead:
        refused_connection(door.controller, address, NOW)
    return door


def kept(door: Door, *asked: tuple[int, str], by: Session | None = None) -> list[str]:
    """One attempt for a domain with these (preference, address); the addresses that were kept."""
    agent = by or Session()
    for preference, address in asked:
        if address != SIX:
            assert door.ask(mx("d1.test", NAMES[address], preference), agent) is KEEP
    answers = {
        address: door.ask(a(NAMES[address], address, "AAAA" if ":" in address else "A"), agent)
        for _, address in sorted(asked, key=lambda one: one[0])
    }
    return [address for address, answer in answers.items() if answer is KEEP]


def test_a_dead_host_is_left_out_while_an_equal_one_answers() -> None:
    """Wherever it stands among its equals; and it is left out of each attempt."""
    door = paced(TWO, dead=(ONE,))
    for order in ((ONE, TWO), (TWO, ONE)) * 3:
        assert kept(door, *((10, address) for address in order)) == [TWO]
    (dead,) = (one for one in hosts_of(door.controller) if one.address == ONE)
    assert dead.skipped == 6


def test_nothing_goes_to_a_worse_host_by_our_doing() -> None:
    """The best host is dead and a worse one answers: Postfix asks the best one first, as ever."""
    door = paced(TWO, dead=(ONE,))
    assert kept(door, (10, ONE), (20, TWO)) == [ONE, TWO]


def test_a_host_is_kept_where_no_other_is_known_to_answer() -> None:
    """Nobody has heard of the other host yet: both stay."""
    door = paced(dead=(ONE,))
    assert kept(door, (10, ONE), (10, TWO)) == [ONE, TWO]


def test_of_very_many_equals_only_the_next_are_looked_at() -> None:
    """A domain with a thousand exchangers costs each question little: what is doubtful is kept."""
    for before, answer in ((3, DROP), (1000, KEEP)):
        door, agent = paced(TWO, dead=(ONE,)), Session()
        others = [f"mx{number}.other.test" for number in range(10, 10 + before)]
        for host in (NAMES[ONE], *others, NAMES[TWO]):
            door.ask(mx("d1.test", host), agent)
        assert door.ask(a(NAMES[ONE], ONE), agent) is answer


def test_two_hosts_in_trouble_are_both_kept() -> None:
    """Never all hosts of an attempt are left out."""
    door = paced(ONE, TWO, dead=(ONE, TWO))
    assert kept(door, (10, ONE), (10, TWO)) == [ONE, TWO]


def test_one_attempt_at_a_time_tries_a_host_again() -> None:
    """When its time has come, until it answers."""
    door = paced(TWO, dead=(ONE,))
    door.now += 31.0
    first, second = Session(), Session()
    assert kept(door, (10, ONE), (10, TWO), by=first) == [ONE, TWO]
    assert kept(door, (10, ONE), (10, TWO), by=second) == [TWO]
    door.gate.closed(first)  # it went to the other host
    assert kept(door, (10, ONE), (10, TWO)) == [ONE, TWO]
    told(door.controller, "sent", ONE, door.now, queue_id="A")
    for _ in range(3):
        assert kept(door, (10, ONE), (10, TWO)) == [ONE, TWO]


def test_nobody_is_left_out_where_the_operator_says_so() -> None:
    """`hosts.enabled: false`, the shadow, `mxheed off`: hosts are watched, that is all."""
    door = paced(TWO, dead=(ONE,))
    pacer = door.controller
    pacer.retired = True
    assert kept(door, (10, ONE), (10, TWO)) == [ONE, TWO]
    pacer.retired = False
    assert kept(door, (10, ONE), (10, TWO)) == [TWO]
    pacer.use(PacingSettings(hosts=HostSettings(enabled=False)), NOW)
    assert kept(door, (10, ONE), (10, TWO)) == [ONE, TWO]


def test_hosts_are_left_alone_where_the_others_have_no_address_any_more() -> None:
    """Postfix finds no host behind one we left out: the message waits with us, and the next
    attempt may use every host.
    """
    door = paced(TWO, dead=(ONE,))
    agent = Session()
    for address in (ONE, TWO):
        door.ask(mx("d1.test", NAMES[address]), agent)
    assert door.ask(a(NAMES[ONE], ONE), agent) is DROP
    failed = evidence("deferred", host="", origin="local", receiver="unknown", queue_id="M",
                      category="net.dns", reply="Host or domain name not found. Name service error "
                      f"for name={NAMES[TWO]} type=A: Host not found")  # fmt: skip
    door.controller.observe(failed, NOW)
    assert door.controller.book.get("M") is not None
    assert hosts_of(door.controller).left_out(ONE, NOW) is None


def bereft(*exchangers: tuple[int, str], beyond: Beyond | None = None) -> tuple[Door, Session]:
    """An attempt of which a dead host was left out, and its equal has no address any more."""
    door, agent = paced(TWO, dead=(ONE,)), Session()
    door.gate._beyond = lambda: beyond or Beyond()
    for preference, host in ((10, NAMES[ONE]), (10, NAMES[TWO]), *exchangers):
        door.ask(mx("d1.test", host, preference), agent)
    assert door.ask(a(NAMES[ONE], ONE), agent) is DROP
    return door, agent


def test_nothing_goes_to_a_worse_host_where_the_equal_one_has_no_address_any_more() -> None:
    """The best host was left out for an equal that is gone: worse ones are held, until all are
    used again.
    """
    door, agent = bereft((20, "mx3.big.test"))
    assert door.ask(a("mx3.big.test", "192.0.2.3"), agent) is DROP
    failed = evidence("deferred", host="", origin="local", receiver="unknown", queue_id="M",
                      category="net.dns", reply="Host or domain name not found. Name service error "
                      "for name=mx3.big.test type=A: Host not found")  # fmt: skip
    door.controller.observe(failed, NOW)
    assert door.controller.book.get("M") is not None
    assert hosts_of(door.controller).left_out(ONE, NOW) is None


def test_nothing_goes_to_a_fallback_where_the_equal_one_has_no_address_any_more() -> None:
    """A fallback relay is no better: it is held as behind any hold."""
    door, agent = bereft(beyond=Beyond(fallbacks=frozenset({b"relay.test."})))
    assert door.ask(a("relay.test", "192.0.2.9"), agent) is DROP
    assert door.ask(a("relay.test", "192.0.2.9"), Session()) is KEEP  # mail of its own


def test_holds_do_not_end_the_leaving_out() -> None:
    """Our own holds are no sign that hosts have lost their addresses."""
    door = paced(TWO, dead=(ONE,))
    assert kept(door, (10, ONE), (10, TWO)) == [TWO]
    hold = evidence("held", queue_id="H", reply=HELD.format(NAMES[TWO]))
    door.controller.observe(hold, NOW)
    assert kept(door, (10, ONE), (10, TWO)) == [TWO]


_SETS = st.lists(
    st.tuples(st.sampled_from((10, 20)), st.sampled_from((ONE, TWO))),
    min_size=1, max_size=2, unique_by=lambda one: one[1],
)  # fmt: skip


@given(_SETS, st.sets(st.sampled_from((ONE, TWO))), st.sets(st.sampled_from((ONE, TWO))),
       st.integers(0, 200))  # fmt: skip
def test_each_preference_keeps_a_host(
    asked: list[tuple[int, str]], well: set[str], dead: set[str], seconds: int
) -> None:
    """Whatever is known of the hosts: an attempt that may start keeps one of each preference."""
    door = paced(*sorted(well), dead=tuple(sorted(dead)))
    door.now += seconds
    found = kept(door, *asked)
    assert {preference for preference, _ in asked} == {
        preference for preference, address in asked if address in found
    }


# hosts that keep silent --------------------------------------------------------------------------


def waiting(answering: bool) -> tuple[Door, list[Session]]:
    """Four attempts that got no answer; others did, if the second host answers."""
    door = Door(tokens=1000)
    for address in (ONE, TWO):
        told(door.controller, "sent", address, NOW - 5, queue_id=f"W{address}")
    agents = [Session() for _ in range(4)]
    for agent in agents:
        kept(door, (10, ONE), (10, TWO), by=agent)
    if answering:
        told(door.controller, "sent", TWO, NOW + 1.0, queue_id="T")
    door.now += 3.0
    door.controller.tick(door.now)
    return door, agents


def test_a_host_that_keeps_silent_is_left_out() -> None:
    """Attempts get no answer from it while another one answers: they take no place any more."""
    door, _ = waiting(answering=True)
    assert aside(door.controller, door.now) == {ONE}
    assert door.lane.window.open == 0
    assert kept(door, (10, ONE), (10, TWO)) == [TWO]


def test_a_receiver_that_is_slow_as_a_whole_is_no_hosts_trouble() -> None:
    """Nobody answers: nobody is left out."""
    door, _ = waiting(answering=False)
    assert aside(door.controller, door.now) == set()
    assert door.lane.window.open == 4


def test_a_host_that_takes_far_longer_than_another_is_left_out() -> None:
    """Ten seconds for a message, where the other one takes none: it is tried again later."""
    door = Door(tokens=1000)
    for address, took in ((TWO, 0.1), (ONE, 10.0)):
        agent = Session()
        kept(door, (10, address), by=agent)
        door.now += took
        told(door.controller, "sent", address, door.now, queue_id=f"T{address}")
    assert aside(door.controller, door.now) == {ONE}
    assert aside(door.controller, door.now + 61) == set()


# IPv6 --------------------------------------------------------------------------------------------


def test_a_block_of_our_ipv6_address_stops_ipv6_alone() -> None:
    """The receiver goes on by IPv4; a host without it is asked by IPv6 as ever."""
    door = paced(ONE)
    for number in range(6):
        told(door.controller, "bounced", SIX, NOW, queue_id=f"B{number}", **NO_PTR)
        assert door.controller.peek(BIG, NOW) != "suspended"
    assert kept(door, (10, ONE), (10, SIX)) == [ONE]
    agent = Session()
    door.ask(mx("d2.test", NAMES[SIX]), agent)
    assert door.ask(a(NAMES[SIX], SIX, "AAAA"), agent) is KEEP


def test_what_was_blocked_by_ipv6_goes_by_an_ipv4_that_nobody_tried_yet() -> None:
    """Whoever prefers IPv6 has never heard the other: the next attempt does not go there again."""
    door = paced()
    agents = Session(), Session(), Session()
    assert kept(door, (10, ONE), (10, SIX), by=agents[0]) == [ONE, SIX]
    told(door.controller, "bounced", SIX, NOW, queue_id="B", **NO_PTR)
    assert kept(door, (10, ONE), (10, SIX), by=agents[1]) == [ONE]
    refused_connection(door.controller, ONE, NOW)  # there is no way by IPv4
    assert kept(door, (10, ONE), (10, SIX), by=agents[2]) == [ONE, SIX]


def test_without_ipv4_it_is_the_receivers_block() -> None:
    """Nobody was reached by IPv4: a block of our IPv6 address stops the receiver."""
    pacer = controller()
    for number in range(6):
        told(pacer, "deferred", SIX, NOW + number, queue_id=f"B{number}", **NO_PTR)
    assert pacer.peek(BIG, NOW + 5) == "suspended"


# limits of their own -----------------------------------------------------------------------------


def test_hosts_with_limits_of_their_own_are_paced_one_by_one() -> None:
    """Known since one took what the other refused: from then on, refusals slow a host."""
    pacer = controller()
    for number in range(10):
        told(pacer, "sent", ONE, NOW + number * 0.01, queue_id=f"A{number}")
        told(pacer, "sent", TWO, NOW + number * 0.01, queue_id=f"B{number}")
    told(pacer, "tried", ONE, NOW + 0.2, **RATE)
    told(pacer, "sent", TWO, NOW + 0.2)
    told(pacer, "sent", TWO, NOW + 0.5)
    told(pacer, "deferred", ONE, NOW + 2.0, **RATE)  # the only one it was tried at
    assert pacer.peek(BIG, NOW + 2.0) == "free"
    told(pacer, "sent", ONE, NOW + 4.1)
    (host,) = (one for one in hosts_of(pacer) if one.address == ONE)
    assert host.pace is not None
    assert host.pace.rate == pytest.approx(4.0, rel=0.5)


def test_a_limit_that_all_hosts_share_is_not_evaded() -> None:
    """Twice all are refused and nobody took anything meanwhile: the receiver stops."""
    pacer = controller()
    told(pacer, "sent", TWO, NOW)
    told(pacer, "sent", ONE, NOW)
    told(pacer, "tried", ONE, NOW + 1, **RATE)
    told(pacer, "sent", TWO, NOW + 1)
    for now in (NOW + 2.5, NOW + 10):
        assert hosts_of(pacer).apart
        told(pacer, "sent", ONE, now)
        told(pacer, "sent", TWO, now)
        told(pacer, "deferred", ONE, now + 0.1, queue_id=f"X{now}", **RATE)
        told(pacer, "deferred", TWO, now + 0.9, queue_id=f"Y{now}", **RATE)
    assert pacer.peek(BIG, NOW + 10.9) == "suspended"
    assert not hosts_of(pacer).apart


# what stays, and how much ------------------------------------------------------------------------


def test_what_is_known_of_hosts_survives_a_restart() -> None:
    """Who is left out stays left out, for as long as before."""
    before = controller()
    told(before, "sent", TWO, NOW)
    refused_connection(before, ONE, NOW)
    told(before, "bounced", SIX, NOW, **NO_PTR)
    after = controller()
    assert after.restore(before.snapshot(NOW), NOW + 5, 5.0) == 0
    assert aside(after, NOW + 5) == aside(before, NOW) == {ONE, "IPv6"}
    was = {one.address: one.until + 5 for one in hosts_of(before) if one.why}
    assert {one.address: one.until for one in hosts_of(after) if one.why} == was


def test_the_memory_of_hosts_is_bounded() -> None:
    """A flood of addresses pushes out who is well and silent, not who is in trouble."""
    hosts = Hosts(HostSettings(most=8))
    hosts.of("dead", "mx", NOW).fails("net", "", 30.0, 2.0, 900.0, NOW)
    for number in range(5000):
        hosts.of(f"h{number}", "mx", NOW + number)
    assert len(list(hosts)) <= 8
    assert hosts.left_out("dead", NOW + 1) is not None


@given(st.lists(st.sampled_from(["fails", "accepts", "wait"]), max_size=60))
def test_every_wait_of_a_host_ends(events: list[str]) -> None:
    """Whatever it does: it is tried again at the latest after the longest wait."""
    host, now = Host(ONE, "mx", NOW), NOW
    for event in events:
        if event == "fails":
            host.fails("net", "", 30.0, 2.0, 900.0, now)
        elif event == "accepts":
            host.accepts(now, 0.1)
        now += 100.0 if event == "wait" else 0.1
        assert host.until <= now + 900.0
    assert host.is_well(now + 900.0) or host.may_probe(now + 900.0)


def test_an_explanation_names_the_hosts() -> None:
    """`throttle explain` says who is left out, since when and what it said."""
    pacer = controller()
    told(pacer, "sent", TWO, NOW)
    refused_connection(pacer, ONE, NOW)
    (lane,) = pacer.explain(BIG.receiver, NOW)
    assert [(one.address, one.state) for one in lane.hosts] == [(ONE, "left out"), (TWO, "well")]
    assert f"mx1.big.test ({ONE}) is left out where an equal host answers" in lane.text
    assert "Connection refused" in lane.text
