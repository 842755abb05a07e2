"""The wall clock is set while the daemon runs: nothing it decides changes by that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd import core as core_module
from policyd.config import Config
from policyd.core import Core, prepare
from policyd.receiver.lookup import LookupSettings
from policyd.serve.session import Session
from policyd.serve.turns import finish
from policyd.throttle import Controller
from policyd.web.status import page
from tests.policyd.clocks import Times
from tests.policyd.test_daemon import LIMITED, SENT
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence

CONFIG = Config(lookup=LookupSettings(enabled=False))
GOOGLE = b"gmail-smtp-in.l.google.com. 60 IN A 192.0.2.26"
BOTH_WAYS = st.sampled_from([-86_400.0, -3600.0, -1.0, 0.5, 3600.0, 86_400.0, 3e8, -3e8])
JUMPS = st.dictionaries(st.integers(0, 29), BOTH_WAYS, max_size=4)


@pytest.fixture(autouse=True, scope="module")
def _rules_are_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        ready = prepare(CONFIG, None)
        patch.setattr(core_module, "prepare", lambda config, base: ready)
        yield


class Machine:
    """A core on a machine whose wall clock somebody sets."""

    def __init__(self) -> None:
        self.times = Times()
        self.core = Core(CONFIG, clock=self.times.clock())

    def line(self, pattern: str, number: int) -> bytes:
        """A line written now, with the wall clock's stamp."""
        stamp = datetime.fromtimestamp(self.times.wall, UTC).isoformat(timespec="microseconds")
        return f"{stamp} mail postfix/smtp[411]: {pattern.format(number, number)}".encode()

    def second(self, number: int) -> tuple[Any, ...]:
        """One second: a line, a question, and what the page says of the time ahead."""
        pattern = LIMITED if number in (3, 4, 5, 12, 20) else SENT
        self.core.process(self.line(pattern, number), self.times.wall)
        answer = self.core.maps["mx"](GOOGLE, Session(), "")
        released = self.core.controller.due(self.core.clock())
        lanes = finish(page(self.core, "log", True, {}))
        told = [
            (row.id, lane.state, lane.held, lane.until and round(lane.until - lanes.now, 3))
            for row in lanes.receivers
            for lane in row.lanes
        ]
        self.times.go(1.0)
        return answer if isinstance(answer, bytes) else "later", len(released), told

    def restart(self, seconds: float, *, reboot: bool = False) -> None:
        """The process ends as after SIGTERM and starts again so much later."""
        self.core.hurry()
        saved = {name: take() for name, take in self.core.documents.items()}
        if reboot:
            self.times.reboot(seconds)
        else:
            self.times.go(seconds)
        self.core = Core(CONFIG, clock=self.times.clock("two" if reboot else "one"))
        assert self.core.restore(saved) == {}


def story(jumps: dict[int, float]) -> list[tuple[Any, ...]]:
    machine, told = Machine(), []
    for number in range(30):
        machine.times.set(jumps.get(number, 0.0))
        told.append(machine.second(number))
    return told


@cache
def plain() -> list[tuple[Any, ...]]:
    """The story on a machine whose clock nobody sets."""
    return story({})


@settings(max_examples=40)
@given(JUMPS)
def test_a_story_is_the_same_however_the_clock_is_set(jumps: dict[int, float]) -> None:
    """Every answer, every release, every time ahead that the page tells."""
    assert any(answer == b"OK IGNORE" for answer, _, _ in plain())
    assert story(jumps) == plain()


@pytest.mark.parametrize("jump", [-86_400.0, -3600.0, 0.0, 3600.0, 86_400.0])
@pytest.mark.parametrize("away", [0.5, 40.0])
def test_a_stop_lasts_as_long_when_the_clock_is_set_over_a_restart(
    jump: float, away: float
) -> None:
    """A pin of 60 s has 60 s less the absence left, neither a day nor nothing."""
    machine = Machine()
    machine.second(0)
    machine.core.controller.pin("google", "suspended", 60.0, machine.core.clock())
    machine.times.set(jump)
    machine.restart(away)
    (state,) = machine.core.controller.of_receiver("google", machine.core.clock())
    assert state.state == "suspended"
    assert state.until - machine.core.clock() == pytest.approx(60.0 - away, abs=0.01)


@pytest.mark.parametrize(("jump", "left"), [(0.0, 300.0), (-1e7, 600.0), (1e7, None)])
def test_after_a_reboot_no_stop_is_longer_than_it_was(jump: float, left: float | None) -> None:
    """300 s off leave half of 600 s; a clock that was set back meanwhile lets nothing grow."""
    machine = Machine()
    machine.core.controller.pin("google", "suspended", 600.0, machine.core.clock())
    machine.restart(300.0 + jump, reboot=True)
    now = machine.core.clock()
    (state,) = machine.core.controller.of_receiver("google", now)
    if left is None:
        assert state.state == "probing"
    else:
        assert state.until - now == pytest.approx(left, abs=0.1)


def test_a_snapshot_that_claims_a_year_ahead_stops_nobody_for_a_year() -> None:
    """What no reaction and no hint could have set is cut to what they can."""
    before = controller()
    before.pin("mx:big.test", "suspended", 30.0, NOW)
    saved = before.snapshot(NOW)
    saved["lanes"][0].update(until=NOW + 3e7, pinned=0.0)
    after = controller()
    assert after.restore(saved, NOW) == 0
    (state,) = after.lanes(NOW)
    assert state.until - NOW <= 2 * 14_400.0


def held(pacer: Controller, number: int, now: float) -> None:
    pacer.observe(
        evidence("held", queue_id=f"Q{number}", time=now, sender=f"s{number % 50}.test"), now
    )


def test_where_nobody_lets_mail_go_memory_does_not_grow() -> None:
    """`release.enabled: false`: what left the queue leaves the book, its queues and the window."""
    pacer, now = controller(), NOW
    for number in range(20_000):
        now += 0.01
        held(pacer, number, now)
        pacer.admit(BIG, f"d{number}.test", now)
        pacer.removed(f"Q{number}")
        if number % 100 == 0:
            pacer.tick(now)
    pacer.tick(now + 400.0)
    entries = sum(
        len(turn.heap)
        for classes in pacer.book._turns.values()
        for senders in classes.values()
        for turn in senders.values()
    )
    assert len(pacer.book) == 0
    assert entries <= 2_100
    assert len(pacer.book._aside) <= 2_100
    assert sum(state.window.open for state in pacer.lanes(now)) == 0
