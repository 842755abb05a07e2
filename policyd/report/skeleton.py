"""The part of a reply that stays the same when the same thing is said again.

Contract: pure, linear in the length of the text. Addresses, numbers, IPs, identifiers and the query
of a URL become placeholders; reply codes, enhanced codes and short code tags ("[TSS04]", "(S775)")
stay, because they tell replies apart. Repeated codes of folded lines are dropped.
Failure: none; any text has a skeleton.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["skeleton"]

_WORDS = 48
_TEXT = 2048
_CODE = re.compile(r"[245]\d\d(?:-[245]\.\d{1,3}\.\d{1,3})?|[245]\.\d{1,3}\.\d{1,3}")
_GLUED = re.compile(r"[245]\d\d-(\D.*)")  # "550-Reject": a folded line without enhanced code
_TAG = re.compile(r"[A-Z]{1,5}[#-]?[A-Z]{0,3}-?\d{1,6}")
_DIGIT = re.compile(r"\d")
_RANDOM = re.compile(r"(?:[a-z]+[A-Z]+){2}|[a-z][A-Z]{2}")  # iYSaBlDw is no word
_HEX = frozenset("0123456789ABCDEFabcdef")
_EDGE = "()[]<>{}\"'.,;:!?"


def skeleton(reply: str) -> str:
    """`reply` with everything that changes from time to time taken out."""
    words = reply[:_TEXT].split()
    kept = []
    codes = 0  # a reply begins with its codes; folded lines only repeat them
    while codes < len(words) and (
        _CODE.fullmatch(words[codes]) or (not codes and _GLUED.match(words[0]))
    ):
        kept.append(words[codes])
        codes += 1
    for word in words[codes:]:
        shape = _plain(word) if word.isalpha() else _other(word)
        if shape and (not kept or shape != kept[-1] or shape == word):
            kept.append(shape)
    return " ".join(kept[:_WORDS])


@lru_cache(4096)
def _plain(word: str) -> str:
    """A word of letters only."""
    return "…" if len(word) <= 40 and _RANDOM.search(word) else word


def _other(word: str) -> str:
    """A word with more than letters in it; nothing for a repeated code."""
    if _CODE.fullmatch(word.rstrip(":")):
        return ""
    glued = _GLUED.fullmatch(word)
    return _shape(glued[1] if glued else word)


def _shape(word: str) -> str:
    """One word that is not purely letters, with its variable part replaced."""
    if "://" in word:
        scheme, rest = word.split("://", 1)
        return f"{scheme}://{rest.partition('?')[0].partition('/')[0].rstrip(_EDGE)}/…"
    if "@" in word:
        return "<…@…>"
    core = word.strip(_EDGE)
    if _DIGIT.search(core) is None:
        return word
    if core.isdigit() and len(core) < 5:
        return word.replace(core, "#", 1)
    if _TAG.fullmatch(core) and not (len(core) > 5 and _HEX.issuperset(core)):
        return word
    return word.replace(core, "…", 1)
