"""Postfix's restriction lists: is a check in one ever asked, about whom, and where should it stand?

smtpd goes through a list from left to right; the first restriction that decides ends it. A check
behind `permit_mynetworks, reject` is never asked.

Contract: pure. A list is read as smtpd reads it (blanks and commas part, braces keep together),
with the operator's own classes (`smtpd_restriction_classes`) put in where they are named. What an
access table decides is not known here: it may end a list, it is never taken for one that does.
Failure: none; what is not known counts as a restriction that decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Reach", "asked", "items", "place", "service_of"]

# restrictions that have a word of their own behind them
_TAKES = re.compile(
    r"check_\w+|reject_r[hs]*bl_\w+|permit_(?:dnswl|rhswl)_client|sleep|warn_if_reject"
)
_ENDS = {"permit", "reject", "defer"}
_STATIC = re.compile(r"static:\{?\s*(?:OK|PERMIT|REJECT|DEFER|DISCARD|[245]\d\d)\b", re.IGNORECASE)
_DEPTH = 10  # a class may name another class


class Reach(NamedTuple):
    """What becomes of a check in a list."""

    barred: str = ""  # the restriction that always ends the list before it
    spared: tuple[str, ...] = ()  # those that may permit before it is asked
    refused: str = ""  # what refuses, right after it, all that it is asked about


def items(text: str, classes: Mapping[str, str] | None = None, depth: int = 0) -> list[str]:
    """The restrictions of a list with their arguments, classes replaced by what they stand for."""
    words, found = _words(text), []
    for word in words:
        if classes and word in classes and depth < _DEPTH:
            found += items(classes[word], classes, depth + 1)
            continue
        while _TAKES.fullmatch(word.lower().rpartition(" ")[2]) and (more := next(words, "")):
            word += f" {more}"
        found.append(word)
    return found


def asked(restrictions: Sequence[str], address: str) -> Reach | None:
    """What becomes of the check of `address`; None: it is not in the list."""
    at = next((at for at, one in enumerate(restrictions) if service_of(one) == address), None)
    if at is None:
        return None
    before, after = restrictions[:at], restrictions[at + 1 :]
    barred = next((one for one in before if _always_ends(one)), "")
    rest = next((one for one in after if _always_ends(one) or _may_permit(one)), "")
    refused = rest if rest.lower() in ("reject", "defer") else ""
    return Reach(barred, tuple(one for one in before if _may_permit(one)), refused)


def place(restrictions: Sequence[str], check: str, *, spare: bool) -> list[str]:
    """The list with the check where it is asked.

    `spare`: behind `permit_mynetworks`, so that programs in your own networks, which often never
    try again, are not asked; it is put in where nothing else decides. Otherwise before everything
    that may accept.
    """
    deciding = [
        at
        for at, one in enumerate(restrictions)
        if _always_ends(one) or (_is_permit(one) if spare else _may_permit(one))
    ]
    if not deciding:
        return [*restrictions, *(["permit_mynetworks"] if spare else []), check]
    first = deciding[0]
    if spare and restrictions[first] == "permit_mynetworks":
        first += 1
    return [*restrictions[:first], check, *restrictions[first:]]


def service_of(one: str) -> str:
    """The address that a restriction asks for policy; "" if it asks none."""
    head, _, argument = one.removeprefix("warn_if_reject ").partition(" ")
    if head.lower() != "check_policy_service":
        return ""
    return next(_words(argument.strip().removeprefix("{").removesuffix("}")), "")


def _words(text: str) -> Iterator[str]:
    word, depth = "", 0
    for letter in text:
        if depth == 0 and (letter.isspace() or letter == ","):
            if word:
                yield word
            word = ""
            continue
        depth = max(0, depth + (letter == "{") - (letter == "}"))
        word += letter
    if word:
        yield word


def _always_ends(one: str) -> bool:
    head, _, argument = one.lower().partition(" ")
    if head.startswith("check_") and head.endswith("_access"):
        return bool(_STATIC.match(argument))
    return one.lower() in _ENDS


def _is_permit(one: str) -> bool:
    return one.lower().startswith("permit")


def _may_permit(one: str) -> bool:
    """May this restriction accept, so that the rest of the list is not looked at?"""
    return _is_permit(one) or (one.lower().startswith("check_") and not _always_ends(one))
