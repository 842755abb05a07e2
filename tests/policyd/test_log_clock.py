"""A log in another zone, or with a wrong clock, is noticed while it is followed."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from logparse.events import Delivery
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Pipeline
from rules.verdict import Verdict
from tests.logparse.postfix_lines import record, said

NOW = 1_795_500_000.0
BUSY = Verdict("flow.busy", "generic.busy", None, "receiver", "retry", False)


class Followed:
    """A pipeline that is handed a line now and then, as it was written."""

    def __init__(self, **how: Any) -> None:
        self.seen: list[Delivery] = []
        self.counters = Counters()
        self.pipeline = Pipeline(
            lambda reply, **about: BUSY,
            lambda host, address, domain: "x",
            self.counters,
            on_attempt=lambda delivery, receiver, verdict: self.seen.append(delivery),
            zone=UTC,
            **how,
        )

    def line(self, now: float, behind: float, form: str = "%b %e %H:%M:%S") -> Delivery:
        stamp = datetime.fromtimestamp(now - behind, UTC).strftime(form)
        text = record(said("450 4.2.1 later"), dsn="4.2.1", status="deferred")
        self.pipeline.clock.fresh()
        self.pipeline.process(f"{stamp} mx1 postfix/smtp[7]: {text}\n".encode(), now)
        return self.seen[-1]


@pytest.mark.parametrize("behind", [3600, -7200, 1000, -18_000, 5 * 3600])
def test_evidence_gets_its_right_time(behind: int, caplog: pytest.LogCaptureFixture) -> None:
    """After a few lines all others have the time they were written, and it was said once."""
    log = Followed()
    with caplog.at_level(logging.WARNING, "policyd.counting.logclock"):
        times = [log.line(NOW + 2 * n, behind).time - NOW - 2 * n for n in range(9)]
    assert times[-1] == pytest.approx(0, abs=1)
    assert len(caplog.records) == 1
    assert log.pipeline.clock.learnt.seconds == pytest.approx(behind, abs=1)


def test_what_was_learnt_survives_a_restart() -> None:
    """Lines of the time when nobody read are in the same zone."""
    first, second = Followed(), Followed()
    for n in range(6):
        first.line(NOW + 2 * n, 3600)
    second.pipeline.restore(json.loads(json.dumps(first.pipeline.snapshot())))
    assert second.line(NOW + 60, 3600).time == pytest.approx(NOW + 60, abs=1)


@pytest.mark.parametrize("saved", [None, "x", 1e9, 10**30, [3600]])
def test_a_damaged_offset_is_none(saved: object) -> None:
    """What is no number of seconds is left out."""
    log = Followed()
    log.pipeline.restore(log.pipeline.snapshot() | {"offset": saved})
    assert log.line(NOW, 0).time == NOW


def test_stamps_with_a_zone_are_believed() -> None:
    """They tell their zone; nothing is added to them."""
    log = Followed()
    for n in range(9):
        found = log.line(NOW + 2 * n, 3600, "%Y-%m-%dT%H:%M:%S+00:00")
        assert found.time == pytest.approx(NOW + 2 * n - 3600, abs=1)


def test_a_stamp_of_the_future_makes_no_log_look_alive() -> None:
    """The newest line is never later than the moment it was read."""
    log = Followed()
    log.line(NOW, -86_400 * 3650, "%Y-%m-%dT%H:%M:%S+00:00")
    assert log.counters.last_time == int(NOW)
    log.counters.last_time = int(NOW) * 2  # saved by a version that believed it
    log.line(NOW + 5, 0)
    assert log.counters.last_time == int(NOW) + 5
