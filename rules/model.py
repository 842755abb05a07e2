"""The values a rule file turns into.

Contract: frozen values, no behaviour beyond what follows from their fields. A `RuleSet` is whole:
its rules are in matching order, so the first rule that holds is the one that wins.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.probe import Clues
from rules.receivers import ReceiverTable
from rules.source import Place
from rules.verdict import Scope, Stance

__all__ = [
    "ANYWHERE",
    "NOTHING",
    "ORIGINS",
    "STAGES",
    "Example",
    "Override",
    "Pattern",
    "Ranked",
    "Rule",
    "RuleSet",
    "When",
    "Written",
]

STAGES = ("connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "eod")
ORIGINS = ("remote", "local")
ANYWHERE = "unknown"  # as a receiver condition: also where nothing is known about the host


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Pattern(NamedTuple):
    """One RE2 pattern and where it was written."""

    text: str
    place: Place
    kind: str = "said"  # where it is looked for (rules.texts.KINDS)


class Example(NamedTuple):
    """A reply a rule must win (or, as a near miss, must not win)."""

    reply: str
    place: Place
    mx: str | None = None
    receiver: str | None = None
    stage: str | None = None
    origin: str | None = None
    retry_after: float | None = None
    captures: Mapping[str, str | int | float] = NOTHING
    flags: tuple[str, ...] | None = None
    suppress: bool | None = None


@dataclass(frozen=True, slots=True)
class When:
    """Conditions; an empty one asks for nothing."""

    receivers: tuple[str, ...] = ()  # empty: generic
    mx: tuple[str, ...] = ()  # host suffixes, lower case, without the leading dot
    codes: frozenset[int] = frozenset()  # 421, or 4 for the whole class
    enhanced: frozenset[str] = frozenset()  # "4.2.1", or "4.7." for everything below
    stages: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset({"remote"})
    any: tuple[Pattern, ...] = ()
    all: tuple[Pattern, ...] = ()
    also: tuple[tuple[Pattern, ...], ...] = ()  # one of each: in links, hosts, ids, lines
    none: tuple[Pattern, ...] = ()
    inner: frozenset[int] = frozenset()  # codes of other replies in the same text

    @property
    def specific(self) -> int:
        """How much is asked for (SPEC.md, "Order")."""
        exact = any(code > 9 for code in self.codes)
        full = any(not status.endswith(".") for status in self.enhanced)
        return (
            (8 if self.any or self.all or self.also else 0)
            + (1 if bool(self.any) + bool(self.all) + bool(self.also) > 1 else 0)
            + ((2 if full else 1) if self.enhanced else 0)
            + ((2 if exact else 1) if self.codes else 0)
            + (1 if self.stages else 0)
            + (1 if self.mx else 0)
            + (1 if self.inner else 0)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: conditions that must all hold, and what follows."""

    id: str
    pack: str
    place: Place
    category: str
    scope: Scope
    stance: Stance
    suppress: bool  # may a reply this rule wins suppress at all
    when: When
    rank: int = 50
    vague: bool = False
    retry: float | None = None
    captures: Mapping[str, Pattern] = field(default_factory=lambda: MappingProxyType({}))
    examples: tuple[Example, ...] = ()
    near: tuple[Example, ...] = ()
    source: str = ""
    seen: str = ""
    site: bool = False
    position: int = 0  # place among the declarations of its pack

    @property
    def entries(self) -> tuple[Ranked, ...]:
        """The places of the rule in the matching order.

        A rule that also speaks where nothing is known about the host has two: among the rules of
        its receivers, and among the generic ones.
        """
        named = tuple(name for name in self.when.receivers if name != ANYWHERE)
        if len(named) == len(self.when.receivers):
            return (self._entry(self.when, bool(named or self.when.mx)),)
        places = [self._entry(replace(self.when, receivers=(ANYWHERE,)), bool(self.when.mx))]
        if named:
            places.insert(0, self._entry(replace(self.when, receivers=named), True))
        return tuple(places)

    def _entry(self, when: When, named: bool) -> Ranked:
        specific = self.when.specific - (16 if self.vague else 0)
        return Ranked((0 if named else 1, self.rank, -specific), self, when)


class Ranked(NamedTuple):
    """A rule at one place of the matching order."""

    precedence: tuple[int, int, int]  # lower goes first
    rule: Rule
    when: When

    @property
    def order(self) -> tuple[object, ...]:
        """What the entries are sorted by; the precedence, and what breaks its ties."""
        rule = self.rule
        return (self.precedence, not rule.site, rule.pack, rule.position)


class Override(NamedTuple):
    """What a site file changes in a shipped rule."""

    rule: str
    parts: Mapping[str, Any]  # fields of `Rule`
    place: Place


class Written(NamedTuple):
    """What files say, before it is put together."""

    rules: list[Rule]
    phrases: dict[str, tuple[Pattern, ...]]
    places: dict[str, Place]  # where each phrase list is declared
    receivers: ReceiverTable
    probes: Mapping[str, Clues]  # of the patterns that have been taken apart already


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Every rule in matching order, and the receivers they speak of."""

    rules: tuple[Rule, ...]
    receivers: ReceiverTable
    disabled: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    phrases: Mapping[str, tuple[Pattern, ...]] = field(default_factory=lambda: MappingProxyType({}))
    probes: Mapping[str, Clues] = field(default_factory=lambda: MappingProxyType({}))
    overrides: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))

    def words(self, name: str) -> tuple[str, ...]:
        """The patterns of a phrase list; none if there is no such list."""
        return tuple(pattern.text for pattern in self.phrases.get(name, ()))

    @property
    def entries(self) -> tuple[Ranked, ...]:
        """Every place of every rule, the first one that holds wins."""
        places = [entry for rule in self.rules for entry in rule.entries]
        return tuple(sorted(places, key=lambda entry: entry.order))

    def get(self, rule_id: str) -> Rule | None:
        """The rule of that id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)
