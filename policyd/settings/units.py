"""Durations as people write them in a configuration.

Contract: `duration` reads "90", "90s", "5m", "1h30m", "2d" or "00:05:00" as seconds; `spell` writes
seconds the short way. Failure: `ValueError` with words that say what is allowed.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

__all__ = ["Duration", "clock", "duration", "spell"]

Duration = Annotated[float, "duration"]  # seconds

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_CLOCK: Final = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")
ALLOWED: Final = "a duration such as 30s, 5m, 1h30m, 2d or 00:05:00"


def duration(text: str) -> float:
    """Seconds of `text`; a bare number counts seconds."""
    words = text.strip().lower()
    if re.fullmatch(r"\d+(?:\.\d+)?", words):
        return float(words)
    if told := _CLOCK.fullmatch(words):
        return float(int(told[1]) * 3600 + int(told[2]) * 60 + int(told[3]))
    if re.fullmatch(f"(?:{_PART.pattern})+", words):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(words))
    raise ValueError(f"{text!r} is not {ALLOWED}")


def spell(seconds: float) -> str:
    """The short way to write a duration: 5400 → "1h30m", 0.25 → "250ms"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms" if seconds else "0s"
    rest, words = round(seconds), ""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_SECONDS[unit]))
        words += f"{count}{unit}" if count else ""
    return words


def clock(seconds: float) -> str:
    """hh:mm:ss, as the `retry=` tag of an SMTP reply spells a time."""
    whole = max(0, round(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
