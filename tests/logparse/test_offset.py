"""The offset of a log's stamps is learnt from lines written just now, and only from them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.offset import ClockOff, Offset
from logparse.stamps import Stamps

NOW = 1_795_500_000.0


def seen(offset: Offset, behind: list[float], pause: float = 2.0) -> list[ClockOff]:
    """What is learnt from lines so far behind, one after the other."""
    found = (offset.saw(NOW + n * pause - late, NOW + n * pause) for n, late in enumerate(behind))
    return [learnt for learnt in found if learnt is not None]


@pytest.mark.parametrize("hours", [-11, -5, -3.5, 0.25, 1, 2, 5.75, 12, 14])
def test_a_zone_is_learnt_once(hours: float) -> None:
    """Any zone on earth, with lines a second or two late."""
    offset = Offset()
    late = [hours * 3600 + delay for delay in (0.1, 1.2, 0.4, 0.1, 2.0, 0.3, 0.2)]
    assert seen(offset, late) == [ClockOff(hours * 3600, "zone")]


@pytest.mark.parametrize("seconds", [1000, -1000, 200, 5000])
def test_a_wrong_clock_is_learnt(seconds: float) -> None:
    """What is no whole quarter of an hour is a clock that goes wrong."""
    assert seen(Offset(), [seconds] * 9) == [ClockOff(seconds, "clock")]


def test_a_clock_that_is_set_right_is_forgotten() -> None:
    """Once the lines agree with the clock nothing is added any more."""
    offset = Offset()
    assert seen(offset, [3600.0] * 6 + [0.5] * 6) == [ClockOff(3600, "zone"), ClockOff(0, "none")]


@pytest.mark.parametrize(
    "behind", [[0.2] * 20, [90.0] * 20, [float(18_000 - n * 50) for n in range(40)]]
)
def test_what_is_no_offset_is_not_learnt(behind: list[float]) -> None:
    """Punctual lines, slow ones, and a relay that hands over old lines ever faster."""
    assert seen(Offset(), behind) == []


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_nothing_is_learnt_from_one_line(behind: list[float]) -> None:
    """It takes several lines over some seconds, whatever they say."""
    assert seen(Offset(), behind[:2]) == []
    seen(Offset(), behind)


def test_a_burst_of_old_lines_teaches_nothing() -> None:
    """A thousand lines of five hours ago that come in one second are a backlog."""
    assert seen(Offset(), [18_000.0] * 1000, pause=0.001) == []


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 5, 0, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 14, 30, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("form", ["%b %e %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.000"])
def test_the_hour_that_comes_twice(zone: str, first: datetime, form: str) -> None:
    """Followed live each line is of now, and in an archive time does not go back."""
    place = ZoneInfo(zone)
    start = first.timestamp() - 3600
    times = [start + 60.0 * n for n in range(4 * 60)]
    stamps = [datetime.fromtimestamp(t, place).strftime(form).encode() for t in times]
    archive = Stamps(place)
    end = times[-1] + 86_400
    assert [archive.posix(stamp, end) for stamp in stamps] == times
    for stamp, when in zip(stamps, times, strict=True):
        assert Stamps(place).posix(stamp, when + 1) == when


def test_leap_days_and_years() -> None:
    """A day without a year is of the last year that had it, and is not in the future."""
    march = datetime(2027, 3, 1, tzinfo=UTC).timestamp()
    leap = datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC).timestamp()
    assert Stamps(UTC).posix(b"Feb 29 23:59:59", march) == leap
    newyear = datetime(2027, 1, 1, 0, 0, 5, tzinfo=UTC).timestamp()
    assert Stamps(UTC).posix(b"Dec 31 23:59:59", newyear) == newyear - 6
    assert Stamps(UTC).posix(b"Jan  1 00:00:04", newyear) == newyear - 1


def test_a_stamp_that_is_no_date_is_counted() -> None:
    """It gets the time of its arrival, and nobody takes that for a stamp."""
    stamps = Stamps(UTC)
    assert stamps.posix(b"Feb 31 00:00:00", NOW) == NOW
    assert stamps.odd == 1
