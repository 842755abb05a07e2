"""A large snapshot is taken so seldom that taking it hardly counts."""

from __future__ import annotations

import pytest

from policyd.seldom import Seldom


class Clock:
    """A clock that taking the snapshot moves on."""

    def __init__(self, cost: float) -> None:
        self.now, self.taken, self.cost = 1000.0, 0, cost

    def take(self) -> bytes:
        self.taken += 1
        self.now += self.cost
        return b"%d" % self.taken


@pytest.mark.parametrize(("cost", "most"), [(0.0, 60), (0.002, 31), (0.01, 7), (0.5, 2)])
def test_the_longer_it_takes_the_more_seldom(cost: float, most: int) -> None:
    """A thousandth of the time at most, but once a minute whatever it costs."""
    clock = Clock(cost)
    snapshot = Seldom(clock.take, lambda: clock.now)
    for _ in range(60):
        snapshot()
        clock.now += 1.0
    assert 1 <= clock.taken <= most
    clock.now += 61.0
    assert snapshot() == b"%d" % clock.taken


def test_it_can_be_hurried() -> None:
    """Before an end, the next one is of that very moment."""
    clock = Clock(0.5)
    snapshot = Seldom(clock.take, lambda: clock.now)
    assert (snapshot(), snapshot()) == (b"1", b"1")
    snapshot.again()
    assert snapshot() == b"2"
