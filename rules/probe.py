"""Literal texts that tell where a pattern may occur, so that thousands of patterns cost one look.

A set of plain literals is a small automaton, however many there are. A set of whole patterns is
not: each alternative and each gap multiplies its states, and every text met for the first time
has to build new ones. So the set gets literals only, and a pattern that is more than its literals
is tried by itself, but only where one of them was found.

Contract: `probe` returns literals (lower case) of which at least one occurs, without regard to
case, in every text that the pattern matches; `exact` says that the reverse holds too. It presumes
a normalised text: blanks are the only white space, and never two in a row.
Failure: none; a pattern that cannot be taken apart has no literals and must always be tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

__all__ = ["Clues", "probe"]

MOST = 160  # literals that one pattern may stand for
SHORTEST = 3  # of a literal that is worth a look
SECOND = 4  # of one that is looked for beside

Texts = frozenset[str]
_EMPTY: Texts = frozenset({""})


class Clues(NamedTuple):
    """What to look for instead of a pattern."""

    literals: Texts
    exact: bool
    also: Texts = frozenset()  # if not empty: one of these occurs beside, too


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known about a part of a pattern.

    `whole`: every text it matches, if these are few. `needs`: one of these is in every text it
    matches, for each of these sets. `firm`: it matches wherever one of `whole` stands (no anchors,
    no word boundaries).
    """

    whole: Texts | None = None
    needs: tuple[Texts, ...] = ()
    firm: bool = True

    @property
    def all_needs(self) -> tuple[Texts, ...]:
        """Every set of which something occurs, the most telling one first."""
        found = {texts for texts in (*self.needs, self.whole or _EMPTY) if "" not in texts}
        return tuple(sorted(found, key=lambda texts: (-_weight(texts), len(texts), sorted(texts))))


_ATOM = re.compile(
    r"""(?xs)
    \\Q(?P<quoted>.*?)(?:\\E|$)
    | \\(?P<escape> [pP](?:\{[^}]*\}|.) | x\{[0-9A-Fa-f]+\} | x[0-9A-Fa-f]{2} | . )
    | (?P<klass> \[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\] )
    | (?P<plain> . )"""
)
_TIMES = re.compile(r"(?P<times>[*+?]|\{(?P<low>[0-9]+)(?:,(?P<high>[0-9]*))?\})\??")
_GROUP = re.compile(r"\((?:\?(?:P?<\w+>|:))?")


def probe(pattern: str) -> Clues:
    """The literals of a pattern."""
    pattern = pattern.removeprefix("(?i)")  # every pattern is
    try:
        part, end = _alternatives(pattern, 0)
    except (ValueError, RecursionError):
        return Clues(frozenset(), False)
    if end != len(pattern):
        return Clues(frozenset(), False)
    if part.whole is not None and "" not in part.whole:
        return Clues(_shortest_only(part.whole), part.firm)
    telling = [texts for texts in part.all_needs if _weight(texts) >= SHORTEST]
    if not telling:
        return Clues(frozenset(), False)
    beside = [texts for texts in telling[1:2] if _weight(texts) >= SECOND]
    return Clues(
        _shortest_only(telling[0]), False, _shortest_only(beside[0]) if beside else frozenset()
    )


def _alternatives(pattern: str, start: int) -> tuple[_Part, int]:
    part, position = _sequence(pattern, start)
    while position < len(pattern) and pattern[position] == "|":
        other, position = _sequence(pattern, position + 1)
        part = _either(part, other)
    return part, position


def _sequence(pattern: str, start: int) -> tuple[_Part, int]:
    whole, firm, broken = _EMPTY, True, False
    needs: tuple[Texts, ...] = ()
    position = start
    while position < len(pattern) and pattern[position] not in "|)":
        part, position = _repeated(pattern, position)
        firm = firm and part.firm
        if part.whole is not None and len(whole) * len(part.whole) <= MOST:
            whole = frozenset(map("".join, product(whole, part.whole)))
            continue
        broken = True
        needs += (whole, *part.needs)
        whole = part.whole if part.whole is not None else _EMPTY
    if broken:
        return _Part(None, (*needs, whole), firm), position
    return _Part(whole, needs, firm), position


def _repeated(pattern: str, start: int) -> tuple[_Part, int]:
    """One atom or group, with its quantifier."""
    part, position = _single(pattern, start)
    times = _TIMES.match(pattern, position)
    if times is None:
        return part, position
    blank = part.whole == frozenset({" "})
    sign = times["times"]
    if sign == "?" or (sign == "*" and blank):
        part = _either(part, _Part(_EMPTY))
    elif sign == "+" and blank:
        pass  # never two blanks in a row
    elif sign == "+" or (times["low"] and int(times["low"]) > 0):
        part = _Part(None, part.all_needs, part.firm)
    else:
        part = _Part(firm=part.firm)
    return part, times.end()


def _single(pattern: str, start: int) -> tuple[_Part, int]:
    if pattern[start] == "(":
        opening = _GROUP.match(pattern, start)
        if opening is None or (pattern.startswith("(?", start) and opening.end() == start + 1):
            raise ValueError("flags")
        part, position = _alternatives(pattern, opening.end())
        if position >= len(pattern):
            raise ValueError("open group")
        return part, position + 1
    atom = _ATOM.match(pattern, start)
    if atom is None:
        raise ValueError("no atom")
    if atom["quoted"] is not None:
        return _Part(frozenset({_fold(atom["quoted"])})), atom.end()
    if atom["klass"]:
        return _Part(_members(atom["klass"])), atom.end()
    if atom["escape"]:
        return _escape(atom["escape"]), atom.end()
    plain = atom["plain"]
    if plain in "^$":
        return _Part(_EMPTY, firm=False), atom.end()
    return _Part(None if plain == "." else frozenset({_fold(plain)})), atom.end()


def _escape(sign: str) -> _Part:
    if sign == "s":
        return _Part(frozenset({" "}))
    if sign in "bBAz":
        return _Part(_EMPTY, firm=False)
    if sign[0].isalnum():
        return _Part()  # a class, or a character by its number
    return _Part(frozenset({_fold(sign)}))


def _members(klass: str) -> Texts | None:
    """The characters of a small class."""
    inner = klass[1:-1]
    if inner.startswith("^") or len(inner) > 8 or re.search(r"\[:|\\[0-9A-Za-z]|.-.", inner):
        return None
    return frozenset(_fold(sign) for sign in inner.replace("\\", "")) or None


def _either(first: _Part, second: _Part) -> _Part:
    whole: Texts | None = None
    if first.whole is not None and second.whole is not None:
        whole = first.whole | second.whole
        if len(whole) > MOST:
            whole = None
    needs: tuple[Texts, ...] = ()
    if first.all_needs and second.all_needs:
        either = first.all_needs[0] | second.all_needs[0]
        needs = (either,) if len(either) <= MOST else ()
    return _Part(whole, needs, first.firm and second.firm)


def _weight(texts: Texts) -> int:
    """How telling the least telling text is; a Chinese sign tells more than a Latin letter."""
    return min(len(text) if text.isascii() else len(text.encode()) for text in texts)


def _shortest_only(texts: Texts) -> Texts:
    """Without texts that contain another one of them."""
    kept: list[str] = []
    for text in sorted(texts, key=len):
        if not any(short in text for short in kept):
            kept.append(text)
    return frozenset(kept)


def _fold(text: str) -> str:
    """One spelling for texts that differ in case."""
    return text.lower()
