"""Time stamps of any usual layout, rewritten to the few that `logparse.stamps` reads.

A small set of readers, each a pattern with the same names for its parts: year, month as a number
or a name in any language, day, clock, fraction, zone; or seconds since 1970. What is ambiguous
(``02/03/2026``: which is the month?) is not read: a wrong time is worse than none.
Contract: `stamp_at(text, at)` gives the stamp that begins there: its canonical form and its end.
The form is ``Feb  3 04:05:06`` without a year, ``2026-02-03T04:05:06.123+01:00`` with one; the zone
is left out where the log tells none. `exim_stamp` is the same in Exim's way.
Failure: None where no stamp begins, or where its parts are no date. Time is linear.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from logparse.months import ENGLISH, MONTHS

__all__ = ["Stamp", "exim_stamp", "rfc3339", "stamp_at"]

_YEAR = rb"(?P<year>[12][0-9]{3})"
_NAME = rb"(?P<name>(?:[A-Za-z\x80-\xff]{3,12}|[0-9]{1,2}\xe6\x9c\x88))\.?"
_NUMBER = rb"(?P<month>[01][0-9])"
_DAY = rb"(?P<day>[0-3]?[0-9])"
_CLOCK = rb"(?P<clock>[0-2]?[0-9]:[0-5][0-9]:[0-6][0-9])(?:[.,](?P<fraction>[0-9]{1,9}))?"
_CLOCK += rb"(?: (?P<half>[AaPp][Mm])(?![A-Za-z]))?+"
# +01:00, +01, CET, and both, as Go prints them
_OFFSET = rb"[+-][0-9]{2}(?::?[0-9]{2})?"
_ZONE = (
    rb"(?: ?(?P<zone>Z|" + _OFFSET + rb"|[A-Z]{2,5})(?=[ \]\t,;|]|\Z)"
    rb"(?: (?:UTC|[A-Z]{1,3}[SD]?T)(?= |\Z))?+)?+"
)  # fmt: skip
_WEEKDAY = rb"(?:[A-Za-z\x80-\xff]{2,10}\.?,? {1,2})?"

_READERS = tuple(
    re.compile(pattern + rb"(?![0-9A-Za-z])")
    for pattern in (
        # 2026-02-03T04:05:06.123+01:00, 2026/02/03 04:05:06, Tue 2026-02-03 04:05:06 CET
        _WEEKDAY + _YEAR + rb"(?P<s>[-/.])" + _NUMBER + rb"(?P=s)" + _DAY + rb"[Tt _]"
        + _CLOCK + _ZONE,
        # 20260203T040506Z, 20260203 04:05:06
        _YEAR + _NUMBER + rb"(?P<day>[0-3][0-9])[T _-](?P<clock>[0-2][0-9]:?[0-5][0-9]:?[0-6][0-9])"
        rb"(?:[.,](?P<fraction>[0-9]{1,9}))?" + _ZONE,
        # Feb  3 04:05:06, Tue Feb  3 04:05:06 2026, 2026 Feb  3 04:05:06, Feb 3 2026 04:05:06
        _WEEKDAY + rb"(?:" + _YEAR + rb" {1,2})?" + _NAME + rb" {1,2}" + _DAY
        + rb",?(?: {1,2}(?P<year2>[12][0-9]{3}),?)? {1,2}" + _CLOCK
        + rb"(?: (?:(?P<zone2>[A-Z]{2,5}|" + _OFFSET + rb") )?(?P<year3>[12][0-9]{3})(?=[ \]]|\Z))?"
        + _ZONE,
        # 03/Feb/2026:04:05:06 +0000, Tue, 3 Feb 2026 04:05:06 +0100, 3. Feb 04:05:06
        _WEEKDAY + _DAY + rb"\.?[ /-]" + _NAME + rb"(?:[ /-]" + _YEAR + rb")?[ :]" + _CLOCK
        + _ZONE,
        # 03.02.2026 04:05:06
        rb"(?P<day>[0-3]?[0-9])\.(?P<month>[01]?[0-9])\." + _YEAR + rb",? " + _CLOCK + _ZONE,
    )
)  # fmt: skip
# since 1970: seconds, with a fraction or in thousandths and less; multilog's label
_EPOCH = re.compile(rb"(?P<whole>[0-9]{9,10})(?:\.(?P<part>[0-9]{1,9}))?(?![0-9A-Za-z.:-])")
_SMALL = re.compile(rb"(?P<whole>1[0-9]{9})(?P<part>[0-9]{3}|[0-9]{6}|[0-9]{9})(?![0-9A-Za-z.:-])")
_TAI = re.compile(rb"@4([0-9a-f]{15})([0-9a-f]{8})(?![0-9a-f])")
_TAI_AHEAD = 10  # seconds, as multilog and s6-log count

_HOURS = {
    b"UTC": 0, b"GMT": 0, b"WET": 0, b"WEST": 1, b"BST": 1, b"CET": 1, b"CEST": 2, b"MEZ": 1,
    b"MESZ": 2, b"EET": 2, b"EEST": 3, b"MSK": 3, b"JST": 9, b"KST": 9, b"AEST": 10, b"AEDT": 11,
    b"NZST": 12, b"NZDT": 13, b"EST": -5, b"EDT": -4, b"CDT": -5, b"MST": -7, b"MDT": -6,
    b"PST": -8, b"PDT": -7,
}  # fmt: skip


class Stamp(NamedTuple):
    """A stamp in canonical form."""

    text: bytes
    end: int  # where it ends in the text it was read in
    worth: int  # 2: it tells its zone, 1: its year, 0: neither


def stamp_at(text: bytes, at: int) -> Stamp | None:
    """The stamp that begins at this place."""
    for reader in _READERS:
        match = reader.match(text, at)
        if match is not None and (found := _canonical(match)) is not None:
            return found
    match = _EPOCH.match(text, at) or _SMALL.match(text, at)
    if match is not None:
        nanoseconds = int((match["part"] or b"0").ljust(9, b"0"))
        return Stamp(rfc3339(int(match["whole"]), nanoseconds), match.end(), 2)
    match = _TAI.match(text, at)
    if match is not None:
        seconds = int(match[1], 16) - _TAI_AHEAD
        return Stamp(rfc3339(seconds, int(match[2], 16)), match.end(), 2)
    return None


def _canonical(match: re.Match[bytes]) -> Stamp | None:
    parts = match.groupdict()
    name = parts.get("name")
    month = int(parts["month"]) if name is None else MONTHS.get(_lower(name))
    year = parts.get("year") or parts.get("year2") or parts.get("year3")
    day, clock = int(parts["day"]), parts["clock"]
    if month is None or not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    digits = clock.replace(b":", b"").rjust(6, b"0")
    if parts.get("half"):
        digits = b"%02d%b" % (_hour(int(digits[:2]), parts["half"]), digits[2:])
    clock = b"%b:%b:%b" % (digits[:2], digits[2:4], digits[4:])
    if year is None:
        return Stamp(b"%b %2d %b" % (ENGLISH[month - 1].encode(), day, clock), match.end(), 0)
    fraction = b"." + parts["fraction"] if parts["fraction"] else b""
    zone = _zone(parts["zone"] or parts.get("zone2"))
    text = b"%b-%02d-%02dT%b%b%b" % (year, month, day, clock, fraction, zone)
    return Stamp(text, match.end(), 2 if zone else 1)


def _hour(hour: int, half: bytes) -> int:
    """An hour of a clock that goes to twelve."""
    return hour % 12 + (12 if half[:1] in b"Pp" else 0)


def _lower(name: bytes) -> bytes:
    return name.decode("utf-8", "replace").lower().encode()


def _zone(name: bytes | None) -> bytes:
    """A zone as an offset; nothing for names that are not known, or mean several."""
    if not name:
        return b""
    if name in (b"Z", b"UTC", b"GMT"):
        return b"Z"
    if name[:1] in b"+-":
        return name if b":" in name else name[:3] + b":" + (name[3:] or b"00")
    hours = _HOURS.get(name)
    return b"" if hours is None else b"%+03d:00" % hours


def exim_stamp(stamp: bytes) -> bytes:
    """A canonical stamp with a year, in the way Exim writes its own."""
    clock, zone = stamp[:19].replace(b"T", b" "), stamp[19:].lstrip(b".0123456789")
    return clock + (b" +0000" if zone == b"Z" else b" " + zone.replace(b":", b"") if zone else b"")


def rfc3339(seconds: int, nanoseconds: int = 0) -> bytes:
    """A time since 1970 as a canonical stamp in UTC."""
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        when = datetime.fromtimestamp(0, UTC)
    fraction = b".%06d" % (nanoseconds // 1000) if nanoseconds else b""
    return when.strftime("%Y-%m-%dT%H:%M:%S").encode() + fraction + b"Z"
