"""Which patterns occur in a text: thousands of them for one look, and a few tries.

The literals stand in an Aho-Corasick automaton: built once, of fixed size, and as fast for a text
never met before as for any other. (An RE2 set of them is as fast at best, but builds its states
while it reads: new texts cost five times as much, and hostile ones fill its memory.)

Contract: `Texts.look` finds the literals of all patterns in one pass; the `Look` then answers for
one pattern at a time whether it occurs. Looks with the same `hits` differ in the answers of
`tried` patterns only.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import ahocorasick

from rules.patterns import pattern_set
from rules.probe import probe

__all__ = ["Look", "Texts"]


_PLACE = itemgetter(1)


class Texts:
    """All patterns of a rule set, by number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.literals: dict[str, int] = {}
        self.exact: dict[int, list[int]] = {}  # literal → patterns that occur where it does
        self.maybe: dict[int, list[int]] = {}  # literal → patterns that may
        self.also: dict[int, frozenset[int]] = {}  # one of these literals must occur beside
        self.always: list[int] = []  # patterns without literals
        self.tries: dict[int, Any] = {}
        self._automaton: Any = ahocorasick.Automaton()

    def add(self, patterns: Iterable[str]) -> frozenset[int]:
        """The numbers of patterns, new or known."""
        return frozenset([self._add(pattern) for pattern in patterns])

    def _add(self, pattern: str) -> int:
        number = self.numbers.get(pattern)
        if number is not None:
            return number
        number = self.numbers[pattern] = len(self.numbers)
        found = probe(pattern)
        if not found.literals:
            self.always.append(number)
        if not found.exact:
            self.tries[number] = pattern_set(1 << 23, pattern)._set.Match
        for literal in sorted(found.literals):
            given = self.exact if found.exact else self.maybe
            given.setdefault(self._literal(literal), []).append(number)
        if found.also:
            self.also[number] = frozenset([self._literal(text) for text in sorted(found.also)])
        return number

    def _literal(self, literal: str) -> int:
        place = self.literals.get(literal)
        if place is None:
            place = self.literals[literal] = len(self.literals)
            self._automaton.add_word(literal, place)
        return place

    def compile(self) -> None:
        """No more patterns."""
        if self.literals:
            self._automaton.make_automaton()

    def look(self, text: str) -> Look:
        """One pass over a text."""
        if not self.literals:
            return Look(self, text, frozenset())
        return Look(self, text, frozenset(map(_PLACE, self._automaton.iter(text.lower()))))


class Look:
    """What has been seen of one text so far."""

    __slots__ = ("_encoded", "_sure", "_text", "_texts", "hits", "maybe", "tried")

    def __init__(self, texts: Texts, text: str, hits: frozenset[int]) -> None:
        self._texts = texts
        self._text = text
        self._encoded: bytes | None = None
        self.hits = hits
        self.maybe: set[int] | None = None
        self._sure: frozenset[int] = frozenset()
        self.tried: dict[int, bool] = {}

    def open(self) -> frozenset[int]:
        """The patterns that surely occur; `maybe` then has those that may."""
        texts, hits = self._texts, self.hits
        also = texts.also
        sure: set[int] = set()
        maybe = set(texts.always)
        for place in hits:
            if place in texts.exact:
                sure.update(texts.exact[place])
            if place in texts.maybe:
                maybe.update(texts.maybe[place])
        self._sure = frozenset(sure)
        self.maybe = {n for n in maybe if n not in also or not also[n].isdisjoint(hits)}
        return self._sure

    def has(self, number: int) -> bool:
        """Does the pattern occur. The look must be open."""
        assert self.maybe is not None
        return number in self._sure or (number in self.maybe and self.attempt(number))

    def any(self, numbers: frozenset[int]) -> bool:
        """Does one of these patterns occur."""
        if not numbers.isdisjoint(self._sure):
            return True
        assert self.maybe is not None
        return any(self.attempt(number) for number in sorted(numbers & self.maybe))

    def attempt(self, number: int) -> bool:
        """Try a pattern that is more than its literals."""
        known = self.tried.get(number)
        if known is None:
            if self._encoded is None:
                self._encoded = self._text.encode("utf-8", "replace")
            known = self.tried[number] = bool(self._texts.tries[number](self._encoded))
        return known
