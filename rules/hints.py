"""Spoken time: how long a reply asks the sender to wait.

Contract: `spoken` finds the one phrase that names a wait and returns seconds and the words that
said so. Numbers that are not waits (rates, windows, sizes) are never taken.
Failure: none; no phrase, no hint.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["LONGEST", "Hint", "spoken"]

LONGEST = 86400.0


class Hint(NamedTuple):
    """A wait and the words that asked for it."""

    seconds: float
    words: str


_UNIT = r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b"
_TAG = re.compile(
    r"(?i)(?:^|[\s(\[;,])(retry(?:-time)?\s*=\s*(?:([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9]))?"
    r"|([0-9]{1,6})\s*(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?)?))(?![\w:])"
)
_CLOCK = re.compile(
    r"(?i)((?:come|try|retry)\b.{0,25}?\b(?:in|after)\s+([0-9]{1,3}):([0-5][0-9]):([0-5][0-9]))\b"
)
_WORDS = re.compile(
    r"(?i)((?:gr[ea]y-?listed|delayed|throttled|deferred)\b.{0,40}?\bfor\s+([0-9]{1,6})\s*"
    + _UNIT
    + r"|(?:try|retry|come|resend|reconnect)\b.{0,25}?\b(?:in|after)\s+(?:about\s+|at least\s+)?"
    r"([0-9]{1,6})\s*" + _UNIT + r"|\bwait\s+(?:for\s+)?([0-9]{1,6})\s*" + _UNIT + ")"
)


def spoken(text: str) -> Hint | None:
    """The wait a reply asks for."""
    tag = _TAG.search(text)
    if tag:
        if tag[2]:
            parts = [int(part) for part in (tag[2], tag[3], tag[4]) if part]
            total = 0
            for part in parts:
                total = total * 60 + part
            return Hint(min(float(total), LONGEST), tag[1])
        return Hint(min(int(tag[5]) * _scale(tag[6] or "s"), LONGEST), tag[1])
    clock = _CLOCK.search(text)
    if clock:
        wait = int(clock[2]) * 3600 + int(clock[3]) * 60 + int(clock[4])
        return Hint(min(float(wait), LONGEST), clock[1])
    words = _WORDS.search(text)
    if words:
        number, unit = next((words[i], words[i + 1]) for i in (2, 4, 6) if words[i])
        return Hint(min(int(number) * _scale(unit), LONGEST), words[1])
    return None


def _scale(unit: str) -> float:
    return {"s": 1.0, "m": 60.0, "h": 3600.0}[unit[0].lower()]
