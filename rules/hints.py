"""Spoken time: how long a reply asks the sender to wait, and the limits it names.

Contract: `spoken` finds the one phrase that names a wait and returns its seconds, clamped, with
the words that said so; `until` without a number ("until midnight") has words and no seconds, and
so has a point in time ("after 14:30 UTC") unless the reply's own time is told. `limits` finds what
is allowed in which period. Numbers that are not waits (rates, windows, sizes) are never taken: a
number counts only behind words that ask to come back. Every quantifier is bounded, so the work is
linear in the text.
Failure: none; no phrase, no hint.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from rules.durations import AMOUNT, CLOCK, LONGEST, SPELLED, UNIT, clock, ready, seconds
from rules.moments import MOMENT, until
from rules.numbers import alike

__all__ = [
    "COUNTED",
    "LONGEST",
    "TRIGGERS",
    "Hint",
    "Limit",
    "allowed",
    "dated",
    "limits",
    "recipients",
    "spoken",
]

# words that ask to come back, then at most a few others, then a preposition, then the amount
_BACK = (
    r"\b(?:try|retry|retrying|retried|come back|again|later|resend|re-?submit|reconnect|return"
    r"|resume|back|wiederkommen|erneut|wieder|nochmals?|versuchen|r[ée]essa(?:yer|yez|ye)|nouveau"
    r"|riprova(?:re|te)?|int[ée]nt(?:e|elo|ar)|reint[ée]nt(?:e|elo|ar)|tente|opnieuw|ponownie"
    r"|spr[óo]buj|znovu|opakujte|попробуйте|повторите|повторить|повторно|позже)\b"
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
_WAIT = r"\b(?:please )?(?:wait(?:ing)?|allow|sleep) (?:for |at least |another )?"

_TAG = (
    r"(?:^|[ (\[;,])(retry(?:-time)? *= *(?:" + CLOCK + r"|([0-9]{1,6}) ?"
    r"(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?)?))(?![0-9A-Za-z_:])"
)
_AFTER = r"(?:^|[ (\[;,])(retry[-_]?after *[:=] *([0-9]{1,6}))(?![0-9A-Za-z_:])"
_AT = (
    *(rf"({words}[^.;:0-9]{{0,30}}?\b(?:{_PREPOSITION}|for) {CLOCK})" for words in (_BACK, _HELD)),
    rf"({_WAIT}{CLOCK})",
)
_PHRASES = tuple(
    f"({pattern})"
    for pattern in (
        rf"{_HELD}[^.;0-9]{{0,40}}?\bfor ({AMOUNT})",
        rf"{_BACK}[^.;0-9]{{0,30}}?\b{_PREPOSITION} ({AMOUNT})",
        rf"{_LIFT}[^.;0-9]{{0,30}}?\b(?:in|after|within) ({AMOUNT})",
        rf"{_WAIT}({AMOUNT})",
        rf"\b{_PREPOSITION} ({AMOUNT})[^.;0-9]{{0,20}}?{_BACK}",
        rf"({AMOUNT}) (?:to (?:wait|go)|left|remaining|until (?:you|it|the))\b",
        rf"([0-9]{{1,6}} more {UNIT})\b",
        r"([0-9]{1,6} ?(?:秒|分钟|分鐘|分|小时|小時|時間|天|日|초|분|시간)(?:钟|鐘)?)"
        r" ?(?:后|後|之后|之後|以後|후)",
    )
)
_DATED = (
    rf"(\b(?:until|till|after|at|from|before|bis|nach|ab|apr[èe]s|hasta|at[ée]|fino a|do|после"
    rf"|до|since|earlier than|later than)(?: [a-z]{{1,12}})? ({MOMENT}))",
    rf"({_BACK}[^.;0-9]{{0,12}}({MOMENT}))",
)
_CLOCKED = r"[0-9]:[0-5][0-9]"
_UNTIL = (
    r"\b(?:until|till|before|after|at) (?:midnight|tomorrow)\b|\btry (?:again )?tomorrow\b"
    r"|\bfor (?:the rest of )?the day\b|\bbis (?:mitternacht|morgen)\b|\bjusqu'à minuit\b"
)
# the amount belongs to a rate when something was counted just before: "100 messages in 5 minutes"
_RATE = (
    r"[0-9] ?(?:e-?mails?|mails?|messages?|msgs?|connections?|recipients?|attempts?|requests?"
    r"|times)?\W{0,3}(?:\w{1,12} ){0,2}$"
)
# RE2 patterns of which one is found in every text that `spoken` or `limits` could say something
# about; COUNTED wants a digit
COUNTED = (
    r"[0-9]:[0-5][0-9]|[0-9](?: more)? ?"
    + UNIT
    + r"(?:[^a-zа-я]|$)"
    + r"|[0-9] ?/ ?(?:[0-9]+ ?)?[smhd]|[0-9] (?:[a-z\-]+ )?(?:per|every|each) "
)
TRIGGERS = (
    r"retry(?:-time|[-_]?after)? *[=:]",
    r"midnight|tomorrow|the day\b|mitternacht|bis morgen|minuit",
    rf"\b(?:{SPELLED}) (?:more |further )?(?:sec|min|hour|day|sek|stund|heure|hora|ora\b|tag)",
)
_ADDRESSEES = "(?:recipients?|rcpts?|addresses|empf[äa]nger|destinataires)"
_RECIPIENTS = (
    r"\b(?:max(?:imum|imal)?|limit(?:ed)?|more than|at most|up to|only|exceed(?:s|ed)?|allowed)"
    rf"\b[^.;0-9]{{0,40}}?\b([0-9]{{1,6}}) ?{_ADDRESSEES}",
    rf"\b{_ADDRESSEES}\b[^.;0-9]{{0,30}}?\b(?:max(?:imum)?|limit|than|exceeds?|is|of|to)\b"
    r"[ :=(]{0,3}([0-9]{1,6})\b(?!\.[0-9])",
    rf"\b([0-9]{{1,6}}) ?{_ADDRESSEES}\b[^.;0-9]{{0,20}}?\b(?:max(?:imum)?|limit|allowed|per)",
)
_COUNTED = (
    r"(?:e-?mails?|mails?|messages?|msgs?|connections?|sessions?|recipients?|rcpts?|attempts?"
    r"|requests?|deliveries|times|commands?|transactions?)"
)
_LIMITS = (
    rf"\b([0-9]{{1,7}}) ?{_COUNTED}? ?(?:/|per|every|each|an?|in(?: the last)?|within|over) ?"
    rf"(?:any |one |a |an |the last |each )?({AMOUNT}|{UNIT})(?![a-z])",
)


class Hint(NamedTuple):
    """A wait and the words that asked for it; `seconds` None: until a time of somebody's day."""

    seconds: float | None
    words: str


class Limit(NamedTuple):
    """So many in so many seconds, and the words that said so."""

    number: int
    period: float
    words: str


def spoken(text: str, now: float | None = None) -> Hint | None:
    """The wait that a reply asks for; `now`: when it did, in seconds since 1970.

    Without a clock time it stands in the same place in all texts that differ only in digits.
    """
    if ready(_CLOCKED).search(text):
        return _clocked(text, now)
    found = _place(alike(text))
    return _hint(found[0], ready(found[0]).match(text, found[1])) if found else None


@functools.lru_cache(maxsize=4096)  # addresses are masked: greylisting says the same to all
def _clocked(text: str, now: float | None) -> Hint | None:
    """The wait in a text that names a clock time."""
    for pattern in (_TAG, _AFTER):
        tag = ready(pattern).search(text)
        if tag:
            return _hint(pattern, tag)
    moment = _moment(text, now)
    if moment and moment.seconds is not None:
        return moment
    for pattern in () if moment else _AT:
        at = ready(pattern).search(text)
        if at:
            return Hint(clock(at[2], at[3], at[4]), at[1])
    place = _phrase(text)
    later = place and ready(place[0]).match(text, place[1])
    if place and place[0] != _UNTIL:
        return _hint(place[0], later)
    return moment or (_hint(_UNTIL, later) if later else None)


@functools.lru_cache(maxsize=4096)  # what counts seconds down says the same all the time
def _place(text: str) -> tuple[str, int] | None:
    """By which pattern, and where, a text without clock times speaks of a wait."""
    for pattern in (_TAG, _AFTER) if "=" in text or ":" in text else ():
        tag = ready(pattern).search(text)
        if tag:
            return pattern, tag.start()
    return _phrase(text)


def _phrase(text: str) -> tuple[str, int] | None:
    for pattern in _PHRASES:
        for found in ready(pattern).finditer(text):
            if not ready(_RATE).search(text, max(0, found.start() - 40), found.start()):
                return pattern, found.start()
    later = ready(_UNTIL).search(text)
    return (_UNTIL, later.start()) if later else None


def _hint(pattern: str, found: re.Match[str] | None) -> Hint:
    """What a phrase says."""
    assert found is not None
    if pattern == _TAG:
        if found[2]:
            return Hint(clock(found[2], found[3], found[4]), found[1])
        return Hint(seconds(f"{found[5]} {found[6] or 's'}"), found[1])
    if pattern == _UNTIL:
        return Hint(None, found[0])
    return Hint(seconds(found[2]), found[1] if pattern == _AFTER else found[1].strip())


def dated(text: str) -> bool:
    """Does a wait hang on when the reply was said."""
    return ready(_CLOCKED).search(text) is not None and _moment(text, None) is not None


def limits(text: str) -> Limit | None:
    """What a reply says is allowed in which period."""
    for pattern in _LIMITS:
        for found in ready(pattern).finditer(text):
            period = seconds(found[2]) or seconds(f"1 {found[2]}")
            if period:
                return Limit(int(found[1]), period, found[0])
    return None


def recipients(text: str) -> int | None:
    """The number of recipients that a reply names as its limit."""
    found = allowed(text)
    return int(found[1]) if found else None


def allowed(text: str) -> re.Match[str] | None:
    """The words that tell how many recipients are allowed, and the number in them."""
    return next(filter(None, (ready(pattern).search(text) for pattern in _RECIPIENTS)), None)


def _moment(text: str, now: float | None) -> Hint | None:
    for pattern in _DATED:
        found = ready(pattern).search(text)
        if found:
            return Hint(None if now is None else until(found[2], now), found[1])
    return None
