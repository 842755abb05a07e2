"""A log that is not there, or lost: lanes keep their state for a while, then mail goes."""

from __future__ import annotations

import logging

import pytest

from policyd.reading.sight import PATIENCE, Sight


def test_before_a_log_was_opened_nothing_is_answered_from_memory() -> None:
    """Also where there is a log but it cannot be read; the first reading ends that."""
    sight = Sight(0.0)
    assert sight.blind
    sight.report("/var/log/mail.log: Permission denied", 1.0)
    assert sight.blind
    assert "Permission denied: nothing is held" in sight.why
    sight.report(None, 2.0)
    assert not sight.blind
    assert sight.why == ""


def test_a_lost_log_leaves_the_lanes_their_state_for_five_minutes() -> None:
    """Then it is given up, once; and taken up again as soon as it is back."""
    sight, lost = Sight(0.0), []
    sight.on_lost = lambda: lost.append(True)
    sight.report(None, 0.0)
    for second in range(1, 400):
        sight.report("there is no such file now", float(second))
        sight.tend(float(second))
        assert sight.blind == sight.lost == (second - 1 >= PATIENCE)
        assert "there is no such file now" in sight.why
    assert lost == [True]
    sight.report(None, 400.0)
    sight.tend(400.0)
    assert (sight.blind, sight.lost) == (False, False)


def test_a_log_that_never_comes_lets_go_what_was_held_before() -> None:
    """What an earlier run held must not wait for a log that will never be there."""
    sight = Sight(0.0)
    sight.tend(PATIENCE - 1)
    assert not sight.lost
    sight.tend(PATIENCE)
    assert sight.lost


def test_giving_up_and_taking_up_again_are_said(caplog: pytest.LogCaptureFixture) -> None:
    """One line each."""
    caplog.set_level(logging.INFO)
    sight = Sight(0.0)
    sight.report("journalctl ended by itself", 0.0)
    for second in range(400):
        sight.tend(float(second))
    sight.report(None, 500.0)
    assert [record.getMessage() for record in caplog.records] == [
        "no log for 5m: journalctl ended by itself: nothing is held, every hook gives its safe "
        "answer",
        "the log is read again: mail is paced again",
    ]
