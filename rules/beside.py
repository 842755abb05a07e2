"""Which patterns are found in links, host names and ids: all that a verdict can hang on there.

Contract: `Beside.told` gives the numbers of these patterns, and nothing of the texts: two replies
with the same numbers cannot be told apart by what they point at.
Failure: none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from rules.reply import Reply

__all__ = ["Beside", "Known"]

_PLACE = itemgetter(1)


class Known(NamedTuple):
    """A pattern and the numbers of its literals."""

    number: int
    literals: frozenset[int]  # without one of these it does not occur; none: it may anywhere
    exact: bool  # where one of them is found it does occur
    also: frozenset[int]  # if not empty: one of these must be found beside


class Beside:
    """The patterns of these kinds."""

    def __init__(
        self,
        automatons: Mapping[str, Any],
        patterns: Iterable[tuple[str, Known]],
        occurs: Callable[[int, bytes], bool],
    ) -> None:
        """Automatons and patterns by the field of a reply where they look; `occurs` tries one."""
        self._automatons = list(automatons.items())
        self._occurs = occurs
        self._always: defaultdict[str, list[Known]] = defaultdict(list)
        self._leads: defaultdict[int, list[Known]] = defaultdict(list)
        for field, known in patterns:
            for literal in known.literals:
                self._leads[literal].append(known)
            if not known.literals:
                self._always[field].append(known)

    def literals(self, reply: Reply) -> frozenset[int]:
        """The literals that are found."""
        return frozenset().union(*[self._hits(reply, *one) for one in self._automatons])

    def told(self, reply: Reply) -> frozenset[int]:
        """The patterns that are found."""
        found: set[int] = set()
        for field, automaton in self._automatons:
            hits = self._hits(reply, field, automaton)
            always = self._always[field]
            if not hits and not always:
                continue
            encoded = getattr(reply, field).encode("utf-8", "replace")
            led = [known for literal in hits for known in self._leads[literal]]
            for number, _, exact, also in (*always, *led):
                may = exact or not also or not also.isdisjoint(hits)
                if may and number not in found and (exact or self._occurs(number, encoded)):
                    found.add(number)
        return frozenset(found)

    def _hits(self, reply: Reply, field: str, automaton: Any) -> frozenset[int]:
        text = getattr(reply, field)
        return frozenset(map(_PLACE, automaton.iter(text.lower()))) if text else frozenset()
