"""A new machine: mxheed runs before there is any mail in the log."""

from __future__ import annotations

import pytest

from policyd.reading.sources import PLAYED
from tests.lab import Lab

pytestmark = pytest.mark.live

HELD = "DNS reply filter drops all results"
AUTO = {"log": {"path": "auto"}, "serve": {"submission": {"suspended": "dunno"}}}


def test_the_sample_day_ends_when_there_is_mail_in_the_log(lab: Lab) -> None:
    """It is played, and Postfix answered safely, until then; from then on mail is paced.

    Postfix is answered all the while by the same process on the same sockets.
    """
    fine = lab.receiver("fine")
    lab.submit(["alice@lab.test"])
    lab.until(lambda: "removed" in "".join(lab.postfix.log()[-1:]), "Postfix has started")
    lab.check("truncate", "-s", "0", "/var/log/mail.log")
    lab.mxheed.prepare()
    lab.mxheed.configure(AUTO)
    lab.mxheed.launch(healthz=503)
    pid = lab.mxheed.pid
    assert PLAYED in lab.http("http://127.0.0.1:9825/healthz")[1]
    lab.submit([f"u{number}@d0.fine.test" for number in range(5)])
    lab.until(lambda: len(fine.taken()) == 5, "mail goes while the sample is played")
    lab.until(lambda: "follows /var/log/mail.log" in lab.mxheed.output, "a log is followed", 20)
    assert "there is a mail log now, /var/log/mail.log: the sample day ends" in lab.mxheed.output
    lab.until(lambda: lab.http("http://127.0.0.1:9825/healthz")[0] == 200, "it is healthy")
    assert lab.mxheed.total("mxheed_deliveries_total") == 5  # none of them of the sample
    assert lab.mxheed.cli("throttle", "pin", "mx:fine.test", "suspended").code == 0
    lab.submit(["held@d0.fine.test"])
    lab.until(lambda: any(HELD in one for one in lab.postfix.reasons()), "mail is held")
    assert lab.mxheed.cli("throttle", "cancel", "mx:fine.test").code == 0
    lab.until(lambda: len(fine.taken()) == 6, "and let go")
    assert lab.mxheed.pid == pid
    assert len(lab.postfix.deliveries("deferred")) == 1
