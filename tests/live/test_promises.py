"""A place that was promised to a held message is not taken by another one to the same domain."""

from __future__ import annotations

import pytest

from tests.lab import Lab

pytestmark = pytest.mark.live

BUSY = "421 4.7.28 Our system has detected an unusual rate of mail from your address"
MESSAGES = 90


@pytest.mark.parametrize("long_ids", ["no", "yes"])
def test_every_promise_is_used_by_its_own_message(lab: Lab, long_ids: str) -> None:
    """One domain, mail that is held and mail that comes meanwhile: who asks is always known."""
    lab.postfix.set(f"enable_long_queue_ids = {long_ids}")
    lab.check("postfix", "reload")
    try:
        lab.mxheed.start({"serve": {"submission": {"suspended": "dunno"}}})
        busy = lab.receiver("busy", "window", limit=10, per=1.0, reply=BUSY)
        mail = [f"u{number}@d0.busy.test" for number in range(MESSAGES)]
        lab.submit(mail[:30])
        for tenth in range(30, MESSAGES, 10):
            lab.until(lambda: len(busy.taken()) >= tenth - 25, "it goes on", 30)  # noqa: B023
            lab.submit(mail[tenth : tenth + 10])
        lab.until(lambda: len(busy.taken()) >= MESSAGES, "all is delivered", 60)
        assert sorted(busy.taken()) == sorted(mail)
        asked = {
            by: lab.mxheed.total("mxheed_promises_asked_total", by=by)
            for by in ("message", "other", "domain")
        }
        assert asked["message"] > MESSAGES / 4, asked
        assert asked["domain"] <= 1, asked  # the first, while no inode has fitted a promise yet
    finally:
        lab.postfix.set("enable_long_queue_ids = no")
