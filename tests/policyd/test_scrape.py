"""A scrape of ten thousand series: its time, its buckets, its steps."""

from __future__ import annotations

import random
import time

import pytest

from policyd.config import Config
from policyd.core import Core
from policyd.counting.histogram import SHOWN_BOUNDS, single
from policyd.metrics.sources import Health, metrics
from policyd.metrics.table import Metrics
from policyd.process.reloading import Reloads
from policyd.serve.session import HookCounts
from policyd.serve.turns import finish
from policyd.throttle.evidence import Lane
from policyd.web.packing import packed
from rules.taxonomy import CATEGORIES
from tests.policyd.clocks import still

RECEIVERS = 120


@pytest.fixture(scope="module")
def page() -> Metrics:
    """The page of a daemon that knows 120 receivers, each with all that a receiver may do."""
    core = Core(Config(), clock=still(lambda: 1000.0))
    core.counters.receivers, rng = 1000, random.Random(1)
    for number in range(RECEIVERS):
        tally = core.counters.tally(f"mx:receiver{number}.example")
        tally.sent = tally.accepted = 1000
        for outcome in ("deferred", "bounced", "suspended", "held"):
            tally.outcomes[outcome] = rng.randrange(1, 100)
        for category in list(CATEGORIES)[:9]:
            tally.replies[category, "rcpt"] = rng.randrange(1, 100)
        tally.delays = [single(rng.random() * 100) * 20 for _ in tally.delays]
        core.controller.lane(Lane("", tally.receiver), 1000.0)
    hooks = {"socketmap": HookCounts(), "policy": HookCounts()}
    health = Health(lambda: False, lambda: 0, lambda: True, dict)
    return metrics(core, hooks, dict, Reloads(), health)


def test_ten_thousand_series_take_sixty_milliseconds_at_most(page: Metrics) -> None:
    """With gzip, measured as time of the processor; a tenth of that is usual."""
    series = [line for line in page.render().decode().splitlines() if not line.startswith("#")]
    assert len(series) >= 10_000
    spent = []
    for _ in range(5):
        began = time.process_time()
        finish(packed(page.steps)())
        spent.append(time.process_time() - began)
    assert min(spent) <= 0.060


def test_buckets_are_those_that_somebody_decides_by(page: Metrics) -> None:
    """Eight of them and the rest, for each part of the way: about half of all series."""
    text = page.render().decode().splitlines()
    buckets = [line for line in text if line.startswith("mxheed_delivery_delay_seconds_bucket")]
    assert len(SHOWN_BOUNDS) == 8
    assert len(buckets) == RECEIVERS * 5 * 9
    assert len(buckets) < 0.55 * len(text)


def test_no_step_keeps_an_answer_waiting(page: Metrics) -> None:
    """The page is made in steps of well below a millisecond, so that questions come between."""
    steps, spent = packed(page.steps)(), []
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration:
            break
        spent.append(time.thread_time() - began)
    assert len(spent) > 100
    assert sorted(spent)[-3] < 0.003
