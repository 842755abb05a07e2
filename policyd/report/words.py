"""Numbers, times and foreign text as the report's reader wants to see them.

Contract: pure; a time needs the zone it is to be told in. Failure: none.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from policyd.report.rows import Pain, Summary
from rules.taxonomy import CATEGORIES

__all__ = [
    "OUTCOMES",
    "axis",
    "clean",
    "count",
    "delays",
    "duration",
    "many",
    "meaning",
    "moment",
    "share",
    "span",
    "spilled",
    "when",
]

OUTCOMES = {
    "sent": "accepted",
    "deferred": "deferred",
    "bounced": "rejected",
    "suspended": "echoes of earlier failures",
    "held": "held by mxheed",
    "expired": "expired in the queue",
    "probe": "address probes",
    "tried": "refused by a host that was not the last",
}
_SPILLED = {
    "receivers": "deliveries to receivers beyond the 4,000th are under “other”",
    "refusals": "refusals beyond the 5,000th reason are under “other”",
    "texts": "refusals had texts beyond the 5,000th and were not grouped",
    "domains": "deliveries went to domains beyond the 50,000th, which are not listed",
    "details": "small receivers have no heat line and no delays",
}


def clean(text: str) -> str:
    """Foreign text without anything a terminal could take for a command."""
    return "".join(char if char.isprintable() else "?" for char in text)


def count(number: int) -> str:
    """1,234,567."""
    return f"{number:,}"


def many(number: int, one: str, more: str = "") -> str:
    """1 line, 2 lines."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def share(part: float) -> str:
    """A share as percents: a dash for nothing, one decimal below ten."""
    if not part:
        return "–"
    percent = part * 100
    if percent < 0.1:
        return "<0.1 %"
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:.0f} %"


def duration(seconds: float) -> str:
    """0.25 s, 12 s, 3 min, 2.5 h."""
    if seconds < 1:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def delays(pair: tuple[float, float] | None) -> str:
    """Median and 95th percentile; a dash where the MTA does not log this part."""
    return " · ".join(map(duration, pair)) if pair else "–"


def moment(time: float, summary: Summary, zone: tzinfo | None) -> str:
    """The time of day, with the date where the log covers more than one."""
    at = datetime.fromtimestamp(time, zone)
    return f"{at:%H:%M}" if summary.last - summary.first < 86_400 else f"{at:%d %b %H:%M}"


def span(first: float, last: float, summary: Summary, zone: tzinfo | None) -> str:
    """From one moment to another, as short as it can be said."""
    begin, end = (moment(time, summary, zone) for time in (first, last))
    if begin == end:
        return begin
    if begin[:-5] == end[:-5]:  # the same date
        end = end[-5:]
    return f"{begin}–{end}"


def when(pain: Pain, summary: Summary, zone: tzinfo | None) -> str:
    """What still goes on is told as “since 20:00”, what is over as “06:09–08:02”."""
    if pain.ongoing:
        return f"since {moment(pain.first, summary, zone)}"
    return span(pain.first, pain.last, summary, zone)


def meaning(pain: Pain) -> str:
    """What the category means, in words."""
    known = CATEGORIES.get(pain.category)
    return known.meaning if known else pain.category


def axis(summary: Summary, zone: tzinfo | None) -> str:
    """A scale for heat lines, one character a slot: hours, or days where the log has several."""
    text = ""
    for number, slot in enumerate(summary.slots):
        at = datetime.fromtimestamp(slot, zone)
        label = _label(at, number, summary)
        if label and len(text) < number + (not number):
            text = text.ljust(number) + label
    return text.ljust(len(summary.slots))


def _label(at: datetime, number: int, summary: Summary) -> str:
    if summary.slot_hours >= 24:
        return f"{at:%d}" if number % 4 == 0 else ""
    if summary.last - summary.first >= 86_400:
        return f"{at:%d}" if at.hour < summary.slot_hours else ""
    few = len(summary.slots) < 12
    return f"{at:%H}" if at.hour % 6 == 0 or (few and not number) else ""


def spilled(summary: Summary) -> list[str]:
    """What the caps of the tally cost, in words."""
    return [
        f"{count(number)} {_SPILLED.get(name, name)}" for name, number in summary.spilled.items()
    ]
