"""Receivers that name times, change their limits, greet slowly, or have blocked us before.

The receivers, the mail for them and what they may cost stand in `bench.pacing_moods`.
"""

from __future__ import annotations

import statistics

import pytest

from bench.pacing_moods import MOODS, Mood, play
from bench.pacing_oracle import told
from policyd.throttle import Limits, PacingSettings
from tests.policyd.sim import Unlimited, World

DRAWN = [mood for mood in MOODS if mood.name.startswith("hint-drawn")]
# what takes long is played by the bench only
PLAYED = {
    mood.name: mood
    for mood in MOODS
    if mood not in DRAWN and not mood.many and mood.messages < 1000
}


@pytest.mark.parametrize("mood", PLAYED.values(), ids=PLAYED)
def test_a_moody_receiver_costs_no_more_than_it_may(mood: Mood) -> None:
    """The median of five runs keeps the aim for the time, and every run that for refusals."""
    found = play(mood)
    assert found.median <= mood.aim
    assert found.refused[-1] <= mood.refused


def test_named_times_cost_what_they_must_on_the_whole() -> None:
    """Windows and named times at random: on average 1.1 times a plan that must learn, too."""
    assert statistics.mean(play(mood, 1).median for mood in DRAWN) <= 1.1


def test_a_plan_that_must_learn_pays_for_one_stop_at_least() -> None:
    """Never faster than one who knows the window, and the named time comes on top once."""
    for span in (1.0, 2.0, 5.0, 9.0):
        assert told(20, span, 10.0, 300) >= 10.0 + 13 * span


def test_told_attempts_are_never_exceeded() -> None:
    """`attempts: 5` is a limit, however much is accepted, and not where the window begins."""
    only = PacingSettings(receivers={"mx:big.test": Limits(attempts=5)})
    world = World(Unlimited(), 400, latency=0.2, settings=only)
    most: list[int] = []

    def watch() -> None:
        most.extend(state.window.open for state in world.controller.lanes(world.now))
        if world.result.accepted < 400:
            world.at(world.now + 0.02, watch)

    world.at(world.start, watch)
    assert world.run(1000).accepted == 400
    assert max(most) == 5
