"""Background MX look-ups: never waiting, never asking twice, never failing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import dns.exception
import dns.message
import dns.rrset
import pytest

from policyd.receiver.lookup import Answer, MxLookup, _negative_ttl
from policyd.receiver.rollup import UNKNOWN, Receivers
from policyd.settings.lookup import LookupSettings
from tests.policyd.sim import NoTable


class World:
    """A clock, a DNS that says what it is told, and the look-up between them."""

    def __init__(self, **settings: Any) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self.answers: dict[str, Answer | Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.lookup = MxLookup(
            Receivers(NoTable()),
            lambda: self.now,
            LookupSettings(**{"rate": 1e9, **settings}),
            self.resolve,
        )

    async def resolve(self, domain: str, deadline: float) -> Answer:
        self.asked.append(domain)
        await self.gate.wait()
        answer = self.answers.get(domain, Answer((), 60.0, exists=False))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


def play(scene: Callable[[World], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def main() -> None:
        world = World(**settings)
        await scene(world)
        await world.lookup.close()

    asyncio.run(main())


def test_an_unknown_domain_is_answered_at_once_and_looked_up_behind() -> None:
    """The first answer is "unknown", the next one is the look-up's."""

    async def scene(world: World) -> None:
        world.answers["a.example"] = Answer(((10, "mx.big.example."),), 600.0)
        assert world.lookup.known("a.example").receiver == UNKNOWN
        await world.settle()
        assert world.lookup.known("A.EXAMPLE.").receiver == "mx:big.example"
        assert world.asked == ["a.example"]

    play(scene)


def test_many_questions_for_one_domain_are_one_look_up() -> None:
    """Whoever asks while a look-up is under way shares it."""

    async def scene(world: World) -> None:
        world.gate.clear()
        world.answers["a.example"] = Answer(((10, "mx.big.example."),), 600.0)
        for _ in range(50):
            world.lookup.known("a.example")
        waiting = asyncio.gather(*(world.lookup.look_up("a.example") for _ in range(10)))
        await world.settle()
        world.gate.set()
        assert {found.receiver for found in await waiting} == {"mx:big.example"}
        assert world.asked == ["a.example"]

    play(scene)


@pytest.mark.parametrize(
    ("ttl", "alive", "over"), [(5.0, 299.0, 301.0), (900.0, 899.0, 901.0), (1e9, 86399.0, 86401.0)]
)
def test_answers_live_for_their_ttl_within_bounds(ttl: float, alive: float, over: float) -> None:
    """A TTL is lengthened to the shortest life and cut to the longest."""

    async def scene(world: World) -> None:
        world.answers["a.example"] = Answer(((10, "mx.big.example."),), ttl)
        await world.lookup.look_up("a.example")
        world.now = 1000.0 + alive
        world.lookup.known("a.example")
        await world.settle()
        assert len(world.asked) == 1
        world.now = 1000.0 + over
        assert world.lookup.known("a.example").receiver == "mx:big.example"  # stale, but there
        await world.settle()
        assert len(world.asked) == 2

    play(scene)


def test_a_domain_that_is_not_there_is_not_asked_for_again_soon() -> None:
    """Negative answers are kept, too, and for no longer than allowed."""

    async def scene(world: World) -> None:
        world.answers["gone.example"] = Answer((), 1e6, exists=False)
        for _ in range(5):
            assert world.lookup.known("gone.example").receiver == UNKNOWN
            await world.settle()
        assert len(world.asked) == 1
        world.now += 901
        world.lookup.known("gone.example")
        await world.settle()
        assert len(world.asked) == 2

    play(scene)


def test_an_outage_serves_the_last_answer_and_leaves_dns_alone_for_a_while() -> None:
    """What was known serves on as stale; DNS is tried again after the outage's wait only."""

    async def scene(world: World) -> None:
        world.answers["a.example"] = Answer(((10, "mx.big.example."),), 300.0)
        await world.lookup.look_up("a.example")
        world.answers["a.example"] = dns.exception.Timeout()
        world.now += 400
        for _ in range(10):
            assert world.lookup.known("a.example").receiver == "mx:big.example"
            await world.settle()
        assert len(world.asked) == 2
        assert world.lookup.counts["failed"] == 1
        world.now += 31
        world.lookup.known("a.example")
        await world.settle()
        assert len(world.asked) == 3

    play(scene)


def test_an_outage_without_an_answer_before_is_an_unknown_receiver() -> None:
    """A domain never seen stays unknown while DNS is away, and is counted as such."""

    async def scene(world: World) -> None:
        world.answers["a.example"] = OSError("no route")
        assert (await world.lookup.look_up("a.example")).receiver == UNKNOWN
        assert world.lookup.counts["failed"] == 1

    play(scene)


def test_a_dns_server_that_never_answers_is_given_up_at_the_deadline() -> None:
    """A resolver that hangs costs its deadline, and nobody else anything."""

    async def scene(world: World) -> None:
        world.gate.clear()
        found = await asyncio.wait_for(world.lookup.look_up("a.example"), 3)
        assert found.receiver == UNKNOWN
        assert world.lookup.counts["failed"] == 1

    play(scene, deadline=-0.95)  # the look-up allows one second more than the resolver


def test_a_flood_of_unknown_names_starts_a_bounded_number_of_look_ups() -> None:
    """More look-ups than may wait are refused and counted; answers still come at once."""

    async def scene(world: World) -> None:
        world.gate.clear()
        for number in range(200):
            assert world.lookup.known(f"d{number}.example").receiver == UNKNOWN
        await world.settle()
        assert len(world.asked) == 2
        assert world.lookup.counts["refused"] == 160
        world.gate.set()

    play(scene, concurrency=2)


def test_new_names_are_looked_up_one_by_one_at_a_steady_pace() -> None:
    """The first at once, the others with a pause before each; also after a time without any."""

    async def scene(world: World) -> None:
        asyncio.get_running_loop().time = lambda: world.now  # type: ignore[method-assign]
        for number in range(5):
            world.lookup.known(f"d{number}.example")
        for begun in (1, 2, 3, 4, 5, 5, 5):
            await world.settle()
            assert len(world.asked) == begun
            world.now += 0.1
        for number in range(5, 8):
            world.lookup.known(f"d{number}.example")
        await world.settle()
        assert world.asked == [f"d{number}.example" for number in range(6)]

    play(scene, rate=10.0)


def test_a_name_that_waits_for_its_turn_is_looked_up_once() -> None:
    """Who awaits a name that is on the list gets it at once, and its turn passes."""

    async def scene(world: World) -> None:
        world.lookup.known("a.example")
        world.lookup.known("b.example")
        await world.lookup.look_up("b.example")
        await world.settle()
        assert sorted(world.asked) == ["a.example", "b.example"]

    play(scene)


def test_a_turn_that_comes_after_the_answer_is_no_second_look_up() -> None:
    """A name on the list that somebody awaited has its answer: its turn begins nothing."""

    async def scene(world: World) -> None:
        asyncio.get_running_loop().time = lambda: world.now  # type: ignore[method-assign]
        world.lookup.known("a.example")
        world.lookup.known("b.example")
        await world.settle()
        assert world.asked == ["a.example"]
        await world.lookup.look_up("b.example")
        for _ in range(5):
            world.now += 0.1
            await world.settle()
        assert world.asked == ["a.example", "b.example"]

    play(scene, rate=10.0)


def test_literals_and_names_that_are_none_are_never_asked_for() -> None:
    """An address needs no DNS; rubbish gets none."""

    async def scene(world: World) -> None:
        assert world.lookup.known("[192.0.2.1]").receiver == "ip:192.0.2.1"
        assert (await world.lookup.look_up("[IPv6:2001:db8::1]")).receiver == "ip:2001:db8::1"
        assert world.lookup.known("no name").receiver == UNKNOWN
        await world.settle()
        assert world.asked == []

    play(scene)


def test_international_names_are_asked_for_as_a_labels() -> None:
    """DNS is asked in ASCII, whatever script the domain was written in."""

    async def scene(world: World) -> None:
        await world.lookup.look_up("Bücher.example")
        assert world.asked == ["xn--bcher-kva.example"]

    play(scene)


def test_the_life_of_a_negative_answer_is_the_zones_own() -> None:
    """The smaller of the SOA's TTL and its minimum field holds."""
    response = dns.message.Message()
    soa = "ns.example. host.example. 1 7200 900 1209600 300"
    response.authority.append(dns.rrset.from_text("example.", 3600, "IN", "SOA", soa))
    assert _negative_ttl(response) == 300.0
    assert _negative_ttl(dns.message.Message()) == 60.0
