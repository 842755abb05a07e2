"""Nothing chrooted, and mxheed as root: the same fragments, the same result."""

from __future__ import annotations

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

BUSY = "421 4.7.28 Our system has detected an unusual rate of mail from your address"


def test_without_chroots_and_as_root_mail_is_paced_as_well(flat_lab: Lab) -> None:
    """The relative socket paths fit both worlds: what is held is let go, what bounces is gone."""
    lab = flat_lab
    lab.mxheed.start({"serve": {"submission": {"suspended": "dunno"}}}, user="root")
    slow = lab.receiver("slow", "window", domains=5, limit=5, per=1.0, reply=BUSY)
    gone = lab.receiver("gone", "fixed", reply="550 5.1.1 User unknown")
    lab.submit([f"u{number}@d{number % 5}.slow.test" for number in range(30)] + ["x@d0.gone.test"])
    lab.until(lambda: len(slow.taken()) == 30, "all is delivered", 40)
    lab.until(lambda: lab.postfix.deliveries("bounced"), "the unknown user's message bounces")
    assert len(gone.refused()) == 1
    assert len(slow.refused()) < 15
    lab.mxheed.stop()
