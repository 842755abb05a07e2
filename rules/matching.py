"""Finds the rules whose conditions hold for a reply.

Contract: `Matcher.holding` yields every rule that holds, in the order of the rule set.
`Matcher.view` is what rules can see of a case before any pattern is tried by itself: given the
same view and the same answers of the same tries, the same rules hold, so a cache may be keyed by
these.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rules.model import ANYWHERE, Entry, Pattern, When
from rules.receivers import LONGEST
from rules.reply import Reply
from rules.texts import Look, Texts

__all__ = ["EITHER", "LOCAL", "REMOTE", "Case", "Matcher", "View", "holds"]

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
    under: frozenset[str] | None = None  # names that rules know, under which the host lies


# literals found, code, enhanced code, receiver, suffixes of the host, stage, origins
View = tuple[
    frozenset[int],
    int | None,
    str | None,
    str | None,
    frozenset[str] | None,
    str | None,
    frozenset[str],
]


class _Row(NamedTuple):
    """An entry made ready for the loop that tries it; None asks for nothing."""

    entry: Entry
    receivers: frozenset[str] | None
    codes: frozenset[int] | None
    origins: frozenset[str]
    rest: When | None  # enhanced code, stage, host
    some: frozenset[int] | None
    every: tuple[int, ...]
    never: frozenset[int] | None


class Matcher:
    """The rules of a rule set, indexed by their patterns."""

    def __init__(self, entries: tuple[Entry, ...], words: Iterable[str] = ()) -> None:
        self.entries = entries
        self._texts = Texts()
        self._rows = [self._row(entry) for entry in entries]
        self._by_pattern: dict[int, list[int]] = {}
        self._textless: dict[int | str | None, list[int]] = {}  # by code or enhanced code
        for position, row in enumerate(self._rows):
            for number in row.some or row.every:
                self._by_pattern.setdefault(number, []).append(position)
            if not row.some and not row.every:
                for asked in row.codes or row.entry.when.enhanced:
                    self._textless.setdefault(asked, []).append(position)
        self._texts.add(words)
        self._texts.compile()
        self._suffixes = frozenset(suffix for entry in entries for suffix in entry.when.mx)
        self.look = self._texts.look

    def _row(self, entry: Entry) -> _Row:
        when = entry.when
        return _Row(
            entry,
            frozenset(when.receivers) or None,
            when.codes or None,
            when.origins,
            when if when.enhanced or when.stages or when.mx else None,
            self._add(when.any) or None,
            tuple(sorted(self._add(when.all))),
            self._add(when.none) or None,
        )

    def _add(self, patterns: Iterable[Pattern]) -> frozenset[int]:
        return self._texts.add(pattern.text for pattern in patterns)

    def number(self, patterns: Iterable[str]) -> frozenset[int]:
        """The numbers of patterns that are known."""
        return frozenset(self._texts.numbers[pattern] for pattern in patterns)

    def view(self, case: Case, look: Look) -> View:
        """What rules can see of a case before any pattern is tried by itself."""
        reply, receiver, _, stage, origins, under = case
        return look.hits, reply.code, reply.enhanced, receiver, under, stage, origins

    def under(self, mx: str) -> frozenset[str] | None:
        """The names under which a host lies, of those that rules know."""
        return frozenset(parents(mx)) & self._suffixes or None

    def holding(self, case: Case, look: Look | None = None) -> Iterator[Entry]:
        """Every rule that holds, at its place; the first one wins."""
        look = look or self.look(case.reply.text)
        reply, code, digit = case.reply, case.reply.code, case.reply.digit
        receiver = case.receiver or ANYWHERE
        for position in self._places(look, code, digit, reply.status):
            entry, receivers, codes, origins, rest, some, every, never = self._rows[position]
            if receivers is not None and receiver not in receivers:
                continue
            if codes is not None and code not in codes and digit not in codes:
                continue
            if origins.isdisjoint(case.origins) or (rest and not _rest(rest, reply.status, case)):
                continue
            if (
                (some is None or look.any(some))
                and (not every or all(look.has(number) for number in every))
                and (never is None or not look.any(never))
            ):
                yield entry

    def _places(
        self, look: Look, code: int | None, digit: int | None, status: str | None
    ) -> list[int]:
        """The entries worth a try, in order."""
        sure = look.open()
        places: set[int] = set()
        for asked in (code, digit, *_wider(status)):
            places.update(self._textless.get(asked, ()))
        by_pattern = self._by_pattern
        for numbers in (sure, look.maybe or ()):
            for number in numbers:
                some = by_pattern.get(number)
                if some is not None:
                    places.update(some)
        return sorted(places)


def holds(when: When, case: Case) -> bool:
    """Do all conditions but the text hold."""
    reply = case.reply
    if when.receivers and (case.receiver or ANYWHERE) not in when.receivers:
        return False
    if when.codes and reply.code not in when.codes and reply.digit not in when.codes:
        return False
    if when.origins.isdisjoint(case.origins):
        return False
    return _rest(when, reply.status, case)


def _rest(when: When, status: str | None, case: Case) -> bool:
    """Do enhanced code, stage and host hold."""
    if when.enhanced and when.enhanced.isdisjoint(_wider(status)):
        return False
    if when.stages and case.stage not in when.stages:
        return False
    return not when.mx or (case.under is not None and not case.under.isdisjoint(when.mx))


def _wider(status: str | None) -> tuple[str, ...]:
    """An enhanced code and the groups it belongs to."""
    return () if status is None else (status, status[: status.rindex(".") + 1], status[:2])


def parents(host: str) -> Iterator[str]:
    """A host name and everything it lies under."""
    host = host.lower().rstrip(".") if len(host) <= LONGEST else ""
    while host:
        yield host
        host = host.partition(".")[2]
