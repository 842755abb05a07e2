"""The table of lanes: bounded, whatever names strangers give their mail exchangers."""

from __future__ import annotations

import pytest

from policyd.throttle import Controller, Lane
from policyd.throttle.lanes import Lanes
from tests.policyd.throttle_parts import NOW, controller


def flood(pacer: Controller, names: int) -> None:
    """Attempts to hosts that are only seen once, and are over at once."""
    for number in range(names):
        now = NOW + 0.01 * number
        admitted = pacer.admit(Lane("", f"mx:h{number}.test"), f"d{number}.test", now)
        if admitted.attempt is not None:
            pacer.end(admitted.lane, admitted.attempt, now)


def test_a_flood_of_names_forgets_idle_lanes_before_those_that_matter() -> None:
    """50,000 names later the table is no larger, and lanes in trouble or in use are still there."""
    pacer = controller()
    pacer.pin("mx:troubled.test", "suspended", 7200.0, NOW)
    under_way = pacer.admit(Lane("", "mx:slow.test"), "slow.test", NOW)
    flood(pacer, 50_000)
    assert len(pacer.lanes(NOW)) <= pacer.settings.lanes
    assert pacer.peek(Lane("", "mx:troubled.test"), NOW) == "suspended"
    assert pacer.of_receiver("mx:slow.test", NOW) == [under_way.lane]
    assert pacer.of_receiver("mx:h49999.test", NOW), "the youngest stay"
    assert not pacer.of_receiver("mx:h0.test", NOW)


def test_pools_that_nobody_uses_are_forgotten_with_their_lanes() -> None:
    """A client may name as many pools as it likes: no more are kept than there are lanes."""
    pacer = controller(lanes=80)
    for number in range(1_000):
        pacer.lane(Lane(f"p{number}", "mx:big.test"), NOW + number)
    assert len(pacer._pools) <= 80
    assert len(pacer.of_receiver("mx:big.test", NOW + 1_000)) == len(pacer.lanes(NOW + 1_000))


def test_a_flood_of_names_costs_little_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """All lanes are looked at once for an eighth of the table, not once for each new name."""
    looks: list[int] = []
    forget = Lanes._forget_some
    monkeypatch.setattr(Lanes, "_forget_some", lambda self: (looks.append(1), forget(self)))
    flood(controller(lanes=800), 5_000)
    assert 1 <= len(looks) <= 1 + (5_000 - 800) // 100


@pytest.mark.parametrize("size", [1, 2, 7, 9])
def test_a_table_of_any_size_takes_new_names(size: int) -> None:
    """At least one lane goes when there is no room, so that the new one has a place."""
    pacer = controller(lanes=size)
    flood(pacer, 30)
    assert 1 <= len(pacer.lanes(NOW)) <= size
    assert pacer.of_receiver("mx:h29.test", NOW)


def test_the_time_of_very_many_lanes_is_minded_some_at_a_time() -> None:
    """No call looks at all of them, and none is left out: each attempt times out in the end."""
    pacer = controller()
    for number in range(3_500):
        pacer.admit(Lane("", f"mx:h{number}.test"), "d.test", NOW)
    late = NOW + pacer.settings.window.timeout + 1
    open_now = []
    for call in range(5):
        pacer.due(late + 0.01 * call)
        open_now.append(sum(state.window.open for state in pacer.lanes(late)))
    assert open_now == [2_500, 1_500, 500, 0, 0]
