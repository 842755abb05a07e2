"""Amounts of time in words: `5 minutes`, `1h30m`, `five minutes`, `2 hours and 30 minutes`.

Contract: `AMOUNT` is the pattern of an amount, without groups; `seconds` its value. `CLOCK` is the
pattern of h:m:s or m:s with three groups, `clock` its value. Nothing is clamped but to a day.
Every quantifier is bounded.
Failure: none; `seconds` of a text that is no amount is None.
"""

from __future__ import annotations

import functools
import re

__all__ = ["AMOUNT", "CLOCK", "LONGEST", "SPELLED", "UNIT", "clamp", "clock", "ready", "seconds"]

LONGEST = 86400.0

# unit words by their length in seconds: English, German, French, Spanish, Italian, Portuguese,
# Dutch, Polish, Czech, Russian, Chinese, Japanese, Korean
_UNITS = {
    1: "s|secs?|seconds?|sekunden?|secondes?|segundos?|second[oi]|sekundy?|секунд[уы]?|秒|초",
    60: "m|mins?|minut(?:es?|en?|os?|[oiyęu])?|минут[уы]?|分钟|分鐘|分|분",
    3600: "h|hrs?|hours?|stunden?|heures?|horas?|or[ae]|uur|uren|godzin[ęy]?|hodin[uy]?"
    "|час(?:а|ов)?|小时|小時|時間|시간",
    86400: "d|days?|tage?n?|jours?|d[ií]as?|giorn[oi]|dagen|dni|dny|дн(?:я|ей)|день|天|日|일",
}
UNIT = "(?:" + "|".join(_UNITS.values()) + ")"
_WORDS = {
    "half an": 0.5, "an": 1, "a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
    "fifteen": 15, "twenty": 20, "thirty": 30, "forty-five": 45, "forty": 40, "fifty": 50,
    "sixty": 60, "ninety": 90, "eine": 1, "einer": 1, "einem": 1, "zwei": 2, "drei": 3,
    "fünf": 5, "zehn": 10, "fünfzehn": 15, "dreißig": 30, "une": 1, "deux": 2, "cinq": 5,
    "dix": 10, "quinze": 15, "trente": 30, "una": 1, "uma": 1, "dos": 2, "cinco": 5, "diez": 10,
    "cinque": 5, "dieci": 10,
}  # fmt: skip
SPELLED = "|".join(sorted(_WORDS, key=len, reverse=True))
_MORE = "(?: (?:more|further|full))?"
_PART = rf"(?:[0-9]{{1,6}}{_MORE} ?|(?:{SPELLED}){_MORE} ){UNIT}"
# Latin and Cyrillic units end a word; Chinese, Japanese and Korean ones need not
AMOUNT = (
    rf"(?:about |at least |approximately |around |ca\.? |another |the next |up to )?"
    rf"\b{_PART}(?:(?:, | and |, and | )?[0-9]{{1,6}} ?{UNIT}){{0,3}}(?![a-zа-я])"
)
CLOCK = r"([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9]))?(?![0-9:])"
_EACH = rf"(?:([0-9]{{1,6}}){_MORE} ?|\b({SPELLED}){_MORE} )({UNIT})(?![a-zа-я])"


@functools.cache
def ready(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled when it is first used: together they would hold a start up."""
    return re.compile(pattern, re.IGNORECASE)


def seconds(text: str) -> float | None:
    """The value of an amount; a bare number counts seconds."""
    text = text.strip().lower()
    if ready("[0-9]{1,6}").fullmatch(text):
        return clamp(float(text))
    parts = ready(_EACH).findall(text)
    if not parts:
        return None
    return clamp(sum(_value(digits or word) * _size(unit) for digits, word, unit in parts))


def clock(first: str, second: str, third: str | None) -> float:
    """h:m:s, or m:s."""
    parts = [int(first), int(second)] + ([int(third)] if third else [])
    total = 0
    for part in parts:
        total = total * 60 + part
    return clamp(float(total))


def clamp(value: float) -> float:
    """At most a day, and never negative."""
    return min(max(value, 0.0), LONGEST)


def _value(number: str) -> float:
    return float(number) if number.isdigit() else float(_WORDS[number])


def _size(unit: str) -> float:
    return next(float(size) for size, words in _UNITS.items() if ready(words).fullmatch(unit))
