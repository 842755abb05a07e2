"""How the status page spells times, durations, rates and numbers.

Contract: pure; `FILTERS` are the template's. Failure: none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from policyd.units import spell

__all__ = ["FILTERS", "ago", "clock_time", "number", "rate", "share", "span"]


def span(seconds: float) -> str:
    """A duration at a glance: its two largest units."""
    if seconds < 60:
        return f"{max(0, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    words = spell(round(seconds / 60) * 60 if seconds < 86400 else round(seconds / 3600) * 3600)
    return words.replace("d", " d ").replace("h", " h ").replace("m", " min").strip()


def ago(then: float, now: float) -> str:
    """How long ago, or in how long."""
    return f"in {span(then - now)}" if then > now else f"{span(now - then)} ago"


def clock_time(moment: float) -> str:
    """A moment in UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(moment))


def rate(per_second: float) -> str:
    """Attempts in the unit that gives a readable number."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if per_second * seconds >= 1 or unit == "h":
            return f"{per_second * seconds:.3g}/{unit}"
    return ""


def number(count: int) -> str:
    """A whole number with narrow spaces between thousands."""
    return f"{count:,}".replace(",", "\u202f")


def share(part: float, whole: float) -> str:
    """A percentage, with one more digit where it is small."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 10 or not percent else f"{percent:.1f} %"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ago": ago,
    "clock_time": clock_time,
    "number": number,
    "rate": rate,
    "share": share,
    "span": span,
}
