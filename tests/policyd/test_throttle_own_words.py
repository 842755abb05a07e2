"""What our own MTA says about itself slows no receiver; what it says about the way there may."""

from __future__ import annotations

import pytest

from policyd.throttle.judging.blame import is_our_own
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence


@pytest.mark.parametrize(
    "words",
    ["deferred transport", "address resolver failure", "mail transport unavailable"],
)
def test_a_receiver_is_not_blamed_for_our_own_words(words: str) -> None:
    """A thousand messages put off by hand leave the receiver as free as it was."""
    pacer = controller()
    for number in range(1000):
        line = evidence(
            "deferred",
            queue_id=f"Q{number}",
            host="",
            origin="local",
            reply=words,
            category="flow.busy",
        )
        assert is_our_own(line)
        pacer.observe(line, NOW)
    assert pacer.peek(BIG, NOW) == "free"
    assert pacer.due(NOW + 600.0) == []


def test_a_way_that_fails_is_not_our_own_trouble() -> None:
    """Connection failures and the receiver's own replies are judged."""
    failed = evidence("deferred", origin="local", host="", reply="connect to x: timed out")
    assert not is_our_own(failed)
    assert not is_our_own(evidence("deferred"))
    assert not is_our_own(evidence("sent"))
