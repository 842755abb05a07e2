"""The MX gate's questions: which belong together, what they cost, what is kept."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.bounded import Bounded
from policyd.hooks.beyond import Beyond
from policyd.hooks.mxgate import DROP, KEEP, Gate
from policyd.receiver.rollup import Receivers
from policyd.throttle import Controller, Lane, Limits, PacingSettings
from tests.policyd.sim import NoTable
from tests.policyd.throttle_parts import evidence

NOW = 1_000_000.0
HELD = "Error looking up name={} type=A: DNS reply filter drops all results"


class Session:
    memory: object = None


class Door:
    """A gate with one receiver of so many tokens, and a clock that is set by hand."""

    def __init__(
        self,
        tokens: int = 3,
        receiver: str = "mx:big.test",
        whose: Callable[[object], object] = lambda session: None,
        beyond: Beyond | None = None,
    ) -> None:
        limits = Limits(rate=0.001, burst=float(max(1, tokens)))
        self.now = NOW
        settings = PacingSettings(receivers={receiver: limits}, floor=0.0005)
        self.controller = Controller(settings, rng=random.Random(1))
        receivers, known = Receivers(NoTable()), beyond or Beyond()
        self.gate = Gate(self.controller, receivers, lambda: self.now, whose, lambda: known)
        lane = self.controller.lane(Lane("", receiver), NOW)
        assert lane.bucket is not None
        lane.bucket.tat = NOW  # full
        self.lane = lane
        if not tokens:
            self.suspend(receiver)

    def ask(self, key: str, session: Session, pool: str = "") -> bytes:
        answer = self.gate.ask(key.encode(), session, pool)
        assert isinstance(answer, bytes)
        return answer

    def attempt(
        self,
        domain: str,
        *exchangers: tuple[int, str],
        by: Session | None = None,
        pool: str = "",
    ) -> list[str]:
        """Make one attempt as Postfix does; the hosts whose address was kept."""
        agent = by or Session()
        hosts = exchangers or ((10, "mx.big.test"),)
        for preference, host in hosts:
            assert self.ask(mx(domain, host, preference), agent, pool) is KEEP
        ordered = sorted(hosts, key=lambda one: one[0])
        return [host for _, host in ordered if self.ask(a(host), agent, pool) is KEEP]

    def suspend(self, *receivers: str) -> None:
        """These receivers take nothing at all."""
        for receiver in receivers:
            self.controller.pin(receiver, "suspended", 3600.0, self.now)

    @property
    def left(self) -> int:
        return self.lane.room(self.now)


def mx(domain: str, host: str = "mx.big.test", preference: int = 10) -> str:
    return f"{domain}. 3600 IN MX {preference} {host}."


def a(name: str = "mx.big.test", address: str = "192.0.2.1", kind: str = "A") -> str:
    return f"{name}. 3600 IN {kind} {address}"


BIG = ["mx.big.test"]


def test_one_attempt_costs_one_token_however_many_records_it_asks_for() -> None:
    """MX records of one receiver and the address records after them are one attempt."""
    door, agent = Door(), Session()
    assert door.ask(mx("d1.test"), agent) is KEEP
    assert door.ask(mx("d1.test", "mx2.big.test", 20), agent) is KEEP
    assert door.ask(a("mx.big.test"), agent) is KEEP
    assert door.ask(a("mx.big.test", "192.0.2.2"), agent) is KEEP
    assert door.ask(a("mx2.big.test", "2001:db8::1", "AAAA"), agent) is KEEP
    assert door.left == 2


def test_the_same_question_after_the_addresses_is_a_new_attempt() -> None:
    """A delivery agent that comes back for the same domain needs a token anew."""
    door, agent = Door(), Session()
    for left in (2, 1, 0):
        assert door.attempt("d1.test", by=agent) == BIG
        assert door.left == left
    assert door.attempt("d1.test", by=agent) == []


def test_a_record_asked_again_is_a_new_attempt_even_when_no_host_had_an_address() -> None:
    """Where no address is asked for, the MX record that comes again tells the next attempt."""
    door, agent = Door(tokens=1), Session()
    door.ask(mx("d1.test", "gone.big.test"), agent)
    assert door.attempt("d1.test", (10, "gone.big.test"), by=agent) == ["gone.big.test"]
    assert door.left == 0


def test_two_domains_behind_one_receiver_share_its_tokens() -> None:
    """Sorted by MX, not by domain."""
    door = Door(tokens=2)
    assert [door.attempt(f"d{n}.test") for n in range(4)] == [BIG, BIG, [], []]


def test_other_receivers_are_untouched() -> None:
    """A receiver without tokens holds nobody else's mail."""
    door = Door(tokens=1)
    door.attempt("d1.test")
    assert door.attempt("d2.test") == []
    assert door.attempt("d2.test", (10, "mx.other.test")) == ["mx.other.test"]


def test_a_hold_keeps_every_mx_record_and_drops_every_address() -> None:
    """Without the best record Postfix would go to the next one, or bounce where that is itself."""
    door, agent = Door(tokens=1), Session()
    door.attempt("d1.test")
    hosts = ((20, "mx2.big.test"), (10, "mx.big.test"))
    assert door.attempt("d2.test", *hosts, by=agent) == []
    for address in ("192.0.2.7", "2001:db8::7"):
        assert door.ask(a("mx2.big.test", address), agent) is DROP
    assert door.gate.decisions["held"] == 1


@pytest.mark.parametrize(
    "question", ["", "a b c", "d.test. 60 IN MX mx.d.test.", "d.test. 60 IN MX 123456 mx.d.test."]
)
def test_a_question_that_cannot_be_read_passes_and_is_counted(question: str) -> None:
    """Mail does not wait for what is not understood, and nobody overlooks it."""
    door = Door(tokens=0)
    assert door.ask(question, Session()) is KEEP
    assert door.gate.decisions == {"admitted": 0, "held": 0, "unreadable": 1}


def test_while_the_best_is_held_nobody_worse_gets_the_mail() -> None:
    """A backup of somebody else's, asked for first as the DNS had it, is held as well."""
    door = Door(tokens=1)
    door.attempt("d1.test")
    hosts = ((30, "third.other.test"), (20, "backup.other.test"), (10, "mx.big.test"))
    assert door.attempt("d2.test", *hosts) == []


def test_equal_hosts_of_two_receivers_are_held_while_one_of_them_is() -> None:
    """Both must be free; then the one that is asked for first pays."""
    door = Door(tokens=1)
    hosts = ((10, "mx.big.test"), (10, "mx.other.test"), (20, "mx.third.test"))
    door.suspend("mx:other.test")
    assert door.attempt("d2.test", *hosts) == []
    assert dict(door.controller.homes())["d2.test"] == Lane("", "mx:other.test")
    assert (door.left, door.gate.decisions["held"]) == (1, 1)
    door.controller.cancel("mx:other.test", NOW)
    assert door.attempt("d2.test", *hosts) == [host for _, host in hosts]
    assert door.left == 0


def test_a_fallback_host_of_a_held_receiver_is_dropped_and_costs_nothing() -> None:
    """The second receiver of an attempt is looked at, not charged; behind it nobody is used."""
    door = Door(tokens=1)
    hosts = ((5, "first.other.test"), (20, "mx.big.test"), (30, "mx.third.test"))
    names = [host for _, host in hosts]
    assert door.attempt("d2.test", *hosts) == names
    assert door.left == 1
    door.attempt("d1.test")
    assert door.attempt("d2.test", *hosts) == names[:1]


@pytest.mark.parametrize("told", [False, True])
def test_behind_a_held_host_nobody_is_kept_whatever_name_is_asked(told: bool) -> None:
    """An exchanger that is an alias may be listed twice: this machine may stand between."""
    door, agent = Door(tokens=0), Session()
    if told:
        door.ask(a("relay.other.test"), agent)
        door.gate.told(agent)
    for preference, host in ((10, "m.big.test"), (20, "us.test"), (20, "m.big.test")):
        door.ask(mx("d1.test", host, preference), agent)
    for name in ("real.else.test", "us.test", "real.else.test"):
        assert door.ask(a(name, "192.0.2.1"), agent) is DROP
        assert door.ask(a(name, "192.0.2.2"), agent) is DROP


def test_an_alias_for_another_exchangers_name_does_not_open_what_is_held() -> None:
    """Two of three records lead to one name, the third one's real name comes between."""
    door, agent = Door(tokens=0), Session()
    given = ((20, "m.big.test"), (20, "n.big.test"), (30, "mx.big.test"))
    for preference, host in given:
        door.ask(mx("d1.test", host, preference), agent)
    for name in ("mx.big.test", "real.else.test", "mx.big.test"):
        assert door.ask(a(name), agent) is DROP


@pytest.mark.parametrize("order", [(10, 20, 10), (10, 10, 10)])
def test_the_machine_where_loops_begin_stays_beside_an_alias_that_was_kept(
    order: tuple[int, int, int],
) -> None:
    """The best host's real name is that of another exchanger, and is taken for that one.

    Were only this machine dropped then, Postfix would send to the other one what it must bounce.
    """
    door, agent = Door(tokens=0), Session()
    hosts = ("alias.big.test", "real.other.test", "us.test")
    for preference, host in zip(order, hosts, strict=True):
        door.ask(mx("d1.test", host, preference), agent)
    kept = [door.ask(a(name), agent) for name in ("real.other.test", "us.test")]
    assert kept[0] is kept[1]


def test_a_record_that_is_given_twice_is_no_other_attempt() -> None:
    """Not every resolver throws twins away; what came before them still counts."""
    door, agent = Door(), Session()
    door.suspend("mx:other.test")
    for preference, host in ((5, "first.other.test"), (10, "mx.big.test"), (10, "mx.big.test")):
        door.ask(mx("d1.test", host, preference), agent)
    for host in ("first.other.test", "mx.big.test", "mx.big.test"):
        assert door.ask(a(host), agent) is DROP


def test_a_worse_preference_is_kept_or_held_as_a_whole() -> None:
    """Were just this machine missing there, Postfix would not see that the others lead back."""
    door = Door(tokens=1)
    door.suspend("mx:us.test")
    hosts = ((10, "mx.big.test"), (20, "peer.other.test"), (20, "backup.us.test"))
    assert door.attempt("d1.test", *hosts) == BIG


def test_a_next_hop_in_brackets_is_gated_by_its_address_record() -> None:
    """[host] has no MX record: its first address record takes the token, the next ones follow."""
    door, agent = Door(tokens=2), Session()
    for _ in range(2):
        assert door.ask(a("relay.big.test", "192.0.2.1"), agent) is KEEP
        assert door.ask(a("relay.big.test", "192.0.2.2"), agent) is KEEP
    assert door.left == 0
    assert door.ask(a("relay.big.test", "192.0.2.1"), agent) is DROP
    assert door.ask(a("relay.big.test", "2001:db8::1", "AAAA"), agent) is DROP


def test_a_bracketed_next_hop_after_an_ordinary_attempt_is_an_attempt_of_its_own() -> None:
    """An address record no MX record announced begins a new attempt; so does one asked again."""
    door, agent = Door(tokens=3), Session()
    door.attempt("d1.test", by=agent)
    assert door.ask(a("relay.big.test"), agent) is KEEP
    assert door.left == 1
    door.attempt("d1.test", by=agent)
    assert door.ask(a("mx.big.test"), agent) is DROP


def test_an_exchanger_that_is_an_alias_belongs_to_its_attempt() -> None:
    """The address record of an aliased exchanger has another name and costs no second token."""
    door, agent = Door(), Session()
    door.ask(mx("d1.test", "alias.big.test"), agent)
    assert door.ask(a("real.elsewhere.test"), agent) is KEEP
    assert door.ask(a("real.elsewhere.test", "2001:db8::1", "AAAA"), agent) is KEEP
    assert door.left == 2


def test_an_aliased_backup_is_held_with_the_best() -> None:
    """By whatever names they are asked for, also when both are one machine."""
    door, agent = Door(tokens=0), Session()
    for preference, host in ((10, "alias.big.test"), (20, "alias.other.test")):
        door.ask(mx("d1.test", host, preference), agent)
    assert door.ask(a("real.elsewhere.test"), agent) is DROP
    assert door.ask(a("real.elsewhere.test"), agent) is DROP


def test_what_is_turned_to_next_in_a_held_attempt_is_held_with_it() -> None:
    """A fallback relay or second relay host; the status filter tells when another attempt began."""
    door, agent = Door(tokens=0), Session()
    door.gate.told(agent)  # too early: nothing is known of this client
    assert door.attempt("d1.test", by=agent) == []
    door.gate.told(agent)
    assert door.attempt("fine.test", (10, "mx.other.test"), by=agent) == ["mx.other.test"]
    door.gate.told(agent)
    assert door.attempt("d2.test", by=agent) == []
    assert door.attempt("fallback.test", (10, "mx.other.test"), by=agent) == []
    assert door.ask(a("third.other.test"), agent) is DROP
    door.gate.told(agent)
    assert door.ask(a("third.other.test"), agent) is KEEP
    assert door.gate.decisions["held"] == 2


def test_before_the_status_filter_has_spoken_the_message_tells_whether_it_is_the_same() -> None:
    """The same message that was held: its next next-hop is; another message is not."""
    message = ["one"]
    door, agent = Door(tokens=0, whose=lambda session: message[0]), Session()
    other = Session()
    door.attempt("d1.test", by=other)
    door.gate.told(other)
    assert door.attempt("d1.test", by=agent) == []
    assert door.attempt("fallback.test", (10, "mx.other.test"), by=agent) == []
    message[0] = "two"
    assert door.attempt("fine.test", (10, "mx.other.test"), by=agent) == ["mx.other.test"]


@pytest.mark.parametrize("told", [False, True])
def test_without_a_status_filter_a_messages_other_recipients_are_not_held_with_one(
    told: bool,
) -> None:
    """One agent delivers them one after the other, of the same message: no fallback of a held one.

    `told`: the status filter of other agents has spoken, this one's does not.
    """
    door, agent = Door(tokens=0, whose=lambda session: "one"), Session()
    if told:
        other = Session()
        for one in (other, agent):
            door.attempt("before.test", (10, "mx.other.test"), by=one)
        door.gate.told(other)
    assert door.attempt("d1.test", by=agent) == []
    for domain in ("fine.test", "well.test"):
        assert door.attempt(domain, (10, "mx.other.test"), by=agent) == ["mx.other.test"]


def test_what_cannot_be_known_to_be_the_same_attempt_is_another_one() -> None:
    """Nobody else's mail is held for one that was."""
    door, agent = Door(tokens=0), Session()
    assert door.attempt("d1.test", by=agent) == []
    assert door.attempt("fine.test", (10, "mx.other.test"), by=agent) == ["mx.other.test"]


def test_where_the_status_filter_is_known_to_speak_the_first_hold_has_no_leak() -> None:
    """A fallback of which nothing is known: it is asked for before the filter has spoken."""
    door, agent = Door(tokens=0, beyond=Beyond(tells=frozenset({""}))), Session()
    assert door.attempt("d1.test", by=agent) == []
    assert door.attempt("fallback.test", (10, "mx.other.test"), by=agent) == []
    door.gate.told(agent)
    assert door.attempt("fine.test", (10, "mx.other.test"), by=agent) == ["mx.other.test"]


def test_a_fallback_that_is_known_by_name_is_held_without_a_status_filter() -> None:
    """Its exchangers, too, and the next one behind it; who is none of them is held for nobody."""
    known = Beyond(fallbacks=frozenset({b"fallback.test.", b"third.other.test."}))
    door, agent = Door(tokens=0, beyond=known), Session()
    assert door.attempt("d1.test", by=agent) == []
    fallback = ("fallback.test", (10, "mx.other.test"), (20, "alias.other.test"))
    assert door.attempt(*fallback, by=agent) == []
    assert door.ask(a("third.other.test"), agent) is DROP
    assert door.ask(a("third.other.test", kind="AAAA", address="2001:db8::1"), agent) is DROP
    hops = door.controller.hops
    line = evidence("held", domain="d0.test", reply=HELD.format("third.other.test"))
    assert hops.translate(line._replace(time=NOW), Bounded(10)).domain == "d1.test"
    assert door.gate.decisions["held"] == 1
    assert door.attempt("fine.test", (10, "mx.other.test"), by=agent) == ["mx.other.test"]
    assert door.attempt(*fallback, by=agent) == ["mx.other.test", "alias.other.test"]


@pytest.mark.parametrize(
    "key",
    ["", "x", "a b c", "d. 0 IN MX 10", "d. 0 IN MX 10 mx extra field", "_25._tcp.mx. 1 IN TLSA 3",
     "d. 0 IN CNAME other.", "d. 0 IN MX 0 .", "d. 0 IN MX ten mx.big.test.",
     "d. 0 IN MX 99999999 mx.big.test.", "d. 0 IN MX \xb2 mx.big.test."],
)  # fmt: skip
def test_what_is_not_understood_is_kept(key: str) -> None:
    """Odd questions, other types and the null MX are Postfix's own business."""
    door = Door(tokens=0)
    assert door.ask(key, Session()) is KEEP


def test_names_are_the_same_in_any_case() -> None:
    """DNS knows no case: neither does a lane."""
    door, agent = Door(tokens=1), Session()
    door.ask("D1.Test. 0 IN MX 10 MX.BIG.Test.", agent)
    door.ask("D1.test. 0 IN MX 20 mx.other.test.", agent)
    assert door.ask("Mx.Other.test. 0 IN A 192.0.2.1", agent) is KEEP
    assert door.ask("mx.BIG.test. 0 IN A 192.0.2.1", Session()) is KEEP
    assert door.ask("MX.big.test. 0 IN A 192.0.2.1", Session()) is DROP


def test_each_pool_of_addresses_has_lanes_of_its_own() -> None:
    """What one source address is refused does not hold another's mail."""
    door = Door(tokens=1)
    door.controller.lane(Lane("p2", "mx:big.test"), NOW).bucket.tat = NOW  # type: ignore[union-attr]
    assert [door.attempt("d1.test", pool=pool) for pool in ("", "", "p2")] == [BIG, [], BIG]


def test_a_new_attempt_on_a_connection_ends_the_one_before() -> None:
    """One delivery agent does one thing at a time: attempts in flight never exceed the agents."""
    door, agent = Door(tokens=50), Session()
    for number in range(20):
        door.attempt(f"d{number}.test", by=agent)
    assert door.lane.window.open == 1


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_question_can_break_the_gate(key: bytes, second: bytes) -> None:
    """Any bytes get one of the two answers."""
    door, agent = Door(), Session()
    assert door.gate.ask(key, agent) in (KEEP, DROP)
    assert door.gate.ask(second + b" 0 IN MX 10 " + key, agent) in (KEEP, DROP)


def test_pools_of_a_stranger_fill_no_memory() -> None:
    """Whoever names ever new pools, and lets the status filter speak in each, is forgotten."""
    door = Door(tokens=50)
    for number in range(2_000):
        agent = Session()
        door.attempt("d1.test", by=agent, pool=f"p{number}")
        door.gate.told(agent)
    assert len(door.gate._telling) <= 256
    assert "p1999" in door.gate._telling
