"""Waiting at the door: who waits, in which order, how long, and what ends it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.hooks.doorkeeper import Doorkeeper
from policyd.hooks.mxgate import DROP, KEEP, Gate
from policyd.receiver.rollup import Receivers
from policyd.serve.later import Later
from policyd.throttle import Controller, Lane, PacingSettings
from policyd.throttle.lane.window import Window
from policyd.throttle.settings.door import DoorSettings
from policyd.throttle.settings.pacing import WindowSettings
from tests.policyd.sim import NoTable
from tests.policyd.throttle_parts import BIG, NOW, evidence


class Agent:
    """One delivery agent: its connection, and what it was told."""

    memory: Any = None

    def __init__(self) -> None:
        self.told: list[bytes] = []


class House:
    """A gate and a clock that is set by hand."""

    def __init__(self, rate: float = 0.0, **settings: Any) -> None:
        self.now = NOW
        given = PacingSettings(**({"jitter": 0.0} | settings))
        self.pacer = Controller(given, rng=random.Random(1))
        self.gate = Gate(self.pacer, Receivers(NoTable()), lambda: self.now)
        self.alarms: list[float] = []
        self.pacer.door.alarm = self.alarms.append
        if rate:
            self.pacer.set_rate(BIG.receiver, rate, NOW)

    def come(self, domain: str = "d1.test", host: str = "mx.big.test") -> Agent:
        """An agent comes and asks for a domain's exchanger, and for its address."""
        agent = Agent()
        assert self.gate.ask(f"{domain}. 0 IN MX 10 {host}.".encode(), agent) is KEEP
        answer = self.gate.ask(f"{host}. 0 IN A 192.0.2.1".encode(), agent)
        if isinstance(answer, Later):
            answer.then(agent.told.append)
        else:
            agent.told.append(answer)
        return agent

    def at(self, seconds: float) -> None:
        """So much later, what the doorkeeper does by then is done."""
        while self.now < NOW + seconds:
            self.now = min(self.now + 0.01, NOW + seconds)
            self.pacer.door.tend(self.now)

    def done(self, agent: Agent) -> None:
        """Its attempt was accepted."""
        self.gate.accepted(agent)

    @property
    def waiting(self) -> int:
        return self.pacer.door.waiting


def told(*agents: Agent) -> list[list[bytes]]:
    return [agent.told for agent in agents]


def test_an_attempt_waits_for_its_token_and_goes_when_it_is_there() -> None:
    """Ten a second: the third goes after three tenths, not before, and nothing was held."""
    house = House(10.0)
    agents = [house.come() for _ in range(3)]
    for tick, gone in ((0.05, 0), (0.11, 1), (0.19, 1), (0.21, 2), (0.31, 3)):
        house.at(tick)
        assert told(*agents) == [[KEEP]] * gone + [[]] * (3 - gone)
    assert house.gate.decisions["held"] == 0
    assert house.pacer.door.counts == {"admitted": 3, "held": 0, "left": 0}


def test_the_alarm_is_set_to_the_next_token() -> None:
    """Nobody polls: the door says when there is something to do."""
    house = House(10.0)
    house.come()
    assert house.alarms == [pytest.approx(NOW + 0.1)]


def test_only_those_wait_whose_turn_comes_in_time() -> None:
    """Ten a second and two seconds: twenty may wait, the next one is held at once."""
    house = House(10.0, door=DoorSettings(wait=2.0))
    agents = [house.come() for _ in range(25)]
    assert told(*agents) == [[]] * 20 + [[DROP]] * 5


def test_nobody_waits_where_waiting_is_switched_off() -> None:
    """wait: 0 holds at once."""
    house = House(10.0, door=DoorSettings(wait=0.0))
    assert house.come().told == [DROP]


def test_no_more_wait_for_receivers_with_a_limit_than_there_are_places() -> None:
    """The places are shared by all of them, so that other mail finds delivery agents."""
    house = House(10.0, door=DoorSettings(most=7))
    house.pacer.set_rate("mx:other.test", 10.0, NOW)
    for number in range(5):
        house.come()
        house.come(f"o{number}.test", "mx.other.test")
    assert house.waiting == 7
    assert house.come("d.test", "mx.third.test").told == [KEEP]


def test_in_front_of_a_full_window_all_wait_who_get_a_place_in_time() -> None:
    """A receiver never seen takes twelve at a time; the others wait and follow one by one."""
    house = House(window=WindowSettings(initial=12))
    agents = [house.come() for _ in range(90)]
    assert told(*agents) == [[KEEP]] * 12 + [[]] * 78
    house.now += 0.25
    house.done(agents[0])
    assert told(*agents[12:14]) == [[KEEP], [KEEP]]  # its place, and the window opened by one
    assert house.gate.decisions["held"] == 0


def test_a_slow_receiver_keeps_nobody_waiting_for_longer_than_allowed() -> None:
    """Two seconds a message, twelve at a time: whose turn is further away is held."""
    house = House(door=DoorSettings(wait=5.0), window=WindowSettings(initial=12))
    first = [house.come() for _ in range(12)]
    house.now += 2.0
    for agent in first:
        house.done(agent)
    waiting = [house.come() for _ in range(200)]
    held = [agent for agent in waiting if agent.told == [DROP]]
    open_, places = house.pacer.lane(BIG, NOW).window.open, house.pacer.lane(BIG, NOW).window.size()
    assert open_ == places
    assert len(held) == pytest.approx(200 - open_ - places * 5.0 / 2.0, abs=places)


def test_the_moment_a_lane_is_suspended_all_who_wait_are_held() -> None:
    """A refusal answers the whole line, and their domains are known for the log lines to come."""
    house = House()
    agents = [house.come(f"d{number}.test") for number in range(40)]
    house.gate.refused(evidence("deferred", source="status", domain="", queue_id=""), agents[0])
    assert told(*agents[12:]) == [[DROP]] * 28
    assert house.pacer.peek(BIG, house.now) == "suspended"
    house.pacer.observe(evidence("held", queue_id="Q30", domain="d30.test"), house.now)
    assert house.pacer.book.waiting(BIG) == 1


def test_an_operators_word_is_heard_at_the_door() -> None:
    """A pin to suspended holds them, a pin to free lets them go."""
    for state, answer in (("suspended", DROP), ("free", KEEP)):
        house = House(1.0)
        agents = [house.come() for _ in range(3)]
        house.pacer.pin(BIG.receiver, state, 60.0, NOW)  # type: ignore[arg-type]
        house.pacer.door.tend(NOW)
        assert told(*agents) == [[answer]] * 3


def test_new_mail_does_not_pass_what_waits_in_the_queue() -> None:
    """While held messages are ready, only those that were let go wait at the door."""
    house = House(2.0)
    house.pacer.observe(evidence("held", queue_id="OLD", domain="d1.test"), NOW)
    house.pacer.set_home("d1.test", BIG)
    house.pacer.observe(evidence("held", queue_id="OLD", domain="d1.test"), NOW)
    assert house.come("d2.test").told == [DROP]
    house.now = NOW + 0.35
    assert [release.queue_id for release in house.pacer.due(house.now)] == ["OLD"]
    old = house.come("d1.test")
    assert old.told == []  # before its turn, so it waits
    house.at(0.52)
    assert old.told == [KEEP]


def test_a_message_let_go_stands_in_line_like_everybody() -> None:
    """First come, first served: it does not push those away who came before."""
    house = House(2.0)
    first = house.come("d2.test")
    house.pacer.set_home("d1.test", BIG)
    house.pacer.observe(evidence("held", queue_id="OLD", domain="d1.test"), NOW)
    house.at(0.52)
    assert first.told == [KEEP]
    (release,) = house.pacer.due(NOW + 0.9)
    house.now = NOW + 0.95
    old, new = house.come("d1.test"), house.come("d3.test")
    house.at(1.02)
    assert (release.queue_id, old.told, new.told) == ("OLD", [KEEP], [])


def test_nobody_waits_longer_than_patience_lasts() -> None:
    """The rate fell meanwhile: who has waited long enough is held after all."""
    house = House(10.0, door=DoorSettings(wait=1.0))
    agents = [house.come() for _ in range(10)]
    house.at(0.55)
    house.pacer.set_rate(BIG.receiver, 0.1, house.now)
    house.at(1.01)
    assert told(*agents) == [[KEEP]] * 5 + [[DROP]] * 5
    assert house.pacer.door.seconds == pytest.approx(0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 5.0, abs=0.1)


def test_who_goes_away_gives_its_place_back() -> None:
    """The next in line moves up; an attempt under way is over with its client."""
    house = House(10.0)
    agents = [house.come() for _ in range(3)]
    house.gate.closed(agents[0])
    house.at(0.11)
    assert told(*agents) == [[], [KEEP], []]
    window = house.pacer.lane(BIG, NOW).window
    assert window.open == 1
    house.gate.closed(agents[1])
    assert window.open == 0
    assert house.pacer.door.counts == {"admitted": 1, "held": 0, "left": 1}


def test_off_and_the_end_of_the_daemon_let_everybody_in() -> None:
    """Down means open."""
    for end in ("retire", "open"):
        house = House(1.0)
        agents = [house.come() for _ in range(4)]
        (house.pacer.retire if end == "retire" else house.pacer.door.open)(NOW + 0.1)
        assert told(*agents) == [[KEEP]] * 4
        assert house.waiting == 0


def test_in_shadow_nobody_waits() -> None:
    """Nothing is held, nothing is delayed, only counted."""
    house = House(1.0, shadow=True)
    assert told(*(house.come() for _ in range(5))) == [[KEEP]] * 5
    assert house.pacer.counts["shadow.hold"] == 5


def test_the_parts_of_a_message_wait_behind_its_probe() -> None:
    """One part probes; accepted, the others follow at the learnt rate instead of being held."""
    house = House(5.0, window=WindowSettings(initial=12))
    house.pacer.pin(BIG.receiver, "suspended", 1.0, NOW)
    for number in range(8):
        house.pacer.set_home(f"d{number}.test", BIG)
        house.pacer.observe(evidence("held", queue_id="WIDE", domain=f"d{number}.test"), NOW)
    (release,) = house.pacer.due(NOW + 3.0)
    assert (release.why, release.tokens) == ("probe", 8)
    house.now = NOW + 3.1
    agents = [house.come(f"d{number}.test") for number in range(8)]
    assert told(*agents) == [[KEEP]] + [[]] * 7
    house.now = NOW + 3.2
    house.done(agents[0])
    assert house.pacer.peek(BIG, house.now) == "slowed"
    house.at(5.0)
    assert told(*agents) == [[KEEP]] * 8


def test_a_probe_nobody_judged_makes_room_for_the_next() -> None:
    """A probe that bounced, or was never heard of again, must not keep the lane shut."""
    house = House(5.0)
    house.pacer.pin(BIG.receiver, "suspended", 1.0, NOW)
    house.now = NOW + 3.0
    probe = house.come()
    assert probe.told == [KEEP]
    assert house.come("d2.test").told == [DROP]
    unknown = evidence("bounced", category="recipient.unknown", scope="recipient", stance="stop")
    house.pacer.observe(unknown._replace(time=house.now), house.now)
    assert house.come("d3.test").told == [KEEP]


@given(st.lists(st.tuples(st.sampled_from("aaabcelrst"), st.floats(0, 0.7)), max_size=60))
def test_whatever_happens_each_is_told_once_and_nobody_is_forgotten(
    play: list[tuple[str, float]],
) -> None:
    """Arrivals, ends, refusals, clients that go, the clock: the books stay true."""
    house = House(4.0, door=DoorSettings(wait=2.0, most=5))
    agents: list[Agent] = []
    gone: list[Agent] = []
    for what, wait in play:
        house.now += wait
        if what == "a":
            agents.append(house.come(f"d{len(agents)}.test"))
        elif what == "t":
            house.pacer.door.tend(house.now)
        elif what == "s":
            house.pacer.due(house.now)
        elif agents:
            agent = agents[len(agents) // 2]
            if what == "c":
                house.gate.closed(agent)
                gone.append(agent)
            elif what == "r":
                house.gate.refused(evidence("deferred", source="status", queue_id=""), agent)
            else:
                house.gate.accepted(agent)
        lane = house.pacer.lane(Lane("", BIG.receiver), house.now)
        assert lane.at_door == house.waiting <= 5
        assert all(len(agent.told) <= 1 for agent in agents)
    house.now += 2.0
    house.pacer.door.tend(house.now)
    assert house.waiting == 0
    assert all(agent.told for agent in agents if agent not in gone)


def test_the_doorkeeper_wakes_at_the_earliest_time_it_was_asked_for() -> None:
    """One timer; a later wish does not put an earlier one off."""

    async def scene() -> None:
        house = House(50.0)
        Doorkeeper(house.pacer.door, lambda: house.now)
        agents = [house.come() for _ in range(2)]
        house.now = NOW + 1.0  # the loop's own clock decides when, ours what
        async with asyncio.timeout(5):
            while house.waiting:
                await asyncio.sleep(0.001)
        assert told(*agents) == [[KEEP]] * 2

    asyncio.run(scene())


def test_idle_sessions_do_not_talk_a_cap_down_that_held_for_long() -> None:
    """A cap that was used without a refusal for a while stays at the next one, not at two in a row.

    Sessions that the MTA keeps idle fill places nobody sees; so such refusals come now and then.
    """
    window = Window(WindowSettings())
    first = [window.begin("d.test", NOW, 0, False) for _ in range(8)]
    window.close(first.pop(), NOW)
    window.refused(NOW, 3600.0)
    for _ in range(2):  # two more of those in flight
        window.refused_again()
    assert window.size() == 5
    for _ in range(5 * 4):
        window.accepted(NOW + 0.5)
    window.refused(NOW + 0.9, 3600.0)
    assert window.size() == 5
    window.refused(NOW + 1.0, 3600.0)
    assert window.size() == 4
