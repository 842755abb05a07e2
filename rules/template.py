"""Replies grouped by what they say, not by whom they name: for people who read what was not
understood.

Contract: `template` gives the same line for replies that differ only in addresses, numbers, host
names, ids and times. It is for lists and never decides anything. `phrase` finds the words worth a
pattern.
Failure: none.
"""

from __future__ import annotations

import re

from rules.reply import read

__all__ = ["phrase", "template"]

_URL = re.compile(r"https?://[^\s<>\"')]+", re.IGNORECASE)
_MAILBOX = re.compile(r"<?x@x\.x>?")
_HOST = re.compile(r"\b(?:[A-Za-z0-9_\-]+\.)+[A-Za-z]{2,}\b")
_MIXED = re.compile(r"\b(?=[A-Za-z0-9_\-+/=]*[0-9])[A-Za-z0-9_\-+/=]{8,}")
_NUMBER = re.compile(r"[0-9]+")
_WORDS = re.compile(r"[^\W\d_]+(?:[ '\-][^\W\d_]+)*", re.UNICODE)
_DULL = re.compile(r"(?i)^(?:error|the|from|for|see|please|more information|message|mail)$")


def template(reply: str) -> str:
    """The reply with everything that varies replaced by a sign."""
    parsed = read(reply)
    text = _URL.sub("URL", parsed.text)
    text = _MAILBOX.sub("ADDR", text).replace("0.0.0.0", "IP")
    text = _HOST.sub("HOST", text)
    text = _MIXED.sub("ID", text)
    text = _NUMBER.sub("N", text)
    head = [str(parsed.code or ""), parsed.enhanced or "", text[:300]]
    return " ".join(part for part in head if part)


def phrase(reply: str) -> str:
    """The longest stretch of plain words: what a pattern would best look for."""
    text = _HOST.sub(" | ", _URL.sub(" | ", read(reply).text))
    text = _MIXED.sub(" | ", text)
    runs = [run for run in _WORDS.findall(text) if not _DULL.match(run)]
    best: str = max(runs, key=len, default="")
    if len(best) > 60:
        best = best[:60].rpartition(" ")[0]
    return best
