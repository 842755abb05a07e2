"""Time stamps without year or zone get the right ones."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.stamps import Stamps


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("stamp", "now", "expected"),
    [
        ("Nov 23 04:05:06", "2026-11-23T05:00:00Z", "2026-11-23T04:05:06Z"),
        ("Nov  3 04:05:06", "2026-11-23T05:00:00Z", "2026-11-03T04:05:06Z"),
        ("Nov 03 04:05:06", "2026-11-23T05:00:00Z", "2026-11-03T04:05:06Z"),
        ("Nov 3 04:05:06", "2026-11-23T05:00:00Z", "2026-11-03T04:05:06Z"),
        ("Dec 31 23:59:59", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z"),
        ("Nov 24 03:00:00", "2026-11-23T05:00:00Z", "2026-11-24T03:00:00Z"),
        ("Nov 25 03:00:00", "2026-11-23T05:00:00Z", "2025-11-25T03:00:00Z"),
        ("Feb 29 12:00:00", "2026-11-23T05:00:00Z", "2024-02-29T12:00:00Z"),
        ("2026-02-03T04:05:06.123456+01:00", "2026-11-23T05:00:00Z", "2026-02-03T03:05:06.123456Z"),
        ("2026-02-03T04:05:06+0100", "2026-11-23T05:00:00Z", "2026-02-03T03:05:06Z"),
        ("2026-02-03T04:05:06.5Z", "2026-11-23T05:00:00Z", "2026-02-03T04:05:06.5Z"),
        ("2026-02-03T04:05:06.123456789Z", "2026-11-23T05:00:00Z", "2026-02-03T04:05:06.123457Z"),
        ("2026-02-03 04:05:06", "2026-11-23T05:00:00Z", "2026-02-03T04:05:06Z"),
        ("2026-02-03 04:05:06.250", "2026-11-23T05:00:00Z", "2026-02-03T04:05:06.25Z"),
        ("2026-02-03 04:05:06.250 -0330", "2026-11-23T05:00:00Z", "2026-02-03T07:35:06.25Z"),
    ],
)
def test_stamps(stamp: str, now: str, expected: str) -> None:
    """Each kind of stamp is read; a missing year is the latest one that is not in the future."""
    found = Stamps(UTC).posix(stamp.encode(), at(now))
    assert found == pytest.approx(at(expected), abs=1e-5)


def test_a_log_read_across_new_year_stays_in_order() -> None:
    """The same object gives the old year before midnight and the new one after it."""
    stamps, now = Stamps(UTC), at("2027-01-01T00:10:00Z")
    times = [stamps.posix(stamp, now) for stamp in (b"Dec 31 23:59:58", b"Jan  1 00:00:02")]
    assert times == [at("2026-12-31T23:59:58Z"), at("2027-01-01T00:00:02Z")]


def test_inferred_years_follow_the_clock() -> None:
    """A reader that runs for years does not keep the year it started in."""
    stamps = Stamps(UTC)
    for year in (2026, 2027, 2028):
        assert stamps.posix(b"Nov 23 04:05:06", at(f"{year}-11-23T05:00:00Z")) == at(
            f"{year}-11-23T04:05:06Z"
        )


def test_zones() -> None:
    """A stamp without zone is of the zone that was given, summer and winter."""
    stamps, now = Stamps(ZoneInfo("Europe/Berlin")), at("2026-11-23T05:00:00Z")
    assert stamps.posix(b"Jul  1 12:00:00", now) == at("2026-07-01T10:00:00Z")
    assert stamps.posix(b"Nov  1 12:00:00", now) == at("2026-11-01T11:00:00Z")
    assert stamps.posix(b"2026-07-01 12:00:00", now) == at("2026-07-01T10:00:00Z")


@given(stamp=st.binary(max_size=40), now=st.floats(0, 4e9))
def test_no_stamp_raises(stamp: bytes, now: float) -> None:
    """What is no stamp gives the present."""
    Stamps(UTC).posix(stamp, now)
    assert Stamps(UTC).posix(b"Feb 31 10:00:00", now) == now


@given(when=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
def test_undated_stamps_of_the_last_year_come_back(when: datetime) -> None:
    """Any second of the last 360 days is read back from its stamp without year."""
    moment = when.replace(microsecond=0, tzinfo=UTC)
    stamp = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}".encode()
    for later in (0, 3600, 300 * 86_400):
        assert Stamps(UTC).posix(stamp, moment.timestamp() + later) == moment.timestamp()
