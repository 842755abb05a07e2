"""Greedy clients: whatever one sends, or does not read, the others are answered and memory ends."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.config import Config, MetricsSettings
from policyd.core import Core
from policyd.metrics.sources import Health, metrics
from policyd.metrics.table import TABLE
from policyd.process.reloading import Reloads
from policyd.serve.connection import READ, UNREAD
from policyd.serve.endpoint import Endpoint
from policyd.serve.netstring import encode
from policyd.serve.policy import DUNNO, PolicyEndpoint
from policyd.serve.session import HookCounts
from policyd.serve.socketmap import SocketmapEndpoint
from policyd.serve.turns import Steps, Turns
from policyd.throttle.lane.window import Window
from policyd.throttle.settings.pacing import WindowSettings
from policyd.web.shared import REST, Shared
from policyd.web.status import page
from tests.policyd.clocks import still
from tests.policyd.serve_parts import Loop, Wire, send, services
from tests.policyd.test_serve_servers import LOOPS, get, settings, talk, while_serving

QUESTION = encode(b"mx d.test. 3600 IN MX 10 mx.d.test.")
REQUEST = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=a@b\n\n"


class Tick:
    """A clock on which each look takes a while."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def socketmap(turns: Turns) -> tuple[Endpoint[Any], list[object]]:
    asked: list[object] = []
    maps = {"mx": lambda key, session, pool: asked.append(key) or b"NOTFOUND "}
    return SocketmapEndpoint(maps, clock=lambda: 0.0, turns=turns), asked  # type: ignore[arg-type]


def policy(turns: Turns) -> tuple[Endpoint[Any], list[object]]:
    asked: list[object] = []
    return PolicyEndpoint(
        lambda request, session: asked.append(request) or DUNNO,  # type: ignore[func-returns-value]
        clock=lambda: 0.0,
        turns=turns,
    ), asked


WIRES = [
    pytest.param(socketmap, QUESTION, id="socketmap"),
    pytest.param(socketmap, encode(b"mx "), id="socketmap-tiny"),
    pytest.param(policy, REQUEST, id="policy"),
    pytest.param(policy, b"a=\n\n", id="policy-tiny"),
]
Make = Callable[[Turns], tuple[Endpoint[Any], list[object]]]


@pytest.mark.parametrize(("make", "question"), WIRES)
def test_one_turn_answers_a_bounded_number(make: Make, question: bytes) -> None:
    """Four clients fill their reads with questions: each turn of the loop ends after its share."""
    loop = Loop()
    served, asked = make(Turns(soon=loop.calls.append, clock=Tick(1.0), share=10.0))
    polite, wire, many = served.protocol(), Wire(), READ // len(question)
    polite.connection_made(wire)
    for _ in range(4):
        flooder = served.protocol()
        flooder.connection_made(Wire())
        send(flooder, question * many)
    assert len(asked) == 4, "each had one answer at once"
    polite_ones = 0
    while loop.calls:
        before = len(asked)
        loop.calls.pop(0)()
        assert len(asked) - before <= 10 * 8, "ten pieces of work, eight questions in each"
        before, polite_ones = len(wire.sent), polite_ones + 1
        send(polite, question)
        assert len(wire.sent) > before, "whoever asks one question is answered at once"
    assert len(asked) == 4 * many + polite_ones


@pytest.mark.parametrize(("make", "question"), WIRES)
def test_a_client_that_pipelines_is_read_no_further_until_it_is_answered(
    make: Make, question: bytes
) -> None:
    """What it sends meanwhile stays in the kernel, and it is read again afterwards."""
    loop = Loop()
    served, asked = make(loop.turns)
    flooder, wire = served.protocol(), Wire()
    flooder.connection_made(wire)
    send(flooder, question * 100)
    assert not wire.reading
    loop.run()
    assert wire.reading
    assert len(asked) == 100


@pytest.mark.parametrize(("make", "question"), WIRES)
def test_answers_nobody_reads_are_not_made(make: Make, question: bytes) -> None:
    """A full write buffer stops reading and answering; when it drains, all goes on in order."""
    loop = Loop()
    served, asked = make(loop.turns)
    flooder, wire = served.protocol(), Wire()
    flooder.connection_made(wire)
    assert wire.limit == UNREAD
    send(flooder, question * 100)
    flooder.pause_writing()
    loop.run()
    assert (len(asked), wire.reading) == (1, False)
    flooder.resume_writing()
    loop.run()
    assert (len(asked), wire.reading) == (100, True)


def test_reads_are_small_whatever_arrives() -> None:
    """The loop gets one buffer for all connections, and never more of it."""
    served, _ = socketmap(Turns())
    one, two = served.protocol(), served.protocol()
    assert one.get_buffer(1 << 20).obj is two.get_buffer(-1).obj
    assert len(one.get_buffer(1 << 20)) == READ


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(1, 4))
def test_everybody_in_the_line_gets_on(work: list[int], each: int) -> None:
    """Whatever is to do is done, one after the other, and no turn is longer than its share."""
    loop = Loop()
    turns = Turns(soon=loop.calls.append, clock=Tick(1.0), share=float(each))
    done: list[int] = []
    left = dict(enumerate(work))

    def piece(number: int) -> Callable[[], bool]:
        def some() -> bool:
            done.append(number)
            left[number] -= 1
            return left[number] > 0

        return some

    for number in left:
        turns.add(piece(number))
    while loop.calls:
        before = len(done)
        loop.calls.pop(0)()
        assert 1 <= len(done) - before <= each
    assert all(count <= 0 for count in left.values())
    assert done[: len(work)] == list(range(len(work))), "nobody has a second piece before"


def test_work_that_breaks_does_not_stop_the_others() -> None:
    """An error in one piece reaches the loop's handler; the line goes on."""
    loop, done = Loop(), []

    def breaks() -> bool:
        raise RuntimeError("inside")

    loop.turns.add(breaks)
    loop.turns.add(lambda: bool(done.append(1)))  # type: ignore[func-returns-value]
    with pytest.raises(RuntimeError, match="inside"):
        loop.run()
    loop.run()
    assert done == [1]


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_flooders_that_never_read_starve_nobody(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Real sockets: what flooders can send ends, and a polite client has all its answers."""
    maps = {"mx": lambda key, session, pool: b"OK " + key}
    key = b"k" * 9000

    def ask(servers: Any) -> tuple[int, list[bytes]]:
        address = servers.addresses["socketmap"][0]
        flooders = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        taken = 0
        for line in flooders:
            line.connect(address.removeprefix("unix:"))
            line.settimeout(0.2)
            try:
                while taken < 50_000_000:
                    taken += line.send(encode(b"mx " + key))
            except TimeoutError:
                pass  # the kernel's buffers are full: nobody reads us any more
        answers = talk(address, *[b"4:mx x,"] * 100)
        for line in flooders:
            line.close()
        return taken, answers

    taken, answers = while_serving(settings(tmp_path), services(maps=maps), ask, loop)
    assert answers == [b"4:OK x,"] * 100
    assert taken < 5_000_000


def test_questions_are_answered_while_a_page_is_made(tmp_path: Path) -> None:
    """A page that takes for ever to make goes in steps, and Postfix's question comes between."""
    asked: list[bytes] = []
    maps = {"mx": lambda key, session, pool: asked.append(key) or b"NOTFOUND "}
    usual, begun = services(maps=maps), threading.Event()

    def page(most: int | None) -> Steps[Any]:
        begun.set()
        while not asked:
            yield
        return (yield from usual.page(most))

    def ask(servers: Any) -> int:
        found: list[int] = []
        browser = threading.Thread(target=lambda: found.append(get(servers, "/")[0]))
        browser.start()
        assert begun.wait(10)
        assert talk(servers.addresses["socketmap"][0], b"4:mx x,") == [b"9:NOTFOUND ,"]
        browser.join(10)
        return found[0]

    assert while_serving(settings(tmp_path), dataclasses.replace(usual, page=page), ask) == 200


def steps_of(steps: Steps[Any]) -> int:
    """Into how many pieces the work is cut."""
    count = 1
    for _ in steps:
        count += 1
    return count


def test_thousands_of_lanes_are_told_in_small_steps() -> None:
    """Neither page nor metrics do more than a hundred lanes, receivers or series at a time."""
    core = Core(Config(metrics=MetricsSettings(receivers=2000)), clock=still(lambda: 1000.0))
    core.process("".join(map(refusal, range(300))).encode(), 1000.0)
    assert len(core.controller.lanes(1000.0)) == 300
    assert steps_of(page(core, "log", True, {})) > 300 / 100 + 300 / 100 + 60
    hooks = {"socketmap": HookCounts(), "policy": HookCounts()}
    health = Health(safe=lambda: False, damaged=lambda: 0, releases=lambda: True, ways=dict)
    numbers = metrics(core, hooks, dict, Reloads(), health)
    series = len([one for one in numbers.render().splitlines() if b"throttle_state{" in one])
    assert series == 1200
    assert steps_of(numbers.steps()) > len(TABLE) + 300 * 4 * 2 / 100


def refusal(number: int) -> str:
    """A receiver that refuses: a lane with something to tell."""
    host = f"mx.d{number}.test"
    return (
        f"1970-01-01T00:16:40.000000+00:00 mail postfix/smtp[1]: {0xA0000 + number:X}: "
        f"to=<u@d{number}.test>, relay={host}[192.0.2.1]:25, delay=1, delays=0.1/0/0.4/0.5, "
        f"dsn=4.7.0, status=deferred (host {host}[192.0.2.1] said: 421 4.7.0 Too many messages "
        "from your IP, slow down (in reply to MAIL FROM command))\n"
    )


def test_a_client_that_only_asks_fills_no_memory() -> None:
    """Attempts that nothing is ever heard of are remembered up to a number, the newest of them."""
    window = Window(WindowSettings())
    for number in range(18_000):
        attempt = window.begin(f"d{number}.test", 0.0, 0, False)
        if number % 2:
            window.close(attempt, 0.0)
    assert len(window._oldest) == len(window._by_domain) < 17_000
    assert window.open == len(window._oldest) // 2
    assert window.pair("d17999.test", True, 0.0) is attempt


class Making:
    """Something that takes three steps of a second, and is numbered."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = 0
        self.wrong = False
        self.shared = Shared(self._steps, Turns(), clock=lambda: self.now)

    def _steps(self) -> Steps[int]:
        if self.wrong:
            raise RuntimeError("inside")
        self.made += 1
        for _ in range(3):
            self.now += 1.0
            yield
        return self.made

    async def together(self, count: int) -> list[int]:
        return list(await asyncio.gather(*(self.shared.get() for _ in range(count))))


def test_a_page_is_made_once_for_all_who_ask_meanwhile() -> None:
    """Many browsers cost one page; it is given out again for a while that its cost decides."""

    async def look() -> None:
        making = Making()
        assert await making.together(5) == [1] * 5
        making.now = 3.0 + REST * 3.0 - 0.1
        assert await making.together(2) == [1] * 2
        making.now += 0.2
        assert await making.together(2) == [2] * 2

    asyncio.run(look())


def test_a_page_that_breaks_is_tried_again_by_the_next_one() -> None:
    """The error goes to all who waited, and is not kept."""

    async def look() -> None:
        making = Making()
        making.wrong = True
        with pytest.raises(RuntimeError, match="inside"):
            await making.together(2)
        making.wrong = False
        assert await making.together(1) == [1]

    asyncio.run(look())
