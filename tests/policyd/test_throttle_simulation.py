"""Pacing against simulated receivers: few refusals, little time lost, always a way back.

Stock Postfix runs in the same world beside us; its first pass (before its back-off ends) tells how
many refusals a burst costs without pacing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.throttle import Limits, PacingSettings
from tests.policyd.sim import (
    Blocked,
    Blocking,
    Concurrency,
    Extending,
    FixedWindow,
    Judge,
    Result,
    Sliding,
    Unlimited,
    World,
)

START = 1_000_000.0

# name, receiver, messages, times the ideal that the whole may take
LIMITED: list[tuple[str, Callable[[], Judge], int, float]] = [
    ("20 in 2 s", lambda: FixedWindow(20, 2), 300, 1.5),
    ("50 in 2 s", lambda: FixedWindow(50, 2), 2000, 1.5),
    ("1 in 1 s", lambda: FixedWindow(1, 1), 300, 1.5),
    ("20 in 10 s", lambda: FixedWindow(20, 10), 300, 1.5),
    ("60 in a minute", lambda: FixedWindow(60, 60), 300, 1.5),
    ("any 20 in 2 s", lambda: Sliding(20, 2), 300, 1.5),
    ("any 20 in 2 s, penalty 2 s", lambda: Sliding(20, 2, 2), 300, 1.5),
    ("any 20 in 2 s, penalty 2 s, more mail", lambda: Sliding(20, 2, 2), 2000, 1.5),
    ("any 50 in 5 s, penalty 5 s", lambda: Sliding(50, 5, 5), 2000, 1.5),
    # a receiver that punishes for longer than the whole would have taken costs what it costs
    ("any 50 in 5 s, penalty 5 s, few", lambda: Sliding(50, 5, 5), 300, 2.0),
    ("any 20 in 2 s, a second more for each", lambda: Extending(20, 2, 1), 300, 2.2),
    ("any 20 in 2 s, three more for each", lambda: Extending(20, 2, 3), 300, 4.5),
    ("20 in 2 s or a minute's block", lambda: Blocking(20, 2, 60), 300, 4.4),
]


def first_pass(judge: Judge, messages: int) -> int:
    """Refusals of stock Postfix before its own back-off ends."""
    result = World(judge, messages, paced=False).run(250)
    return result.refused


@pytest.mark.parametrize(
    ("make", "messages", "times"),
    [pytest.param(*row[1:], id=row[0]) for row in LIMITED],
)
@pytest.mark.parametrize("latency", [0.02, 0.2])
def test_an_unknown_limit_costs_few_refusals_and_little_time(
    make: Callable[[], Judge], messages: int, times: float, latency: float
) -> None:
    """At most a tenth of stock's refusals; done within a multiple of the ideal time."""
    allowed = 0.1 * first_pass(make(), messages)
    runs = [
        World(make(), messages, latency=latency, seed=seed, start=START + 0.37 * seed).run(3000)
        for seed in (1, 2, 3)
    ]
    median = sorted(runs, key=lambda run: run.took)[1]
    assert all(run.accepted == messages for run in runs)
    assert sorted(run.refused for run in runs)[1] <= allowed
    assert median.took <= times * messages / make().ideal + 1.0
    assert all(run.holds <= 3 * messages for run in runs)


def test_a_receiver_that_counts_connections_is_filled_but_not_overrun() -> None:
    """Its five places are used, and hardly anybody is turned away."""
    run = World(Concurrency(5), 600, latency=0.3).run(1000)
    assert run.accepted == 600
    assert run.refused <= 0.1 * first_pass(Concurrency(5), 600)
    assert run.took <= 1.5 * 600 * 0.3 * 1.17 / 5


def test_a_block_of_a_minute_is_noticed_and_outlasted() -> None:
    """During a block a handful of probes go out; after it mail flows again."""
    make = lambda: Blocked(START + 1, START + 61)  # noqa: E731
    run = World(make(), 2000, latency=0.2).run(1000)
    assert run.accepted == 2000
    assert run.refused <= 0.1 * first_pass(make(), 2000)
    probes = [when for when in run.refusals if when > START + 5]
    assert len(probes) <= 12
    assert run.took <= 1.6 * (61 + 2000 / 100)  # the hand lets a hundred a second go


@pytest.mark.parametrize("latency", [0.02, 0.2])
def test_a_block_from_the_first_message_on_says_nothing_about_a_rate(latency: float) -> None:
    """Blocked for 20 s before anything was ever taken: then mail flows, not at one a second."""
    run = World(Blocked(START, START + 20), 300, latency=latency).run(1000)
    assert run.accepted == 300
    assert run.took <= 1.5 * (20 + 3)
    assert len([when for when in run.refusals if when > START + 5]) <= 3


@pytest.mark.parametrize("latency", [0.005, 0.02])
def test_who_never_refuses_is_not_slowed(latency: float) -> None:
    """A receiver without limits costs less than a twentieth of the speed once it is known."""
    world = World(Unlimited(), 500, latency=latency)
    world.run()
    stock = World(Unlimited(), 2000, latency=latency, paced=False).run().took
    known = World(Unlimited(), 2000, latency=latency, controller=world.controller,
                  start=world.now + 60).run()  # fmt: skip
    assert known.holds == 0
    assert known.took <= 1.05 * stock


@pytest.mark.parametrize("latency", [0.05, 0.25])
def test_a_burst_to_a_receiver_never_seen_waits_at_the_door(latency: float) -> None:
    """Nothing is held; the window opens within some round trips, which is all it takes longer."""
    run = World(Unlimited(), 1500, latency=latency).run()
    stock = World(Unlimited(), 1500, latency=latency, paced=False).run().took
    assert run.holds == 0
    assert run.took <= stock + 6 * latency


def test_without_the_status_filter_the_log_alone_is_enough() -> None:
    """Refusals heard only from the log cost some more, and still no storm."""
    run = World(FixedWindow(20, 2), 300, status=False).run(1000)
    assert run.accepted == 300
    assert run.refused <= 0.1 * first_pass(FixedWindow(20, 2), 300)
    assert run.took <= 1.5 * 30


def test_the_rate_settles_and_then_swings_within_its_bound() -> None:
    """After the first minute, ten-second stretches differ from the limit by a quarter at most."""
    run = World(Sliding(20, 2), 4000, latency=0.05).run(2000)
    counts: dict[int, int] = {}
    for when in run.acceptances:
        counts[int((when - START) // 10)] = counts.get(int((when - START) // 10), 0) + 1
    settled = [count / 10 for index, count in counts.items() if 6 <= index < max(counts)]
    assert min(settled) >= 0.75 * 10
    assert max(settled) <= 1.05 * 10
    late = [when for when in run.refusals if when > START + 60]
    assert len(late) <= 12  # the ceiling is tried again ever more seldom


def test_a_receiver_that_recovers_is_found_out() -> None:
    """Its limit rises tenfold: within minutes the rate has followed a good part of the way."""

    class Rising(FixedWindow):
        def arrive(self, now: float) -> str | None:
            self.number = 10 if now < START + 60 else 100
            return super().arrive(now)

    run = World(Rising(10, 1), 4000, latency=0.05).run(1000)
    assert run.accepted == 4000
    assert run.took <= 300  # at the old limit: 400 s


def judges() -> st.SearchStrategy[Callable[[], Judge]]:
    """Random receivers of every kind."""
    numbers, spans = st.integers(1, 60), st.floats(0.5, 20)
    return st.one_of(
        st.builds(lambda n, s: lambda: FixedWindow(n, s), numbers, spans),
        st.builds(lambda n, s, p: lambda: Sliding(n, s, p), numbers, spans, st.floats(0, 8)),
        st.builds(lambda n, s, p: lambda: Extending(n, s, p), numbers, spans, st.floats(0, 2)),
        st.builds(lambda n: lambda: Concurrency(n), st.integers(1, 50)),
        st.builds(
            lambda begin, length: lambda: Blocked(START + begin, START + begin + length),
            st.floats(0, 5),
            st.floats(1, 90),
        ),
        st.just(Unlimited),
    )


@settings(max_examples=60, deadline=None)
@given(
    judges(),
    st.integers(20, 150),
    st.integers(1, 30),
    st.sampled_from([0.01, 0.1, 0.5]),
    st.sampled_from([0.0, 5.0, 50.0]),
    st.booleans(),
    st.integers(1, 1000),
)
def test_whatever_the_receiver_all_mail_arrives(
    make: Callable[[], Judge],
    messages: int,
    domains: int,
    latency: float,
    arrivals: float,
    status: bool,
    seed: int,
) -> None:
    """Any receiver that takes mail again gets all of it, without Postfix's own help for long."""
    judge = make()
    world = World(judge, messages, domains, latency=latency, arrivals=arrivals, status=status,
                  seed=seed)  # fmt: skip
    run = world.run(40_000)
    assert run.accepted == messages
    state = world.controller.lanes(world.now)[0]
    assert state.granted <= messages
    assert state.window.open <= World.PROCESSES


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.5, 5),
    st.floats(1.0, 4.0),
    st.integers(1, 40),
    st.floats(0.5, 5),
    st.integers(1, 1000),
)
def test_the_rate_stays_between_floor_and_ceiling(
    floor: float, times: float, number: int, span: float, seed: int
) -> None:
    """Whatever a receiver says: never above the ceiling, never paced below the floor."""
    ceiling = floor * times + 1
    limits = Limits(floor=floor, ceiling=ceiling)
    world = World(
        FixedWindow(number, span), 150, seed=seed,
        settings=PacingSettings(receivers={"mx:big.test": limits}),
    )  # fmt: skip
    rates: list[float] = []

    def watch() -> None:
        for state in world.controller.lanes(world.now):
            if state.bucket is not None:
                rates.append(state.bucket.rate)
        if world.result.accepted < 150:
            world.at(world.now + 0.5, watch)

    world.at(world.start, watch)
    run = world.run(4000)
    assert all(floor * 0.999 <= rate <= ceiling * 1.001 for rate in rates)
    assert _fastest(run, world, ceiling)


def _fastest(run: Result, world: World, ceiling: float) -> bool:
    """Once slowed, no ten seconds see more than the ceiling and its burst allow."""
    slowed_from = run.refusals[0] + 5 if run.refusals else float("inf")
    times = [when for when in run.acceptances if when > slowed_from]
    in_flight = World.PROCESSES / 10
    for first, last in pairwise(range(0, len(times), 10)):
        allowed = (times[last] - times[first]) * ceiling + ceiling * 0.25 + 1 + in_flight
        if last - first > allowed:
            return False
    return True
