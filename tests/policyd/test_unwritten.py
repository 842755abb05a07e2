"""A log that nobody writes is told from a quiet night."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyd.config import Config
from policyd.daemon import Daemon
from policyd.reading.sources import choose
from policyd.reading.unwritten import ASKED, LONGER, PATIENCE, Unwritten
from policyd.serve.session import HookCounts
from tests.policyd.clocks import Times

DAY = 86_400.0
NEWEST = 1_000_000.0
NOW = NEWEST + 26 * DAY


def watch(
    asked: list[int], newest: list[float] | None = None, mail: list[int] | None = None
) -> str:
    """A minute for each number of questions so far; what is said in the end.

    `mail`: deliveries so far; without it they come with the lines.
    """
    seen = Unwritten()
    for minute, questions in enumerate(asked):
        line = newest[minute] if newest else NEWEST
        told = mail[minute] if mail else int(line)
        seen.note(line, told, questions, NOW + 60 * minute, 60.0 * minute)
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


FLOWING = [NEWEST + 60 * minute for minute in range(90)]  # a line each minute


def test_lines_without_a_delivery_while_the_gate_is_asked_are_a_trouble() -> None:
    """A wrong log has lines, too; after half an hour without a delivery that is said."""
    asked = list(range(90))
    long = int(LONGER // 60) + 2
    assert watch(asked[:long], FLOWING, [7] * 90).startswith("lines come, but none tells of a")
    assert watch(asked[: long - 2], FLOWING, [7] * 90) == ""


@pytest.mark.parametrize(
    ("asked", "mail"),
    [
        ([0] * 90, [7] * 90),
        ([0, 0, *[ASKED - 1] * 88], [7] * 90),
        (list(range(90)), [minute // 25 for minute in range(90)]),
        ([*range(60), *range(30)], [7] * 90),
    ],
    ids=["quiet", "by hand", "deliveries", "counted anew"],
)
def test_lines_without_a_delivery_are_none_where(asked: list[int], mail: list[int]) -> None:
    """Nobody asks, or only by hand, or some delivery is told of, or counting begins anew."""
    assert watch(asked, FLOWING, mail) == ""


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
