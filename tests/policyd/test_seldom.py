"""A large snapshot is taken so seldom that taking it hardly counts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from policyd.store.largesnapshot import LargeSnapshot, array


class Clock:
    """A clock that taking the snapshot moves on."""

    def __init__(self, cost: float) -> None:
        self.now, self.taken, self.cost = 1000.0, 0, cost

    def take(self) -> Iterator[bytes]:
        self.taken += 1
        self.now += self.cost
        yield b"%d" % self.taken


@pytest.mark.parametrize(("cost", "most"), [(0.0, 60), (0.002, 31), (0.01, 7), (0.5, 2)])
def test_the_longer_it_takes_the_more_seldom(cost: float, most: int) -> None:
    """A thousandth of the time at most, but once a minute whatever it costs."""
    clock = Clock(cost)
    snapshot = LargeSnapshot(clock.take, lambda: clock.now)
    for _ in range(60):
        snapshot()
        clock.now += 1.0
    assert 1 <= clock.taken <= most
    clock.now += 61.0
    snapshot()
    assert snapshot() == b"%d" % clock.taken


def test_it_can_be_hurried() -> None:
    """Before an end, the next one is of that very moment."""
    clock = Clock(0.5)
    snapshot = LargeSnapshot(clock.take, lambda: clock.now)
    assert (snapshot(), snapshot()) == (b"1", b"1")
    snapshot.again()
    assert snapshot() == b"2"


def test_a_large_one_is_taken_in_pieces() -> None:
    """A call works for some milliseconds; until the last piece is there, the old one holds."""
    clock = Clock(0.0)

    def take() -> Iterator[bytes]:
        clock.taken += 1
        for piece in (b"a", b"b", b"c"):
            clock.now += 0.0015
            yield piece

    snapshot = LargeSnapshot(take, lambda: clock.now)
    snapshot.taken = b"old"
    assert [snapshot() for _ in range(3)] == [b"old", b"abc", b"abc"]
    snapshot.taken = b"old"
    snapshot.again()
    assert snapshot() == b"abc"
    assert clock.taken == 2


@pytest.mark.parametrize("count", [0, 1, 200, 201, 999])
def test_the_pieces_are_one_array(count: int) -> None:
    """However many rows there are."""
    rows = [[number, "x"] for number in range(count)]
    assert json.loads(b"".join(array(rows))) == rows
