"""The token bucket and the estimate of what a receiver took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.throttle.lane.estimate import Accepted
from policyd.throttle.lane.gcra import Gcra

RATES = st.floats(0.01, 1000)
BURSTS = st.floats(1, 50)
GAPS = st.lists(st.floats(0, 5), min_size=1, max_size=200)


@given(RATES, BURSTS, GAPS)
def test_no_span_of_time_lets_more_through_than_rate_and_burst(
    rate: float, burst: float, gaps: list[float]
) -> None:
    """In any stretch of time at most its tokens and one burst are given."""
    bucket, now, given_at = Gcra(rate, burst, 0.0), 0.0, list[float]()
    for gap in gaps:
        now += gap
        while bucket.take(now) and len(given_at) < 2000:
            given_at.append(now)
    for first in range(0, len(given_at), 7):
        span = given_at[-1] - given_at[first]
        assert len(given_at) - first <= span * rate + burst + 1e-6 * len(given_at) + 1


@given(RATES, BURSTS)
def test_waiting_as_long_as_told_is_enough(rate: float, burst: float) -> None:
    """After `wait` seconds a token is there."""
    bucket = Gcra(rate, burst, 0.0, empty=True)
    assert not bucket.take(0.0)
    assert bucket.take(bucket.wait(0.0) + 1e-6)


@given(RATES, RATES, BURSTS)
def test_changing_the_rate_makes_no_tokens(old: float, new: float, burst: float) -> None:
    """An empty bucket stays empty whatever the new rate is."""
    bucket = Gcra(old, burst, 0.0, empty=True)
    bucket.set(new, burst, 0.0)
    assert not bucket.take(0.0)


def test_use_without_asking_is_a_bounded_debt() -> None:
    """What could not wait is owed, but never for longer than one more burst."""
    bucket = Gcra(1.0, 2.0, 0.0, empty=True)
    for _ in range(100):
        bucket.charge(0.0)
    assert not bucket.take(2.5)
    assert bucket.take(3.1)


def test_a_burst_into_a_window_is_estimated_with_the_wait_until_it_opened() -> None:
    """20 in a blink, then nothing for two seconds: about ten a second, not two hundred."""
    seen = Accepted()
    for number in range(20):
        seen.add(100.0 + number * 0.005)
    best = seen.best(102.1, 102.1)
    assert best is not None
    began, count = best
    assert count == 20
    assert 9.0 <= count / (102.1 - began) <= 10.5


def test_a_steady_flow_is_estimated_as_what_it_was() -> None:
    """Refused at a steady rate after a long time: the estimate is that rate, a little below."""
    seen = Accepted()
    for number in range(2000):
        seen.add(100.0 + number * 0.2)
    best = seen.best(501.0, 501.0)
    assert best is not None
    assert 4.5 <= best[1] / (501.0 - best[0]) <= 5.05


def test_without_history_there_is_no_estimate() -> None:
    """Nothing accepted, nothing known."""
    assert Accepted().best(1.0, 2.0) is None


def test_the_time_of_the_last_messages_is_told() -> None:
    """Of ten a second, the twentieth latest came two seconds ago."""
    seen = Accepted()
    for number in range(100):
        seen.add(100.0 + number * 0.1)
    assert seen.since(20, 110.0) == pytest.approx(108.0, abs=0.21)
    assert seen.between(105.0, 107.0) == pytest.approx(20, abs=2)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=500))
def test_the_history_keeps_few_cells_and_loses_no_recent_message(gaps: list[float]) -> None:
    """However many messages: bounded memory, and the last second is exact enough."""
    seen, now = Accepted(), 0.0
    for gap in gaps:
        now += gap
        seen.add(now)
    assert len(seen._cells) <= 64
    assert seen.total == len(gaps)
    assert seen.within(now, 0.2) >= 1
