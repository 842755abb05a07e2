"""A crash forgets no mail: what a receiver put off for its lane's sake goes when the lane may."""

from __future__ import annotations

import pytest

from tests.lab import Lab
from tests.lab.namespace import PYTHON

pytestmark = pytest.mark.live

BUSY = "421 4.7.28 Our system has detected an unusual rate of mail from your IP address"
FULL = "452 4.2.2 The email account that you tried to reach is over quota"
COMMITTED = """
import sqlite3
db = sqlite3.connect("/var/lib/mxheed/mxheed.db")
rows = "SELECT labels FROM counters WHERE family = 'deliveries' AND labels LIKE '%deferred%'"
print(*(labels for (labels,) in db.execute(rows)))
"""


def test_mail_put_off_before_a_crash_does_not_wait_for_postfixs_back_off(lab: Lab) -> None:
    """kill -9 with such mail in the queue: after the restart it is out in seconds, not in minutes.

    A message to a full mailbox is left to Postfix, whose first retry is after 300 s.
    """
    lab.mxheed.start({"log": {"commit_interval": "50ms"}})
    busy = lab.receiver("busy", "once", reply=BUSY, seconds=1.0)
    full = lab.receiver("full", "fixed", reply=FULL)
    lab.submit(["u@d0.busy.test", "v@d0.full.test"])

    def committed() -> bool:
        told = lab.check(PYTHON, "-c", COMMITTED)
        return "busy.test" in told and "full.test" in told

    lab.until(committed, "both lines are read, and will not be read again")
    lab.mxheed.kill()
    assert busy.taken() == []
    lab.mxheed.start(keep_state=True)
    lab.until(busy.taken, "it is delivered", 20)
    assert lab.mxheed.total("mxheed_releases_total", result="added") == 1
    assert len(full.events("rcpt")) == 1
    assert lab.postfix.deliveries("bounced") == []
