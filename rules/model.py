"""The values a rule file turns into.

Contract: frozen values, no behaviour beyond what follows from their fields. A `RuleSet` is whole:
its rules are in matching order, so the first rule that holds is the one that wins.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rules.receivers import Receivers
from rules.source import Place
from rules.verdict import Scope, Stance

__all__ = ["ANYWHERE", "ORIGINS", "STAGES", "Example", "Pattern", "Rule", "RuleSet", "When"]

STAGES = ("connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "eod")
ORIGINS = ("remote", "local")
ANYWHERE = "unknown"  # as a receiver condition: also where nothing is known about the host


@dataclass(frozen=True, slots=True)
class Pattern:
    """One RE2 pattern and where it was written."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Example:
    """A reply a rule must win (or, as a near miss, must not win)."""

    reply: str
    place: Place
    mx: str | None = None
    receiver: str | None = None
    stage: str | None = None
    origin: str | None = None
    retry_after: float | None = None
    captures: Mapping[str, str | int | float] = field(default_factory=lambda: MappingProxyType({}))
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
    none: tuple[Pattern, ...] = ()

    @property
    def specific(self) -> int:
        """How much is asked for (SPEC.md, "Order")."""
        exact = any(code > 9 for code in self.codes)
        full = any(not status.endswith(".") for status in self.enhanced)
        return (
            (8 if self.any or self.all else 0)
            + (1 if self.any and self.all else 0)
            + ((2 if full else 1) if self.enhanced else 0)
            + ((2 if exact else 1) if self.codes else 0)
            + (1 if self.stages else 0)
            + (1 if self.mx else 0)
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
    def precedence(self) -> tuple[int, int, int]:
        """What decides between two rules that both hold; lower wins."""
        named = bool(self.when.receivers or self.when.mx)
        return (0 if named else 1, self.rank, (16 if self.vague else 0) - self.when.specific)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Every rule in matching order, and the receivers they speak of."""

    rules: tuple[Rule, ...]
    receivers: Receivers
    disabled: frozenset[str] = frozenset()

    def get(self, rule_id: str) -> Rule | None:
        """The rule of that id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)
