"""What happens in the middle of an attempt: its mail goes no way that it would not go without us.

All mail is for a paced receiver with a free backup exchanger; its delivery agents wait at the door.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab import Lab
from tests.live.test_kept import crash, spoil

pytestmark = pytest.mark.live

MESSAGES = 6
SLOW = {
    "serve": {"submission": {"suspended": "dunno"}},
    "pacing": {"receivers": {"mx:held.test": {"rate": 2.0, "ceiling": 2.0, "burst": 1}}},
}


def reload(lab: Lab) -> None:
    assert lab.mxheed.cli("reload").code == 0


HARM: dict[str, Callable[[Lab], None]] = {
    "kill -9": crash,
    "bypass": spoil,
    "reload": reload,
}


@pytest.mark.parametrize("how", HARM)
def test_whatever_happens_meanwhile_no_mail_goes_to_the_backup(lab: Lab, how: str) -> None:
    """kill -9 and a new start, the bypass, a reload: all mail goes to the best host."""
    held = lab.receiver("held", domains=[], mx="a.held.test")
    free = lab.receiver("free", domains=[], mx="b.free.test")
    lab.publish("mx-host=pair.test,a.held.test,10", "mx-host=pair.test,b.free.test,20")
    lab.mxheed.keep(SLOW)
    try:
        lab.submit([f"u{number}@pair.test" for number in range(MESSAGES)])
        lab.until(lambda: lab.mxheed.total("mxheed_door_waiting") >= 3, "some wait at the door", 5)
        HARM[how](lab)
        lab.until(lambda: len(held.taken()) == MESSAGES, "all go to the best host", 25)
        assert free.connections() == 0
        assert lab.postfix.deliveries("bounced") == []
    finally:
        lab.mxheed.release()
