"""What page, /api/state and /metrics say of a running core: the whole truth, and the same one."""

from __future__ import annotations

import json
import re

import pytest

from policyd.config import Config
from policyd.core import Core
from policyd.metrics.sources import Health, metrics
from policyd.metrics.table import Metrics
from policyd.process.reloading import Reloads
from policyd.serve.session import HookCounts
from policyd.serve.turns import finish
from policyd.throttle import Lane, PacingSettings
from policyd.web.http import drawn, told
from policyd.web.orders import Operator
from policyd.web.status import MODES, page
from policyd.web.view import Page
from tests.policyd.clocks import still
from tests.policyd.throttle_parts import evidence

NOW = 1_000_000.0
RECEIVERS = 90


@pytest.fixture(scope="module")
def core() -> Core:
    """Many receivers, of which some defer and one is suspended, with mail held for it."""
    made = Core(Config(), clock=still(lambda: NOW))
    for number in range(RECEIVERS):
        tally = made.counters.tally(f"mx:r{number}.example")
        tally.sent += 10 + number
        tally.add_outcome("deferred")
        tally.add_outcome("bounced")
        tally.unclassified += 1
    made.controller.pin("mx:r3.example", "suspended", 600, NOW)
    made.controller.admit(Lane("", "mx:r3.example"), "held.example", NOW)
    for queue_id in ("Q1", "Q2"):
        held = evidence("held", queue_id=queue_id, domain="held.example", time=NOW)
        made.controller.observe(held, NOW)
    for queue_id in ("Q3", "Q4", "Q5"):
        made.controller.observe(
            evidence(
                "deferred",
                queue_id=queue_id,
                receiver="mx:r4.example",
                category="flow.greylist",
                stance="retry",
                time=NOW,
            ),
            NOW,
        )
    return made


def tree(core: Core, most: int | None = None) -> Page:
    return finish(page(core, "log", True, {}, most=most))


def exposition(core: Core, maps: HookCounts | None = None) -> Metrics:
    hooks = {"socketmap": maps or HookCounts(), "policy": HookCounts()}
    health = Health(lambda: False, lambda: 0, lambda: True, dict)
    return metrics(core, hooks, dict, Reloads(), health)


def value(text: str, name: str) -> float:
    """The sum of all samples of a metric."""
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    assert found, name
    return sum(map(float, found))


def test_the_page_sums_over_all_receivers_not_over_those_it_shows(core: Core) -> None:
    """90 receivers, 60 rows: the totals are those of the 90, and the page says what is cut."""
    shown = tree(core, 60)
    assert len(shown.receivers) == 60
    assert shown.totals.receivers == RECEIVERS
    assert shown.totals.outcomes["sent"] == sum(range(10, 10 + RECEIVERS))
    text = finish(drawn(shown)).decode()
    assert "4\u202f905</b> accepted" in text
    assert "60 of 90 receivers" in text


def test_the_state_has_all_receivers(core: Core) -> None:
    """/api/state is cut nowhere: its rows add up to its totals."""
    state = json.loads(finish(told(tree(core))))
    assert len(state["receivers"]) == RECEIVERS
    for outcome, total in state["totals"]["outcomes"].items():
        assert sum(row["outcomes"].get(outcome, 0) for row in state["receivers"]) == total


def test_page_state_and_metrics_agree(core: Core) -> None:
    """The same numbers wherever they are read."""
    totals, text = tree(core, 60).totals, exposition(core).render().decode()
    for outcome, total in totals.outcomes.items():
        assert (
            value(text, f'mxheed_deliveries_total{{receiver="[^"]*",outcome="{outcome}"}}') == total
        )
    assert value(text, "mxheed_replies_unclassified_total") == totals.unclassified
    assert value(text, "mxheed_held_messages") == totals.held == 2
    assert value(text, "mxheed_deferred_messages") == totals.deferred == 3
    assert value(text, "mxheed_throttle_held") == 2
    assert value(text, "mxheed_throttle_held_oldest_timestamp_seconds") == NOW


def test_held_by_us_and_deferred_by_them_are_two_numbers(core: Core) -> None:
    """What a receiver deferred is not shown as held by us."""
    text = finish(drawn(tree(core, 60))).decode()
    assert "<b>2</b> held by us" in text
    assert "<b>3</b> deferred by them" in text
    rows = {row.id: row for row in tree(core, 60).receivers}
    (held,), (deferred,) = rows["mx:r3.example"].lanes, rows["mx:r4.example"].lanes
    assert (held.held, held.deferred, held.oldest) == (2, 0, NOW)
    assert (deferred.held, deferred.deferred, deferred.oldest) == (0, 3, None)


@pytest.mark.parametrize(
    ("shadow", "retired", "safe", "mode"),
    [
        (False, False, "", "on"),
        (True, False, "", "shadow"),
        (True, True, "", "off"),
        (False, True, "no log was opened yet", "safe"),
    ],
)
def test_what_is_done_about_the_states_is_one_of_four(
    shadow: bool, retired: bool, safe: str, mode: str
) -> None:
    """Page, metric and command name the same one."""
    made = Core(Config(pacing=PacingSettings(shadow=shadow)), clock=still(lambda: NOW))
    made.controller.retired = retired
    hooks = {"socketmap": HookCounts(), "policy": HookCounts()}
    health = Health(lambda: bool(safe), lambda: 0, lambda: True, dict)
    text = metrics(made, hooks, dict, Reloads(), health).render().decode()
    told = dict(re.findall(r'^mxheed_mode{mode="(.*)"} (.)$', text, re.MULTILINE))
    assert told == {name: str(int(name == mode)) for name in MODES}
    assert finish(page(made, "log", True, {}, safe)).mode == mode
    if not safe:
        assert Operator(made).overview()["mode"] == mode


def test_a_pin_is_a_metric() -> None:
    """An operator's word is seen where states are watched, until it ends."""
    now = NOW
    made = Core(Config(), clock=still(lambda: now))
    made.counters.tally("google").sent += 1
    made.controller.pin("google", "free", 600, now)
    name = "mxheed_throttle_pinned_until_timestamp_seconds"
    assert value(exposition(made).render().decode(), name) == NOW + 600
    assert tree(made).receivers[0].lanes[0].pinned
    now += 601
    assert name + "{" not in exposition(made).render().decode()


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_a_state_without_effect_promises_nothing(mode: str) -> None:
    """While nothing is held no card says that a message will probe."""
    made = Core(Config(pacing=PacingSettings(shadow=mode == "shadow")), clock=still(lambda: NOW))
    made.controller.pin("google", "suspended", 600, NOW)
    made.controller.lane(Lane("", "google"), NOW).pinned = 0.0
    if mode == "off":
        made.controller.retire(NOW)
    (row,) = tree(made).receivers
    assert row.lanes[0].next.startswith(
        "mxheed is off: nothing is held" if mode == "off" else "Shadow: nothing is held. "
    )


def test_when_hooks_were_asked_and_how_long_they_took_is_told() -> None:
    """The last question of each map, and how long the MTA waited for its answers."""
    made, counts = Core(Config(), clock=still(lambda: NOW)), HookCounts()
    counts.of("mx").answered("OK", NOW - 20, NOW - 17.5)
    counts.of("mx").answered(None, NOW - 9, NOW - 9 + 0.0004)
    counts.of("status").answered("NOTFOUND", NOW - 5, NOW - 5)
    text = exposition(made, counts).render().decode()
    assert value(text, 'mxheed_hook_asked_timestamp_seconds{hook="mx"}') == NOW - 9
    assert value(text, 'mxheed_hook_answer_seconds_count{hook="mx"}') == 2
    assert value(text, 'mxheed_hook_answer_seconds_bucket{hook="mx",le="1.0"}') == 1
    assert value(text, 'mxheed_hook_answer_seconds_bucket{hook="mx",le="10.0"}') == 2
    assert value(text, "mxheed_hook_asked_timestamp_seconds") == 2 * NOW - 14
