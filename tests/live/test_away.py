"""mxheed away: stopped, killed, hung, restarted. Mail goes on, each hook as the README says."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

AWAY: dict[str, Callable[[Lab], None]] = {
    "stopped": lambda lab: lab.mxheed.stop(),
    "killed": lambda lab: lab.mxheed.kill(),
    "hung": lambda lab: lab.mxheed.freeze(),
}


@pytest.mark.parametrize("how", AWAY)
def test_without_mxheed_mail_is_accepted_and_nothing_bounces(lab: Lab, how: str) -> None:
    """Submission and local mail go on within 5 s; outbound goes at once with `mxheed bypass`."""
    lab.mxheed.start()
    fine = lab.receiver("fine")
    lab.submit(["before@d0.fine.test"])
    lab.until(fine.taken, "mail flows before")
    AWAY[how](lab)
    begin = time.monotonic()
    replies = lab.submit(["alice@lab.test", "while@d0.fine.test"])
    assert replies == {"250": 2}
    lab.until(lambda: "alice" in lab.mailboxes(), "local mail is delivered", 5)
    assert time.monotonic() - begin < 5.0
    lab.mxheed.bypass()
    lab.until(lambda: lab.submit(["after@d0.fine.test"]) == {"250": 1}, "mail is accepted", 5)
    lab.until(lambda: "after@d0.fine.test" in fine.taken(), "outbound goes at once", 5)
    assert lab.postfix.deliveries("bounced") == []


def test_after_a_restart_what_was_deferred_goes_at_once(lab: Lab) -> None:
    """Mail that was put off because nobody answered is let go by the next start, not lost."""
    lab.mxheed.start()
    fine = lab.receiver("fine")
    lab.mxheed.kill()
    lab.submit([f"u{number}@d0.fine.test" for number in range(10)])
    lab.until(lambda: len(lab.postfix.deliveries("deferred")) == 10, "all is deferred")
    lab.mxheed.start(keep_state=True)
    lab.until(lambda: len(fine.taken()) == 10, "it is delivered", 10)
    assert lab.postfix.deliveries("bounced") == []


def test_a_restart_under_load_loses_and_repeats_nothing(lab: Lab) -> None:
    """kill -9 and a start while mail flows: everything arrives, once, and is counted once."""
    lab.mxheed.start()
    fine = lab.receiver("fine", domains=5)
    lab.submit([f"u{number}@d{number % 5}.fine.test" for number in range(100)])
    lab.mxheed.kill()
    lab.mxheed.start(keep_state=True)
    lab.submit([f"v{number}@d{number % 5}.fine.test" for number in range(100)])
    lab.until(lambda: len(fine.taken()) >= 200, "all arrive")
    assert len(set(fine.taken())) == len(fine.taken()) == 200
    counted = lab.mxheed.total
    lab.until(
        lambda: counted("mxheed_deliveries_total", receiver="mx:fine.test", outcome="sent") == 200,
        "each is counted once",
    )
