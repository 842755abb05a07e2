"""The MX gate's questions: which belong together, what they cost, what is kept."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.gate import DROP, KEEP, Gate
from policyd.receivers import Receivers
from policyd.throttle import Controller, Lane, Limits, PacingSettings
from tests.policyd.sim import NoTable

NOW = 1_000_000.0


class Session:
    memory: object = None


class Door:
    """A gate with one receiver of so many tokens, and a clock that is set by hand."""

    def __init__(self, tokens: int = 3, receiver: str = "mx:big.test") -> None:
        limits = Limits(rate=0.001, burst=float(tokens))
        self.now = NOW
        settings = PacingSettings(receivers={receiver: limits}, floor=0.0005)
        self.controller = Controller(settings, rng=random.Random(1))
        self.gate = Gate(self.controller, Receivers(NoTable()), lambda: self.now)
        lane = self.controller.lane(Lane("", receiver), NOW)
        assert lane.bucket is not None
        lane.bucket.tat = NOW  # full
        self.lane = lane

    def ask(self, key: str, session: Session, pool: str = "") -> bytes:
        return self.gate.ask(key.encode(), session, pool)

    @property
    def left(self) -> int:
        return self.lane.room(self.now)


def mx(domain: str, host: str = "mx.big.test", preference: int = 10) -> str:
    return f"{domain}. 3600 IN MX {preference} {host}."


def a(name: str = "mx.big.test", address: str = "192.0.2.1", kind: str = "A") -> str:
    return f"{name}. 3600 IN {kind} {address}"


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
        assert door.ask(mx("d1.test"), agent) is KEEP
        assert door.ask(a(), agent) is KEEP
        assert door.left == left
    assert door.ask(mx("d1.test"), agent) is DROP


def test_a_record_asked_again_is_a_new_attempt_even_when_all_was_dropped() -> None:
    """After a hold no address is asked for; the record that comes again tells the next attempt."""
    door, agent = Door(tokens=1), Session()
    assert door.ask(mx("d1.test"), agent) is KEEP
    held = Session()
    for _ in range(2):
        assert door.ask(mx("d1.test", "mx2.big.test", 20), held) is DROP
        assert door.ask(mx("d1.test", "mx.big.test"), held) is DROP
    assert door.gate.held == 2
    door.now += 2000
    assert door.ask(mx("d1.test", "mx2.big.test", 20), held) is KEEP


def test_two_domains_behind_one_receiver_share_its_tokens() -> None:
    """Sorted by MX, not by domain."""
    door = Door(tokens=2)
    assert [door.ask(mx(f"d{n}.test"), Session()) for n in range(4)] == [KEEP, KEEP, DROP, DROP]


def test_other_receivers_are_untouched() -> None:
    """A receiver without tokens holds nobody else's mail."""
    door = Door(tokens=1)
    door.ask(mx("d1.test"), Session())
    assert door.ask(mx("d2.test"), Session()) is DROP
    assert door.ask(mx("d2.test", "mx.other.test"), Session()) is KEEP


def test_only_the_held_receivers_records_are_dropped() -> None:
    """An attempt with hosts of two receivers goes to the one that may be used."""
    door = Door(tokens=1)
    door.ask(mx("d1.test"), Session())
    agent = Session()
    assert door.ask(mx("d2.test"), agent) is DROP
    assert door.ask(mx("d2.test", "backup.other.test", 20), agent) is KEEP
    assert door.ask(a("backup.other.test"), agent) is KEEP


def test_a_fallback_host_of_a_held_receiver_is_dropped_and_costs_nothing() -> None:
    """The second receiver of an attempt is looked at, not charged."""
    door, agent = Door(tokens=1), Session()
    assert door.ask(mx("d2.test", "first.other.test", 5), agent) is KEEP
    assert door.ask(mx("d2.test", preference=20), agent) is KEEP
    assert door.left == 1
    door.ask(mx("d1.test"), Session())
    second = Session()
    assert door.ask(mx("d2.test", "first.other.test", 5), second) is KEEP
    assert door.ask(mx("d2.test", preference=20), second) is DROP


def test_a_next_hop_in_brackets_is_gated_by_its_address_record() -> None:
    """[host] has no MX record: its first address record takes the token, the next ones follow."""
    door, agent = Door(tokens=2), Session()
    for _ in range(2):
        assert door.ask(a("relay.big.test", "192.0.2.1"), agent) is KEEP
        assert door.ask(a("relay.big.test", "192.0.2.2"), agent) is KEEP
    assert door.left == 0
    assert door.ask(a("relay.big.test", "192.0.2.1"), agent) is DROP


def test_a_bracketed_next_hop_after_an_ordinary_attempt_is_an_attempt_of_its_own() -> None:
    """An address record no MX record announced begins a new attempt."""
    door, agent = Door(tokens=2), Session()
    door.ask(mx("d1.test"), agent)
    door.ask(a(), agent)
    assert door.ask(a("relay.big.test"), agent) is KEEP
    assert door.left == 0


def test_an_exchanger_that_is_an_alias_belongs_to_its_attempt() -> None:
    """The address record of an aliased exchanger has another name and costs no second token."""
    door, agent = Door(), Session()
    door.ask(mx("d1.test", "alias.big.test"), agent)
    assert door.ask(a("real.elsewhere.test"), agent) is KEEP
    assert door.left == 2


@pytest.mark.parametrize(
    "key",
    ["", "x", "a b c", "d. 0 IN MX 10", "d. 0 IN MX 10 mx extra field", "_25._tcp.mx. 1 IN TLSA 3",
     "d. 0 IN CNAME other.", "d. 0 IN MX 0 ."],
)  # fmt: skip
def test_what_is_not_understood_is_kept(key: str) -> None:
    """Odd questions, other types and the null MX are Postfix's own business."""
    door = Door(tokens=1)
    door.ask(mx("d1.test"), Session())
    assert door.ask(key, Session()) is KEEP


def test_names_are_the_same_in_any_case() -> None:
    """DNS knows no case: neither does a lane."""
    door = Door(tokens=1)
    assert door.ask("D1.Test. 0 IN MX 10 MX.BIG.Test.", Session()) is KEEP
    assert door.ask(mx("d1.test"), Session()) is DROP


def test_each_pool_of_addresses_has_lanes_of_its_own() -> None:
    """What one source address is refused does not hold another's mail."""
    door = Door(tokens=1)
    door.controller.lane(Lane("p2", "mx:big.test"), NOW).bucket.tat = NOW  # type: ignore[union-attr]
    assert door.ask(mx("d1.test"), Session()) is KEEP
    assert door.ask(mx("d1.test"), Session()) is DROP
    assert door.ask(mx("d1.test"), Session(), "p2") is KEEP


def test_a_new_attempt_on_a_connection_ends_the_one_before() -> None:
    """One delivery agent does one thing at a time: attempts in flight never exceed the agents."""
    door, agent = Door(tokens=50), Session()
    for number in range(20):
        door.ask(mx(f"d{number}.test"), agent)
        door.ask(a(), agent)
    assert door.lane.window.open == 1


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_question_can_break_the_gate(key: bytes, second: bytes) -> None:
    """Any bytes get one of the two answers."""
    door, agent = Door(), Session()
    assert door.gate.ask(key, agent) in (KEEP, DROP)
    assert door.gate.ask(second + b" 0 IN MX 10 " + key, agent) in (KEEP, DROP)
