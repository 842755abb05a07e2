"""Points in time that a reply names: dates and clock times with a zone.

Contract: `MOMENT` is the pattern of one, without groups; `until` says how many seconds from `now`
(seconds since 1970) it is. A clock time without a date is the next one. What names no zone is no
point in time: nobody knows whose clock it is.
Failure: none; None where the text names no possible time, or one that has passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.durations import LONGEST, ready

if TYPE_CHECKING:
    from datetime import datetime, timezone  # slow to import, and few replies name a time

__all__ = ["MOMENT", "until"]

_ZONES = {
    "utc": 0, "gmt": 0, "ut": 0, "z": 0, "cet": 1, "cest": 2, "bst": 1, "eet": 2, "eest": 3,
    "msk": 3, "jst": 9, "kst": 9, "est": -5, "edt": -4, "pst": -8, "pdt": -7,
}  # fmt: skip
_ZONE = "(?:" + "|".join(sorted(_ZONES, key=len, reverse=True)) + r"|[+\-][0-9]{2}:?[0-9]{2})\b"
_TIME = r"[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_ISO = rf"20[0-9]{{2}}-[01][0-9]-[0-3][0-9][t ]{_TIME} ?{_ZONE}"
_MAIL = rf"(?:[a-z]{{3}}, )?[0-3]?[0-9] [a-z]{{3}} 20[0-9]{{2}} {_TIME} {_ZONE}"
MOMENT = rf"(?:{_ISO}|{_MAIL}|{_TIME} ?\(?{_ZONE}\)?)"


def until(text: str, now: float) -> float | None:
    """Seconds from `now` to the moment a text names."""
    from datetime import UTC, datetime

    try:
        moment = _moment(text.strip().lower(), datetime.fromtimestamp(now, UTC))
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return None
    wait = (moment - datetime.fromtimestamp(now, UTC)).total_seconds()
    return min(wait, LONGEST) if wait >= 0 else None


def _moment(text: str, now: datetime) -> datetime:
    from datetime import datetime, timedelta

    zone = _zone(text)
    if ready(_MAIL).fullmatch(text):
        from email.utils import parsedate_to_datetime  # seldom needed, and slow to import

        words = text.rpartition(" ")[0]
        return parsedate_to_datetime(f"{words} +0000").replace(tzinfo=zone)
    found = ready(f"({_TIME})").search(text)
    if found is None:
        raise ValueError(text)
    parts = [int(part.partition(".")[0]) for part in found[1].split(":")] + [0]
    if ready(_ISO).fullmatch(text):
        year, month, day = map(int, text[:10].split("-"))
        return datetime(year, month, day, parts[0], parts[1], parts[2], tzinfo=zone)
    today = now.astimezone(zone)
    moment = today.replace(hour=parts[0], minute=parts[1], second=parts[2], microsecond=0)
    return moment if moment >= today else moment + timedelta(days=1)


def _zone(text: str) -> timezone:
    from datetime import timedelta, timezone

    found = ready(rf"({_ZONE})\)?$").search(text)
    if found is None:
        raise ValueError(text)
    name = found[1]
    if name in _ZONES:
        return timezone(timedelta(hours=_ZONES[name]))
    digits = name[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(offset if name[0] == "+" else -offset)
