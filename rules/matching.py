"""Finds the rules whose conditions hold for a reply.

Contract: `Matcher.holding` yields every rule that holds, in the order of the rule set. One pass
over the text through an RE2 set tells which patterns may occur; patterns with gaps are then tried
one by one; the other conditions are cheap. What a rule can see of a case is `Matcher.view`: cases
with the same view have the same rules, so a cache may be keyed by it.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import re2

from rules.model import ANYWHERE, Entry, When
from rules.patterns import compile_pattern, options
from rules.probe import probes
from rules.reply import Reply

__all__ = ["Case", "Matcher", "View", "holds"]

REMOTE = frozenset({"remote"})
LOCAL = frozenset({"local"})
EITHER = frozenset({"remote", "local"})


class Case(NamedTuple):
    """A reply and its circumstances."""

    reply: Reply
    receiver: str | None
    mx: str | None
    stage: str | None
    origins: frozenset[str]


class View(NamedTuple):
    """Everything about a case that any rule can tell from another case."""

    found: frozenset[int]  # patterns that occur in the text
    code: int | None
    enhanced: str | None
    receiver: str | None
    mx: frozenset[str]  # the suffixes named by rules under which the host lies
    stage: str | None
    origins: frozenset[str]


class Matcher:
    """The rules of a rule set, indexed by their patterns."""

    def __init__(self, entries: tuple[Entry, ...], words: Iterable[str] = ()) -> None:
        self.entries = entries
        self._texts = _Texts()
        self._wanted: list[tuple[frozenset[int], frozenset[int], frozenset[int]]] = []
        self._by_pattern: dict[int, list[int]] = {}
        self._textless: list[int] = []
        for position, entry in enumerate(entries):
            some = self._texts.add(pattern.text for pattern in entry.when.any)
            every = self._texts.add(pattern.text for pattern in entry.when.all)
            never = self._texts.add(pattern.text for pattern in entry.when.none)
            self._wanted.append((some, every, never))
            for number in some or every:
                self._by_pattern.setdefault(number, []).append(position)
            if not some and not every:
                self._textless.append(position)
        self.words = self._texts.add(words)
        self._suffixes = frozenset(suffix for entry in entries for suffix in entry.when.mx)
        self._texts.compile()

    def number(self, patterns: Iterable[str]) -> frozenset[int]:
        """The numbers under which patterns known to the matcher are found."""
        return frozenset(self._texts.numbers[pattern] for pattern in patterns)

    def view(self, case: Case) -> View:
        """What rules can see of a case."""
        reply = case.reply
        return View(
            self._texts.found(reply.text),
            reply.code,
            reply.enhanced,
            case.receiver,
            self._under(case.mx) if self._suffixes else frozenset(),
            case.stage,
            case.origins,
        )

    def holding(self, case: Case, view: View | None = None) -> Iterator[Entry]:
        """Every rule that holds, at its place; the first one wins."""
        found = (view or self.view(case)).found
        places = set(self._textless)
        for number in found:
            places.update(self._by_pattern.get(number, ()))
        for position in sorted(places):
            entry = self.entries[position]
            some, every, never = self._wanted[position]
            if (
                (not some or not some.isdisjoint(found))
                and every <= found
                and never.isdisjoint(found)
                and not entry.when.origins.isdisjoint(case.origins)
                and holds(entry.when, case)
            ):
                yield entry

    def _under(self, mx: str | None) -> frozenset[str]:
        return frozenset(suffix for suffix in _parents(mx or "") if suffix in self._suffixes)


class _Texts:
    """All patterns, each tried once per text."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._patterns: list[str] = []
        self._means: list[list[int]] = []  # probe → patterns it may stand for
        self._probes: dict[str, int] = {}
        self._gapped: dict[int, Any] = {}
        self._always: list[int] = []
        chosen = options()
        chosen.never_capture = True
        chosen.max_mem = 1 << 27
        self._set = re2.Set.SearchSet(chosen)

    def add(self, patterns: Iterable[str]) -> frozenset[int]:
        """The numbers of patterns, new or known."""
        return frozenset([self._add(pattern) for pattern in patterns])

    def _add(self, pattern: str) -> int:
        number = self.numbers.get(pattern)
        if number is not None:
            return number
        number = self.numbers[pattern] = len(self._patterns)
        self._patterns.append(pattern)
        pieces = probes(pattern)
        if pieces != (pattern,):
            self._gapped[number] = compile_pattern(pattern)
        for piece in pieces:
            probe = self._probes.get(piece)
            if probe is None:
                probe = self._probes[piece] = self._set.Add(piece)
                self._means.append([])
            self._means[probe].append(number)
        return number

    def compile(self) -> None:
        """No more patterns."""
        if self._probes:
            self._set.Compile()

    def found(self, text: str) -> frozenset[int]:
        """The numbers of the patterns that occur in a text."""
        hits = self._match(text)
        if not hits:
            return frozenset()
        found = set()
        for probe in hits:
            for number in self._means[probe]:
                gapped = self._gapped.get(number)
                if gapped is None or gapped.search(text):
                    found.add(number)
        return frozenset(found)

    @cached_property
    def _match(self) -> Any:
        return self._set.Match if self._probes else lambda text: ()


def holds(when: When, case: Case) -> bool:
    """Do all conditions but text and origin hold."""
    reply = case.reply
    if when.receivers and (case.receiver or ANYWHERE) not in when.receivers:
        return False
    if when.codes and reply.code not in when.codes and reply.digit not in when.codes:
        return False
    if when.enhanced and not _enhanced(when.enhanced, reply.status):
        return False
    if when.stages and case.stage not in when.stages:
        return False
    return not when.mx or any(suffix in when.mx for suffix in _parents(case.mx or ""))


def _enhanced(wanted: frozenset[str], status: str | None) -> bool:
    if status is None:
        return False
    subject = status[: status.rindex(".") + 1]
    return status in wanted or subject in wanted or status[:2] in wanted


def _parents(host: str) -> Iterator[str]:
    """A host name and everything it lies under."""
    host = host.lower().rstrip(".")
    while host:
        yield host
        host = host.partition(".")[2]
