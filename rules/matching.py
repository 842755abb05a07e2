"""Finds the rules whose conditions hold for a reply.

Contract: `Matcher.holding` yields every rule that holds, in the order of the rule set. Given the
same literals seen (`Look.seen`), the same codes and circumstances, and the same answers of the same
tries, the same rules hold: so a cache may be keyed by these.
Failure: none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from rules.model import ANYWHERE, Pattern, Ranked, When
from rules.receivers import LONGEST
from rules.reply import Reply
from rules.texts import Look, Some, Texts

__all__ = ["EITHER", "LOCAL", "REMOTE", "Case", "Matcher", "holds"]

CODES = 4096  # pairs of code and enhanced code whose entries are remembered

REMOTE = frozenset({"remote"})
LOCAL = frozenset({"local"})
EITHER = frozenset({"remote", "local"})
_NONE: frozenset[int] = frozenset()


class Case(NamedTuple):
    """A reply and its circumstances."""

    reply: Reply
    receiver: str | None
    mx: str | None
    stage: str | None
    origins: frozenset[str]
    under: frozenset[str] | None = None  # names that rules know, under which the host lies
    inner: frozenset[int] = _NONE  # codes of the other replies in the same text
    disputed: bool = False  # of which some have another class


class _Ready(NamedTuple):
    """An entry made ready for the loop that tries it; None asks for nothing."""

    entry: Ranked
    receivers: frozenset[str] | None
    codes: frozenset[int] | None
    origins: frozenset[str]
    rest: When | None  # enhanced code, stage, host, other replies
    some: Some | None
    more: tuple[Some, ...]  # or one of these: patterns of other kinds
    every: tuple[tuple[Some, ...], ...]  # one of each
    never: Some | None
    nor: tuple[Some, ...]


class Matcher:
    """The rules of a rule set, indexed by their patterns."""

    def __init__(self, entries: tuple[Ranked, ...], texts: Texts) -> None:
        self.entries = entries
        self._texts = texts
        self._rows: dict[int, _Ready] = {}  # made when first tried
        # where entries may hold: by a literal of their patterns, or else anywhere; without
        # patterns, by code or enhanced code
        self._by_literal: defaultdict[int, list[int]] = defaultdict(list)
        self._anywhere: list[int] = []
        self._textless: defaultdict[int | str | None, list[int]] = defaultdict(list)
        self._by_code: dict[tuple[int | None, int | None, str | None], set[int]] = {}
        for position, entry in enumerate(entries):
            self._index(position, entry.when)
        self._suffixes = frozenset(suffix for entry in entries for suffix in entry.when.mx)
        self.look = texts.look
        self.blind = texts.blind

    def _index(self, position: int, when: When) -> None:
        """Remember where an entry may hold: where its patterns may occur, or else by its codes."""
        add = self._texts.add
        some = [add(pattern.text, pattern.kind) for pattern in when.any]
        every = [add(pattern.text, pattern.kind) for pattern in when.all]
        also = [[add(pattern.text, pattern.kind) for pattern in group] for group in when.also]
        for pattern in when.none:
            add(pattern.text, pattern.kind)
        leading = some or every[:1] or (also[0] if also else [])
        if not leading:
            for asked in when.codes or when.enhanced:
                self._textless[asked].append(position)
        elif all(known.literals for known in leading):
            for literal in set().union(*[known.literals for known in leading]):
                self._by_literal[literal].append(position)
        else:
            self._anywhere.append(position)

    def _row(self, position: int) -> _Ready:
        entry = self.entries[position]
        when = entry.when
        some = self._some
        wanted, refused = some(when.any), some(when.none)
        groups = [some((pattern,)) for pattern in when.all] + [*map(some, when.also)]
        row = self._rows[position] = _Ready(
            entry,
            frozenset(when.receivers) or None,
            when.codes or None,
            when.origins,
            when if when.enhanced or when.stages or when.mx or when.inner else None,
            wanted[0] if wanted else None,
            tuple(wanted[1:]),
            tuple(map(tuple, groups)),
            refused[0] if refused else None,
            tuple(refused[1:]),
        )
        return row

    def _some(self, patterns: tuple[Pattern, ...]) -> list[Some]:
        """The patterns by kind: of a group that must occur there is one kind only."""
        kinds: dict[str, list[str]] = {}
        for pattern in patterns:
            kinds.setdefault(pattern.kind, []).append(pattern.text)
        return [self._texts.some(texts, kind) for kind, texts in kinds.items()]

    def under(self, mx: str) -> frozenset[str] | None:
        """The names under which a host lies, of those that rules know."""
        return frozenset(parents(mx)) & self._suffixes or None

    def holding(self, case: Case, look: Look) -> Iterator[Ranked]:
        """Every rule that holds, at its place; the first one wins."""
        reply, code, digit = case.reply, case.reply.code, case.reply.digit
        receiver, status = case.receiver or ANYWHERE, reply.status
        rows, any_of = self._rows, look.any
        for position in self._places(look.hits, code, digit, status):
            row = rows.get(position) or self._row(position)
            entry, receivers, codes, origins, rest, some, more, every, never, nor = row
            if receivers is not None and receiver not in receivers:
                continue
            if codes is not None and code not in codes and digit not in codes:
                continue
            if origins.isdisjoint(case.origins) or (rest and not _rest(rest, status, case)):
                continue
            if some is not None and not any_of(some) and not (more and any(map(any_of, more))):
                continue
            if every and not all(any(map(any_of, one)) for one in every):
                continue
            if never is None or not (any_of(never) or (nor and any(map(any_of, nor)))):
                yield entry

    def _places(
        self, hits: frozenset[int], code: int | None, digit: int | None, status: str | None
    ) -> list[int]:
        """The entries worth a try, in order."""
        found = self._by_code.get((code, digit, status))
        if found is None:
            if len(self._by_code) >= CODES:
                self._by_code.clear()
            asked = (code, digit, *_wider(status))
            found = {*self._anywhere, *chain(*[self._textless.get(key, ()) for key in asked])}
            self._by_code[code, digit, status] = found
        return sorted(found.union(*map(self._by_literal.__getitem__, hits)))


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
    if when.inner and when.inner.isdisjoint(case.inner):
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
