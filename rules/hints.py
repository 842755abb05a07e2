"""Spoken time: how long a reply asks the sender to wait.

Contract: `spoken` finds the one phrase that names a wait and returns its seconds, clamped, with
the words that said so; `until` without a number ("until midnight") has words and no seconds.
Numbers that are not waits (rates, windows, sizes) are never taken: a number counts only behind
words that ask to come back. Every quantifier is bounded, so the work is linear in the text.
Failure: none; no phrase, no hint.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

__all__ = ["LONGEST", "TRIGGER", "Hint", "duration", "recipients", "spoken"]

LONGEST = 86400.0

# unit words by their length in seconds: English, German, French, Spanish, Italian, Portuguese,
# Dutch, Polish, Czech, Russian, Chinese, Japanese
_UNITS = {
    1: "s|secs?|seconds?|sekunden?|secondes?|segundos?|second[oi]|sekundy?|секунд[уы]?|秒",
    60: "m|mins?|minut(?:es?|en?|os?|[oiyęu])?|минут[уы]?|分钟|分鐘|分",
    3600: "h|hrs?|hours?|stunden?|heures?|horas?|or[ae]|uur|uren|godzin[ęy]?|hodin[uy]?"
    "|час(?:а|ов)?|小时|小時|時間",
    86400: "days?|tage?n?|jours?|d[ií]as?|giorn[oi]|dagen|dni|dny|дн(?:я|ей)|день|天|日",
}
_UNIT = "(" + "|".join(_UNITS.values()) + ")"
# Latin and Cyrillic units end a word; Chinese and Japanese ones need not
_AMOUNT = r"(?:about |at least |ca\.? |another |the next )?([0-9]{1,6}) ?" + _UNIT + r"(?![a-zа-я])"
_CLOCK = r"([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9]))?(?![0-9:])"

# words that ask to come back, then at most a few others, then a preposition, then the amount
_BACK = (
    r"\b(?:try|retry|retrying|retried|come back|again|later|resend|re-?submit|reconnect|return"
    r"|resume|erneut|wieder|nochmals?|versuchen|r[ée]essa(?:yer|yez|ye)|nouveau|riprova(?:re|te)?"
    r"|int[ée]nt(?:e|elo|ar)|reint[ée]nt(?:e|elo|ar)|tente|opnieuw|ponownie|spr[óo]buj|znovu"
    r"|opakujte|попробуйте|повторите|повторить|повторно|позже)\b"
)
_PREPOSITION = (
    r"(?:in|after|within|nach|innerhalb von|dans|apr[èe]s|en|dentro de|despu[ée]s de|tra|fra|dopo"
    r"|em|ap[óo]s|over|binnen|za|po|через)"
)
_LIFT = (
    r"\b(?:unblock(?:ed)?|unlisted|delisted|lifted|expires?|cleared|reset|released|removed"
    r"|available)\b"
)
_HELD = (
    r"\b(?:gr[ea]y-?list(?:ed|ing)|delayed|deferred|throttled|suspended|paused|blocked|banned)\b"
)

_TAG = (
    r"(?:^|[ (\[;,])(retry(?:-time)? *= *(?:" + _CLOCK + r"|([0-9]{1,6}) ?"
    r"(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?)?))(?![0-9A-Za-z_:])"
)
_AT = tuple(
    rf"({words}[^.;:0-9]{{0,30}}?\b(?:{_PREPOSITION}|for) {_CLOCK})" for words in (_BACK, _HELD)
)
_PHRASES = tuple(
    f"({pattern})"
    for pattern in (
        rf"{_HELD}[^.;0-9]{{0,40}}?\bfor {_AMOUNT}",
        rf"{_BACK}[^.;0-9]{{0,30}}?\b{_PREPOSITION} {_AMOUNT}",
        rf"{_LIFT}[^.;0-9]{{0,30}}?\b(?:in|after|within) {_AMOUNT}",
        rf"\b(?:please )?wait(?:ing)? (?:for |at least )?{_AMOUNT}",
        rf"\b{_PREPOSITION} {_AMOUNT}[^.;0-9]{{0,20}}?{_BACK}",
        r"([0-9]{1,6}) ?(秒|分钟|分鐘|分|小时|小時|時間|天|日)(?:钟|鐘)?(?:后|後|之后|之後|以後)",
    )
)
_UNTIL = (
    r"\b(?:until|till|before|after|at) (?:midnight|tomorrow)\b|\btry (?:again )?tomorrow\b"
    r"|\bfor (?:the rest of )?the day\b|\bbis (?:mitternacht|morgen)\b|\bjusqu'à minuit\b"
)
# the amount belongs to a rate when something was counted just before: "100 messages in 5 minutes"
_RATE = (
    r"[0-9] ?(?:e-?mails?|mails?|messages?|msgs?|connections?|recipients?|attempts?|requests?"
    r"|times)?\W{0,3}(?:\w{1,12} ){0,2}$"
)
# an RE2 pattern that is found in every text that `spoken` could say something about
TRIGGER = (
    r"retry(?:-time)? *=|[0-9]:[0-5][0-9]|[0-9] ?"
    + _UNIT
    + r"(?:[^a-zа-я]|$)|midnight|tomorrow|the day\b|mitternacht|bis morgen|minuit"
)
_ADDRESSEES = "(?:recipients?|rcpts?|addresses|empf[äa]nger|destinataires)"
_RECIPIENTS = (
    r"\b(?:max(?:imum|imal)?|limit(?:ed)?|more than|at most|up to|only|exceed(?:s|ed)?|allowed)"
    rf"\b[^.;0-9]{{0,40}}?\b([0-9]{{1,6}}) ?{_ADDRESSEES}",
    rf"\b{_ADDRESSEES}\b[^.;0-9]{{0,30}}?\b(?:max(?:imum)?|limit|than|exceeds?|is|of|to)\b"
    r"[ :=(]{0,3}([0-9]{1,6})\b(?!\.[0-9])",
    rf"\b([0-9]{{1,6}}) ?{_ADDRESSEES}\b[^.;0-9]{{0,20}}?\b(?:max(?:imum)?|limit|allowed|per)",
)


class Hint(NamedTuple):
    """A wait and the words that asked for it; `seconds` None: until a time of somebody's day."""

    seconds: float | None
    words: str


@functools.cache
def _ready(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled when it is first used: together they would hold a start up."""
    return re.compile(pattern, re.IGNORECASE)


@functools.lru_cache(maxsize=512)  # addresses are masked: greylisting says the same to all
def spoken(text: str) -> Hint | None:
    """The wait that a reply asks for."""
    tag = _ready(_TAG).search(text) if "=" in text else None
    if tag:
        if tag[2]:
            return Hint(_clock(tag[2], tag[3], tag[4]), tag[1])
        return Hint(_clamp(float(tag[5]) * _size(tag[6] or "s")), tag[1])
    for pattern in _AT if ":" in text else ():
        at = _ready(pattern).search(text)
        if at:
            return Hint(_clock(at[2], at[3], at[4]), at[1])
    for pattern in _PHRASES:
        for found in _ready(pattern).finditer(text):
            if not _ready(_RATE).search(text, max(0, found.start() - 40), found.start()):
                return Hint(_clamp(float(found[2]) * _size(found[3])), found[1])
    until = _ready(_UNTIL).search(text)
    return Hint(None, until[0]) if until else None


def duration(text: str) -> float | None:
    """A captured duration in seconds: `5 minutes`, `00:05:00`, or a bare number of seconds."""
    text = text.strip()
    clock = re.fullmatch(_CLOCK, text)
    if clock:
        return _clock(clock[1], clock[2], clock[3])
    amount = re.fullmatch(r"([0-9]{1,6}) ?" + f"{_UNIT}?", text, re.IGNORECASE)
    return _clamp(float(amount[1]) * _size(amount[2] or "s")) if amount else None


def recipients(text: str) -> int | None:
    """The number of recipients that a reply names as its limit."""
    for pattern in _RECIPIENTS:
        found = _ready(pattern).search(text)
        if found:
            return int(found[1])
    return None


def _clock(first: str, second: str, third: str | None) -> float:
    """h:m:s, or m:s."""
    parts = [int(first), int(second)] + ([int(third)] if third else [])
    total = 0
    for part in parts:
        total = total * 60 + part
    return _clamp(float(total))


def _size(unit: str) -> float:
    return next(float(size) for size, words in _UNITS.items() if _ready(words).fullmatch(unit))


def _clamp(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST)
