"""How the status page spells times, durations, rates and numbers.

Contract: pure; `FILTERS` are the template's. Failure: none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from policyd.settings.units import spell
from policyd.web.view import ReceiverView, Totals
from rules.taxonomy import CATEGORIES

__all__ = [
    "FILTERS",
    "ago",
    "attempts",
    "blamed",
    "clock_time",
    "legible",
    "meaning",
    "number",
    "rate",
    "share",
    "span",
]

# marks that turn the writing direction: Python calls some of them printable
_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_BLAMED = {
    "ip": "our address",
    "domain": "our domain",
    "recipient": "one recipient",
    "recipient-domain": "the recipient's domain",
    "receiver": "all that comes from us",
    "connection": "one connection",
    "message": "one message",
    "account": "our account",
}


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
    if abs(then - now) < 1:
        return "now"
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


def legible(text: str) -> str:
    """A remote server's words, with what could confuse a reader made visible."""
    return "".join(
        char if char.isprintable() and char not in _TURNS else f"\\u{ord(char):04x}"
        for char in text
    )


def meaning(category: str) -> str:
    """A category in words."""
    known = CATEGORIES.get(category)
    return known.meaning if known else "not in the taxonomy"


def blamed(scope: str) -> str:
    """Whom a refusal is about."""
    return _BLAMED.get(scope, scope)


def attempts(row: ReceiverView | Totals) -> int:
    """Attempts that were really made: not the echoes, not our own holds."""
    return sum(row.outcomes.get(outcome, 0) for outcome in ("sent", "deferred", "bounced"))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ago": ago,
    "attempts": attempts,
    "blamed": blamed,
    "clock_time": clock_time,
    "legible": legible,
    "meaning": meaning,
    "number": number,
    "rate": rate,
    "share": share,
    "span": span,
}
