"""Which patterns occur in a text: thousands of them for one look, and a few tries.

The literals stand in Aho-Corasick automatons: built once, of fixed size, and as fast for a text
never met before as for any other. (An RE2 set of them is as fast at best, but builds its states
while it reads: new texts cost five times as much, and hostile ones fill its memory.)

Contract: `Texts.look` finds the literals of all patterns in one pass; the `Look` then tells whether
one of several patterns (`Texts.some`) occurs. What is tried on the way follows from `hits` and the
answers so far alone.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import ahocorasick

from rules.patterns import pattern_set
from rules.probe import Probe, probe

__all__ = ["Known", "Look", "Some", "Texts"]

_PLACE = itemgetter(1)


class Known(NamedTuple):
    """A pattern and the numbers of its literals."""

    number: int
    literals: frozenset[int]  # without one of these it does not occur; none: it may anywhere
    exact: bool  # where one of them is found it does occur
    also: frozenset[int]  # if not empty: one of these must be found beside


class Some(NamedTuple):
    """Patterns of which one is to occur, by what is found of them."""

    sure: frozenset[int]  # literals that are enough
    leads: frozenset[int]  # literals that call for a try
    tries: dict[int, list[Known]]  # what to try where such a literal is found
    always: list[Known]  # what to try anywhere


class Texts:
    """All patterns of a rule set."""

    def __init__(self, probes: Mapping[str, Probe] | None = None) -> None:
        self.probes = dict(probes or {})
        self._known: dict[str, Known] = {}
        self._literals: dict[str, int] = {}
        self._tries: list[Callable[[bytes], Any] | None] = []  # compiled when first tried
        self._patterns: list[str] = []
        self._plain: Any = None
        self._other: Any = None

    def add(self, pattern: str) -> Known:
        """A pattern, new or known."""
        known = self._known.get(pattern)
        if known is None:
            found = self.probes.get(pattern)
            if found is None:
                found = self.probes[pattern] = probe(pattern)
            known = self._known[pattern] = Known(
                len(self._known),
                self._number(found.literals),
                found.exact,
                self._number(found.also),
            )
            self._patterns.append(pattern)
            self._tries.append(None)
        return known

    def _number(self, literals: Iterable[str]) -> frozenset[int]:
        numbers = self._literals
        return frozenset([numbers.setdefault(literal, len(numbers)) for literal in literals])

    def some(self, patterns: Iterable[str]) -> Some:
        """One of these patterns."""
        sure: set[int] = set()
        tries: dict[int, list[Known]] = {}
        always: list[Known] = []
        for known in map(self.add, patterns):
            if known.exact:
                sure |= known.literals
            elif not known.literals:
                always.append(known)
            for literal in () if known.exact else known.literals:
                tries.setdefault(literal, []).append(known)
        return Some(frozenset(sure), frozenset(tries), tries, always)

    def compile(self) -> None:
        """No more patterns."""
        # few texts have anything but ASCII, and nodes with few branches are faster
        self._plain = _automaton(self._literals, True)
        self._other = _automaton(self._literals, False)

    def look(self, text: str) -> Look:
        """One pass over a text."""
        low = text.lower()
        hits = frozenset(map(_PLACE, self._plain.iter(low)))
        if not low.isascii():
            hits |= frozenset(map(_PLACE, self._other.iter(low)))
        return Look(self, text, hits)

    def occurs(self, number: int, text: bytes) -> bool:
        """Try one pattern by itself."""
        attempt = self._tries[number]
        if attempt is None:
            attempt = self._tries[number] = pattern_set(1 << 23, self._patterns[number])._set.Match
        return bool(attempt(text))


def _automaton(literals: dict[str, int], plain: bool) -> Any:
    automaton = ahocorasick.Automaton()
    automaton.add_word("\0", -1)  # stands in no text, and an automaton must not be empty
    for literal, number in literals.items():
        if literal.isascii() is plain:
            automaton.add_word(literal, number)
    automaton.make_automaton()
    return automaton


class Look:
    """What has been seen of one text so far."""

    __slots__ = ("_encoded", "_text", "_texts", "hits", "tried")

    def __init__(self, texts: Texts, text: str, hits: frozenset[int]) -> None:
        self._texts = texts
        self._text = text
        self._encoded: bytes | None = None
        self.hits = hits
        self.tried: dict[int, bool] = {}

    def any(self, some: Some) -> bool:
        """Does one of these patterns occur."""
        sure, leads, tries, always = some
        hits = self.hits
        if not sure.isdisjoint(hits):
            return True
        leading = leads & hits
        if not leading and not always:
            return False
        found = {
            known.number
            for literal in leading
            for known in tries[literal]
            if not known.also or not known.also.isdisjoint(hits)
        }
        found.update(known.number for known in always)
        return any(map(self.attempt, sorted(found)))

    def attempt(self, number: int) -> bool:
        """Try a pattern that is more than its literals."""
        known = self.tried.get(number)
        if known is None:
            if self._encoded is None:
                self._encoded = self._text.encode("utf-8", "replace")
            known = self.tried[number] = self._texts.occurs(number, self._encoded)
        return known
