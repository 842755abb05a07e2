"""A log that nobody writes is told from a quiet night."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyd.config import Config
from policyd.daemon import Daemon
from policyd.reading.sources import choose
from policyd.reading.unwritten import ASKED, PATIENCE, Unwritten
from policyd.serve.session import HookCounts
from tests.policyd.clocks import Times

DAY = 86_400.0
NEWEST = 1_000_000.0
NOW = NEWEST + 26 * DAY


def watch(asked: list[int], newest: list[float] | None = None) -> str:
    """A minute for each number of questions so far; what is said in the end."""
    seen = Unwritten()
    for minute, questions in enumerate(asked):
        line = newest[minute] if newest else NEWEST
        seen.note(line, questions, NOW + 60 * minute, 60.0 * minute)
    return seen.why


def test_an_old_newest_line_while_the_gate_is_asked_is_a_trouble() -> None:
    """26 days without a line, and questions all the time."""
    said = "the newest line is 26d15m old, but the MTA makes attempts"
    assert watch([2 * minute for minute in range(16)]).startswith(said)


@pytest.mark.parametrize(
    ("asked", "newest"),
    [
        ([0] * 60, None),  # nobody asks: a quiet night
        ([0, 0, *[ASKED - 1] * 60], None),  # somebody tried it by hand
        ([3 * minute for minute in range(int(PATIENCE // 60))], None),  # not long enough
        ([3 * m for m in range(60)], [NEWEST + 300 * (m // 8) for m in range(60)]),  # lines come
    ],
    ids=["quiet", "by hand", "soon", "lines"],
)
def test_what_is_no_trouble(asked: list[int], newest: list[float] | None) -> None:
    """Quiet nights, a doctor's questions, attempts that are under way."""
    assert watch(asked, newest) == ""


def test_a_new_line_ends_it() -> None:
    """As soon as something is logged all is well."""
    asked = [2 * minute for minute in range(17)]
    assert watch(asked, [NEWEST] * 16 + [NEWEST + 1]) == ""


def test_healthz_tells_it(tmp_path: Path) -> None:
    """The daemon asks itself each second, and its troubles name the log."""
    times, log = Times(), tmp_path / "mail.log"
    log.write_text("")
    clock = times.clock()
    chosen = choose((str(log),), clock=clock)
    daemon = Daemon(Config(), None, tmp_path / "state.db", chosen, clock)
    daemon.follower.caught_up, daemon.follower.opened = True, True
    daemon.core.counters.last_time = int(times.wall - 26 * DAY)
    counts = HookCounts()
    daemon._counts = {"socketmap": counts}
    for _ in range(20):
        daemon.tick()
        assert "log" not in daemon._troubles()
        times.go(30.0)
    for _ in range(22):
        counts.of("mx").answered("NOTFOUND", 0.0, 0.0)
        daemon.tick()
        times.go(30.0)
    assert "26d" in daemon._troubles()["log"]
    daemon.store.close()
    daemon.follower.source.close()
