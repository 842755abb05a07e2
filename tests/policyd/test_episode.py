"""A lane's trouble is told as a whole: since it was free last, with the number of stops."""

from __future__ import annotations

import json

import pytest

from policyd.throttle import Controller
from policyd.throttle.explain import explain
from policyd.throttle.lane.state import LaneState
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence


def refuse(pacer: Controller, now: float) -> None:
    """An attempt is made and refused."""
    admission = pacer.admit(BIG, "d1.test", now)
    assert admission.attempt
    pacer.heard(evidence("deferred", time=now), admission.lane, admission.attempt, now)


def flap(pacer: Controller, stops: int) -> tuple[LaneState, float]:
    """Refused, suspended, probed, refused again, so many times."""
    now, state = NOW, pacer.lane(BIG, NOW)
    while state.state == "free":
        refuse(pacer, now)
    for _ in range(stops - 1):
        now = state.until + 1
        assert state.advance(now) == "probing"
        refuse(pacer, now)
    assert state.state == "suspended"
    return state, now


def test_a_flapping_lane_keeps_its_beginning() -> None:
    """Five stops on end are one trouble of five stops."""
    state, now = flap(controller(), 5)
    assert (state.trouble.course.began, state.trouble.course.stops) == (NOW, 5)
    assert state.since == now
    told = explain(state, 0, now)
    assert (told.began, told.since, told.stops) == (NOW, now, 5)
    assert "in trouble for" in told.text
    assert "with 5 stops" in told.text


def test_a_lane_that_was_free_begins_anew() -> None:
    """After a long quiet time it is a new trouble."""
    pacer = controller()
    state, now = flap(pacer, 3)
    pacer.cancel(BIG.receiver, now)
    assert (state.trouble.course.began, state.trouble.course.stops) == (0.0, 0)
    pacer.pin(BIG.receiver, "suspended", 60, now + 5)
    assert (state.trouble.course.began, state.trouble.course.stops) == (now + 5, 1)


def test_it_survives_a_restart() -> None:
    """The beginning and the stops are saved with the lane."""
    pacer = controller()
    _, now = flap(pacer, 4)
    saved, after = json.loads(json.dumps(pacer.snapshot(now))), controller()
    assert after.restore(saved, now + 9) == 0
    state = after.lane(BIG, now + 9)
    assert (state.trouble.course.began, state.trouble.course.stops) == (NOW, 4)


def test_what_an_earlier_version_saved_is_taken_up() -> None:
    """A file that does not know of it begins with the state it tells."""
    pacer = controller()
    state, now = flap(pacer, 4)
    saved = json.loads(json.dumps(pacer.snapshot(now)))
    for row in saved["lanes"]:
        del row["episode"]
    after = controller()
    assert after.restore(saved, now) == 0
    assert after.lane(BIG, now).trouble.course.began == state.since


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (0, "Of 1 attempt, 1 accepted."),
        (1, "1 part of messages waits."),
        (1200, "1,200 parts of messages wait."),
    ],
)
def test_one_is_not_spoken_of_as_many(waiting: int, words: str) -> None:
    """Numbers and their words agree."""
    pacer = controller()
    state = pacer.lane(BIG, NOW)
    pacer.observe(evidence("sent"), NOW)
    assert words in explain(state, waiting, NOW).text


@pytest.mark.parametrize("late", [0.0, 0.4, 30.0])
def test_what_is_due_is_not_told_to_come_in_no_time(late: float) -> None:
    """A time that has come, or comes at once, is not "in 0s"."""
    pacer = controller()
    pacer.set_rate(BIG.receiver, 2.0, NOW)
    state = pacer.lane(BIG, NOW)
    state.speed.ceiling, state.speed.explore_at = 3.0, NOW + 10
    told = explain(state, 0, NOW + 10 - 0.4 + late)
    assert told.next.endswith("is tried again with the next message.")
    assert " 0s" not in told.text
    assert "ms" not in told.text
