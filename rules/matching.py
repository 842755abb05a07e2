"""Finds the rules whose conditions hold for a reply.

Contract: `Matcher.holding` yields every rule that holds, in the order of the rule set. Given the
same literals seen (`Look.seen`), the same codes and circumstances, and the same answers of the same
tries, the same rules hold: so a cache may be keyed by these.
Failure: none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rules.model import ANYWHERE, Pattern, Ranked, When
from rules.receivers import LONGEST
from rules.reply import Reply
from rules.texts import Look, Some, Texts

__all__ = ["EITHER", "LOCAL", "REMOTE", "Case", "Matcher", "holds"]

AROUND = 4096  # circumstances of which the entries that allow them are remembered

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
    """The texts an entry asks for, made ready for the loop that tries it; None asks for nothing."""

    entry: Ranked
    some: Some | None
    more: tuple[Some, ...]  # or one of these: patterns of other kinds
    every: tuple[tuple[Some, ...], ...]  # one of each
    never: Some | None
    nor: tuple[Some, ...]


class Matcher:
    """The rules of a rule set, indexed by their conditions.

    A set of entries is a number: bit n stands for the nth entry. So conditions are joined by `&`,
    and the lowest bit that is left is the entry that goes first.
    """

    def __init__(self, entries: tuple[Ranked, ...], texts: Texts) -> None:
        self.entries = entries
        self._texts = texts
        self._rows: dict[int, _Ready] = {}  # made when first tried
        self._by_literal: defaultdict[int, int] = defaultdict(int)
        self._around: dict[tuple[object, ...], int] = {}
        self._anywhere = 0  # patterns that may occur without any literal, or no patterns
        for position, entry in enumerate(entries):
            self._index(1 << position, entry.when)
        whens = [entry.when for entry in entries]
        self._receivers = _Index([when.receivers for when in whens])
        self._codes = _Index([when.codes for when in whens])
        self._statuses = _Index([when.enhanced for when in whens])
        self._stages = _Index([when.stages for when in whens])
        self._origins = _Index([when.origins for when in whens])
        self._hosts = _Index([when.mx for when in whens])
        self._inner = _Index([when.inner for when in whens])
        self.look = texts.look
        self.key = texts.key

    def _index(self, bit: int, when: When) -> None:
        """Remember by which literals an entry is found: those of one group it asks for."""
        add = self._texts.add
        for pattern in when.none:
            add(pattern.text, pattern.kind)
        groups = [when.any, *[(pattern,) for pattern in when.all], *when.also]
        asked = [[add(pattern.text, pattern.kind) for pattern in one] for one in groups if one]
        leading = next((group for group in asked if all(one.literals for one in group)), None)
        if leading is None:
            self._anywhere |= bit
        else:
            for literal in set().union(*[one.literals for one in leading]):
                self._by_literal[literal] |= bit

    def _row(self, position: int) -> _Ready:
        entry = self.entries[position]
        when = entry.when
        some = self._some
        wanted, refused = some(when.any), some(when.none)
        groups = [some((pattern,)) for pattern in when.all] + [*map(some, when.also)]
        row = self._rows[position] = _Ready(
            entry,
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
        return frozenset(filter(self._hosts.named.__contains__, parents(mx))) or None

    def holding(self, case: Case, look: Look) -> Iterator[Ranked]:
        """Every rule that holds, at its place; the first one wins."""
        rows, any_of = self._rows, look.any
        left = self._worth_a_try(case, look.hits)
        while left:
            low = left & -left
            left ^= low
            position = low.bit_length() - 1
            entry, some, more, every, never, nor = rows.get(position) or self._row(position)
            if some is not None and not any_of(some) and not (more and any(map(any_of, more))):
                continue
            if every and not all(any(map(any_of, one)) for one in every):
                continue
            if never is None or not (any_of(never) or (nor and any(map(any_of, nor)))):
                yield entry

    def _worth_a_try(self, case: Case, hits: Iterable[int]) -> int:
        """The entries of which all holds but for the texts, and these may occur."""
        reply, receiver, _, stage, origins, under, inner, _ = case
        around = (reply.code, reply.status, receiver, stage, origins, under, inner)
        left = self._around.get(around)
        if left is None:
            if len(self._around) >= AROUND:
                self._around.clear()
            left = self._codes.of(reply.code, reply.digit)
            left &= self._receivers.of(receiver or ANYWHERE)
            left &= self._statuses.of(*_wider(reply.status))
            left &= self._stages.of(stage) & self._origins.of(*origins)
            left &= self._hosts.of(*under or ()) & self._inner.of(*inner)
            self._around[around] = left
        found = self._anywhere
        for entries in map(self._by_literal.__getitem__, hits):
            found |= entries
        return found & left


class _Index:
    """Which entries allow a value: those that name it, and those that name none."""

    def __init__(self, named: Iterable[Iterable[int | str]]) -> None:
        self.free = 0
        self.named: dict[int | str | None, int] = {}
        for position, values in enumerate(named):
            bit, free = 1 << position, True
            for value in values:
                free = False
                self.named[value] = self.named.get(value, 0) | bit
            if free:
                self.free |= bit

    def of(self, *values: int | str | None) -> int:
        """The entries that allow one of these."""
        left, named = self.free, self.named
        for value in values:
            if value in named:
                left |= named[value]
        return left


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
