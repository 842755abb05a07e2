"""Durations are measured by a clock that nobody sets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.process.clock import Clock
from tests.policyd.clocks import Times

JUMPS = st.floats(-4e8, 4e8)
SPANS = st.floats(0.0, 1e6)


@given(st.lists(st.tuples(JUMPS, SPANS), max_size=8))
def test_setting_the_wall_clock_changes_no_duration(story: list[tuple[float, float]]) -> None:
    """However often it is set, as many seconds pass as pass."""
    times = Times()
    clock = times.clock()
    for jump, span in story:
        before = clock()
        times.set(jump)
        assert clock() == before
        times.go(span)
        assert clock() - before == pytest.approx(span, abs=1e-5)


@given(JUMPS, SPANS)
def test_what_people_are_told_is_wall_clock_time(jump: float, ahead: float) -> None:
    """A stop that ends in a minute ends a minute from now on the wall clock, too."""
    times = Times()
    clock = times.clock()
    times.set(jump)
    assert clock.posix(clock() + ahead) == pytest.approx(times.wall + ahead, abs=1e-5)
    assert clock.posix(clock.steady(times.wall - ahead)) == pytest.approx(
        times.wall - ahead, abs=1e-5
    )


def test_no_stamp_is_later_than_now() -> None:
    """A line written just before the clock was set back is an hour ahead: it is news, no more."""
    times = Times()
    clock = times.clock()
    stamp = times.wall
    times.set(-3600)
    assert clock.steady(stamp) == clock()


@given(JUMPS, JUMPS, SPANS, SPANS)
def test_a_restart_knows_how_long_it_took(a: float, b: float, ran: float, away: float) -> None:
    """What was an hour ahead is an hour less the absence ahead, however the clock was set."""
    times = Times()
    before = times.clock()
    times.set(a)
    times.go(ran)
    seal = json.loads(json.dumps(before.seal()))
    end = before() + 3600.0
    times.set(b)
    times.go(away)
    after = times.clock()
    assert end + after.shift(seal) - after() == pytest.approx(3600.0 - away, abs=1e-4)


@pytest.mark.parametrize(("jump", "left"), [(0.0, 3300.0), (-86_400.0, 3600.0), (3e8, -3e8 + 3300)])
def test_after_a_reboot_the_wall_clock_tells_and_never_backwards(jump: float, left: float) -> None:
    """300 s without power are 300 s; where the clock was set back meanwhile they are none."""
    times = Times()
    before = times.clock("one")
    seal, end = before.seal(), before() + 3600.0
    times.reboot(300.0)
    times.set(jump)
    after = times.clock("two")
    assert end + after.shift(seal) - after() == pytest.approx(left, abs=1e-3)


def test_the_machines_own_clocks_agree() -> None:
    """At the start steady seconds are POSIX seconds; they go on."""
    clock = Clock()
    assert abs(clock() - clock.wall()) < 5.0
    assert clock() <= clock()


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["boot", "ticks", "steady", "posix"]), ANY))
def test_a_damaged_seal_moves_times_to_no_strange_place(seal: dict[str, Any]) -> None:
    """Whatever stands in it, a number comes out."""
    assert abs(Times().clock().shift(seal)) < 1e17
