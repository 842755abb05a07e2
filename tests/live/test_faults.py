"""mxheed killed, stopped or robbed of its state while mail flows to a receiver with a limit.

`make bench-faults` does the same with more mail and longer faults.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.faults import FAULTS, STRANDED, stopped, suffer
from tests.lab import Lab

pytestmark = pytest.mark.live

SHORT: dict[str, Callable[[Lab], None]] = {
    "killed": FAULTS["kill-1"][1],
    "stopped": stopped(3.0),
    "robbed of its state": FAULTS["state"][1],
}


@pytest.mark.parametrize("fault", SHORT)
def test_each_message_arrives_once_and_none_is_left_waiting(lab: Lab, fault: str) -> None:
    """By the receiver's own count; nothing bounces, nothing waits for Postfix's own back-off."""
    outcome = suffer(lab, SHORT[fault], messages=60)
    assert (outcome.delivered, outcome.doubled, outcome.bounced) == (60, 0, 0)
    assert outcome.late <= STRANDED
