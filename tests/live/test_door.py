"""Waiting at the door of a real Postfix: its delivery agents wait, and nothing is held."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

HELD = "DNS reply filter drops all results"


def paced(rate: float) -> dict[str, Any]:
    """The receiver behind door.test is told to take so many a second."""
    return {
        "serve": {"submission": {"suspended": "dunno"}},
        "pacing": {"receivers": {"mx:door.test": {"rate": rate, "ceiling": rate, "burst": 1}}},
    }


def test_mail_waits_for_its_turn_and_costs_no_hold_line(lab: Lab) -> None:
    """Five a second, twelve messages: all wait, each goes in its turn, none is deferred."""
    lab.mxheed.start(paced(5.0))
    door = lab.receiver("door", domains=3)
    lab.submit([f"u{number}@d{number % 3}.door.test" for number in range(12)])
    lab.until(lambda: len(door.taken()) == 12, "all are delivered", 15)
    times = sorted(event["t"] for event in door.events("data"))
    assert 2.0 <= times[-1] - times[0] <= 3.5  # eleven times 0.2 s
    lab.until(lambda: len(lab.postfix.deliveries("sent")) == 12, "all are in the log")
    assert [line for line in lab.postfix.log() if HELD in line] == []
    waits = [float(c) for c in re.findall(r"delays=[\d.]+/[\d.]+/([\d.]+)/", _sent(lab))]
    assert max(waits) > 1.5  # Postfix counts the wait as connection time
    assert lab.mxheed.total("mxheed_door_waited_total", result="admitted") >= 10
    assert lab.mxheed.total("mxheed_door_waiting") == 0


def test_who_waits_when_mxheed_steps_aside_goes_at_once(lab: Lab) -> None:
    """Off means open: the agents get their answer, no message is deferred."""
    lab.mxheed.start(paced(1.0))
    door = lab.receiver("door", domains=2)
    lab.submit([f"u{number}@d{number % 2}.door.test" for number in range(5)])
    lab.until(lambda: lab.mxheed.total("mxheed_door_waiting") >= 3, "some wait at the door", 3)
    assert lab.mxheed.cli("off").code == 0
    lab.until(lambda: len(door.taken()) == 5, "all are delivered", 2)
    assert [line for line in lab.postfix.deliveries("deferred") if HELD in line] == []


def _sent(lab: Lab) -> str:
    return "\n".join(lab.postfix.deliveries("sent"))
