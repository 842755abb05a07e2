"""The time stamps of log lines: their shapes, and what POSIX second each of them tells.

The shapes are told here and nowhere else: every pattern of this program that needs one is made of
`STAMP` (a syslog line's) and `OWN` (Exim's own). Stamps of any other layout are rewritten to these
by `logparse.dates` before a line is read.
Contract: `Stamps.posix(stamp, now)` reads RFC 3164 (``Feb  3 04:05:06``, one or two spaces or a
zero before the day, no year and no zone), RFC 3339 (``2026-02-03T04:05:06.12+01:00``) and Exim's
(``2026-02-03 04:05:06.123 +0100``). `minute` and `hour` give the part that lines of one minute or
one hour share. Missing years are inferred from `now`: the latest year that
does not put the line more than a day into the future, so a log read across New Year comes out
right. Missing zones are `zone`, by default the machine's, and `offset` is added
to such stamps. The hour that comes twice in autumn is the one that is `now`, else the second one
once time would go back. The clock is never read.
Failure: a stamp that is no date (``Feb 31``) gives `now` and is counted in `odd`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

from logparse.months import MONTHS

__all__ = ["OWN", "STAMP", "Stamps", "hour", "minute"]

# written loosely: the syslog daemon writes them, and every record of a log is matched with them;
# classes are spelled out since `\d` is slow
_UNDATED = rb"[A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]{8}"
_DATED = rb"[0-9]{4}-[0-9:.T+-]{13,32}Z?"
STAMP = _UNDATED + rb"|" + _DATED
OWN = rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?(?: [+-][0-9]{4})?"

# bytes of a stamp that tell the hour and the minute: with a year, and without
_HOUR, _MINUTE = 14, 16  # "2026-02-03T04:", "2026-02-03T04:05"
_UNDATED_HOUR, _UNDATED_MINUTE = 10, 12  # "Feb  3 04:", "Feb  3 04:05"
_NINE = 57  # no letter is a smaller byte

_LONG_DAY = 86_400.0
_CLOSE = 600.0  # seconds from now that a line is which was written just now
_BACK = 120.0  # seconds that lines of a log may be out of order
_KEPT = 4096  # minutes in the cache; a busy log has few at a time


def minute(text: bytes, start: int) -> bytes:
    """The part of the stamp at `start` that tells the minute."""
    return text[start : start + (_MINUTE if text[start] <= _NINE else _UNDATED_MINUTE)]


def hour(text: bytes) -> bytes:
    """The part of the stamp a text begins with that tells the hour."""
    return text[: _HOUR if text[:1].isdigit() else _UNDATED_HOUR]


class Stamps:
    """Reads stamps; remembers the minutes it has seen, because neighbours share them."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._zoned = self._twice = False
        self._minutes: dict[bytes, float] = {}
        self._last, self._last_now, self._last_time = b"", 0.0, 0.0
        self._epoch = 0  # half days: inferred years hold only near the `now` they came from
        self._latest = 0.0  # minute that was read last, to tell the two hours of an autumn night
        self._offset = 0.0
        self.odd = 0  # stamps that are no date, so far

    @property
    def offset(self) -> float:
        """Seconds that stamps without a zone are behind: they are added."""
        return self._offset

    @offset.setter
    def offset(self, seconds: float) -> None:
        self._offset, self._last = seconds, b""

    @property
    def zoned(self) -> bool:
        """Whether the stamp read last told its zone."""
        return self._zoned

    def posix(self, stamp: bytes, now: float) -> float:
        """The time of `stamp`; `now` when it is not a date."""
        if stamp == self._last and abs(now - self._last_now) < 60:
            return self._last_time  # neighbours often share even the second
        try:
            when = self._dated(stamp, now) if stamp[:1].isdigit() else self._undated(stamp, now)
        except (ValueError, IndexError, KeyError, OverflowError, OSError):
            self.odd += 1
            return now
        if not self._zoned:
            when += self._offset
        self._last, self._last_now, self._last_time = stamp, now, when
        return when

    def _dated(self, stamp: bytes, now: float) -> float:
        if len(stamp) == 19 and (start := self._minutes.get(stamp[:16])) is not None:
            self._zoned = False
            return start + int(stamp[17:])
        clock, zone = _split_zone(stamp)
        self._zoned = bool(zone)
        minute = clock[:16] + zone
        start = self._minutes.get(minute)
        if start is None:
            start = self._keep(minute, self._local(_date(clock), _offset(zone), now))
        return start + float(clock[17:])

    def _undated(self, stamp: bytes, now: float) -> float:
        if int(now // (_LONG_DAY / 2)) != self._epoch:
            self._epoch = int(now // (_LONG_DAY / 2))
            self._minutes.clear()
        self._zoned = False
        minute = stamp[:-3]
        start = self._minutes.get(minute)
        if start is None:
            start = self._keep(minute, self._infer(minute, now))
        return start + int(stamp[-2:])

    def _infer(self, minute: bytes, now: float) -> float:
        month, day, clock = minute.split()
        hours, _, minutes = clock.partition(b":")
        year = datetime.fromtimestamp(now, UTC).year
        for candidate in (year + 1, year, year - 1, *range(year - 2, year - 9, -1)):
            try:
                when = datetime(candidate, _month(month), int(day), int(hours), int(minutes))
            except ValueError:
                continue  # 29 February exists only in some years
            start = self._local(when, None, now)
            if start <= now + _LONG_DAY:
                return start
        raise ValueError("no such day")

    def _local(self, when: datetime, zone: tzinfo | None, now: float) -> float:
        when = when.replace(tzinfo=zone or self._zone)  # none: the machine's
        first, second = when.timestamp(), when.replace(fold=1).timestamp()
        self._twice = first != second
        return self._which(first, second, now - self._offset) if self._twice else first

    def _which(self, first: float, second: float, now: float) -> float:
        """Of an hour that comes twice, the one that is now; else time does not go back in a log."""
        if abs(now - second) < _CLOSE:
            return second
        if abs(now - first) < _CLOSE or first >= self._latest - _BACK:
            return first
        return second if second <= now + _CLOSE else first

    def _keep(self, minute: bytes, start: float) -> float:
        self._latest = start
        if self._twice:
            return start  # decided anew for each line
        if len(self._minutes) >= _KEPT:
            self._minutes.clear()
        self._minutes[minute] = start
        return start


def _date(clock: bytes) -> datetime:
    return datetime(
        int(clock[:4]), int(clock[5:7]), int(clock[8:10]), int(clock[11:13]), int(clock[14:16])
    )


def _month(name: bytes) -> int:
    return MONTHS[name.lower()]


def _split_zone(stamp: bytes) -> tuple[bytes, bytes]:
    if stamp.endswith(b"Z"):
        return stamp[:-1], b"Z"
    at = max(stamp.rfind(b"+"), stamp.rfind(b"-"))
    return (stamp[:at].rstrip(), stamp[at:]) if at >= 17 else (stamp, b"")


def _offset(zone: bytes) -> tzinfo | None:
    if not zone:
        return None
    if zone == b"Z":
        return UTC
    digits = zone[1:].replace(b":", b"")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4] or b"0") * 60
    return timezone(timedelta(seconds=seconds if zone[:1] == b"+" else -seconds))
