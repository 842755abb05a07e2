"""Health is what a receiver does with our mail, by share, by volume and by its own past."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.counting.counters import Counters
from policyd.counting.lately import DEFERRED, ENOUGH, LEVELS, REJECTED, Lately, Seen, judge
from policyd.web.http import render
from policyd.web.view import HealthView, Page, ReceiverView

RULES = Path(__file__).parents[2] / "contrib/prometheus/mxheed.rules.yml"
NOTHING = Seen()
SEEN = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)).map(
    lambda sent: Seen(sum(sent), sent[1], sent[2])
)


@pytest.mark.parametrize(
    ("lately", "before", "level"),
    [
        (Seen(1000, 0, 340), NOTHING, "bad"),  # a third is rejected
        (Seen(1000, 1000, 0), NOTHING, "bad"),  # everything is deferred
        (Seen(1000, 300, 0), NOTHING, "poor"),
        (Seen(1000, 0, 150), NOTHING, "poor"),
        (Seen(1000, 200, 90), NOTHING, "good"),
        (Seen(1000, 0, 0), NOTHING, "good"),
        (Seen(12, 12, 0), NOTHING, "poor"),  # of little mail nothing bad is said
        (Seen(3, 3, 0), NOTHING, ""),  # and of less nothing at all
        (Seen(1000, 100, 0), Seen(9000, 100, 0), "poor"),  # little, but much more than before
        (Seen(1000, 300, 0), Seen(9000, 100, 0), "bad"),
        (Seen(1000, 40, 0), Seen(9000, 0, 0), "good"),  # hardly anything is not news
        (Seen(1000, 0, 340), Seen(9000, 0, 3060), "bad"),  # as always, and bad as always
        (Seen(2, 0, 0), Seen(9000, 9000, 0), "bad"),  # an hour without mail tells nothing
    ],
)
def test_health_is_share_times_volume_against_the_past(
    lately: Seen, before: Seen, level: str
) -> None:
    """The table of what is called what."""
    ever = Seen(*map(sum, zip(lately, before, strict=True)))
    assert judge(lately, before, ever).level == level


@given(SEEN, SEEN, st.integers(1, 200))
def test_more_refusals_are_never_healthier(lately: Seen, before: Seen, more: int) -> None:
    """If more of as many attempts are rejected, the level is the same or worse."""
    more = min(more, lately.attempts - lately.deferred - lately.rejected)
    worse = lately._replace(rejected=lately.rejected + more)

    def rank(seen: Seen) -> int:
        ever = Seen(*map(sum, zip(seen, before, strict=True)))
        return ("", *LEVELS).index(judge(seen, before, ever).level)

    assert rank(worse) >= rank(lately)


def test_bad_is_what_the_alerts_speak_of() -> None:
    """The shares and the volume are those of contrib/prometheus."""
    rules = RULES.read_text()
    assert f"mxheed:deferred:share30m > {DEFERRED:g}\n" in rules
    assert f"mxheed:rejected:share30m > {REJECTED:g}\n" in rules
    assert re.findall(r"mxheed:attempts:increase30m >= (\d+)", rules) == [str(ENOUGH)] * 2


def test_the_last_hour_is_told_from_what_was_before() -> None:
    """What an earlier run counted is the past, and after an hour so is what this one did."""
    counters, lately = Counters(), Lately()
    tally = counters.tally("gmx")
    tally.sent = 1000
    lately.note(counters.tallies, 0.0)
    tally.outcomes["bounced"] = 100
    tally.sent = 1100
    for now in range(1, 3600):
        lately.note(counters.tallies, float(now))
    assert lately.of(tally) == HealthView("bad", 0.5, 0.0)
    for now in range(3600, 7300):
        lately.note(counters.tallies, float(now))
    assert lately.of(tally) == HealthView("good", 100 / 1200, None)


@pytest.mark.parametrize("level", ["bad", "poor", "good", ""])
def test_a_free_receiver_is_not_shown_as_well_for_that(level: str) -> None:
    """The colour is that of its health; the state is a badge beside it."""
    row = ReceiverView("gmx", outcomes={"sent": 660, "bounced": 340}, health=HealthView(level))
    page = render(Page(now=1.0, started=0.0, version="1", receivers=(row,)))
    assert f'<tr id="row-gmx" class="{level or "few"}">' in page
    assert '<span class="badge free">free</span>' in page
    css = (RULES.parents[2] / "policyd/web/page.css").read_text()
    assert re.search(r"\.badge\.free \{ color: var\(--dim\)", css)
