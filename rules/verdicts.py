"""From the winning rule to the verdict: scope, stance, flags, suppression, wait, captures.

Contract: `judge` follows SPEC.md, "The verdict". A contradiction between reply code, enhanced
code and meaning is flagged and never suppresses.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rules.hints import LONGEST, spoken
from rules.matching import Case, Matcher, View
from rules.model import Rule, RuleSet
from rules.patterns import compile_pattern
from rules.taxonomy import CATEGORIES, UNKNOWN
from rules.verdict import Flag, Verdict

__all__ = ["LATER", "NEVER", "Judge"]

# phrase lists that feed the flags
LATER = "speaks.later"
NEVER = "speaks.never"
_EMPTY: Mapping[str, str | int | float] = MappingProxyType({})


class Judge:
    """Turns a case and the rule that won it into a verdict."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._later = ruleset.words(LATER)
        self._never = ruleset.words(NEVER)
        self.words = (*self._later, *self._never)
        self._passing: frozenset[int] = frozenset()
        self._lasting: frozenset[int] = frozenset()
        self._captures: dict[str, list[tuple[str, Any]]] = {
            rule.id: [(kind, compile_pattern(p.text)) for kind, p in rule.captures.items()]
            for rule in ruleset.rules
            if rule.captures
        }

    def learn(self, matcher: Matcher) -> None:
        """Take over the numbers under which the matcher finds the judge's words."""
        self._passing = matcher.number(self._later)
        self._lasting = matcher.number(self._never)

    def verdict(self, case: Case, view: View, rule: Rule | None, dsn: str | None) -> Verdict:
        """The verdict that a winning rule (or none) gives."""
        reply = case.reply
        if rule is None:
            known = CATEGORIES[UNKNOWN]
            flags: tuple[Flag, ...] = ("enhanced_mismatch",) if reply.mismatch else ()
            return Verdict(
                UNKNOWN, None, case.receiver, known.scope, known.stance, suppress=False,
                flags=flags, code=reply.code, enhanced=reply.enhanced,
            )  # fmt: skip
        flags = self._flags(case, view, rule)
        wait, words = _wait(case, rule)
        return Verdict(
            category=rule.category,
            rule=rule.id,
            receiver=case.receiver,
            scope=rule.scope,
            stance=rule.stance,
            suppress=rule.suppress and not flags and _digit(case, dsn) == 5,
            retry_after=wait,
            hint=words,
            captures=self._captured(case, rule),
            flags=flags,
            code=reply.code,
            enhanced=reply.enhanced,
        )

    def _flags(self, case: Case, view: View, rule: Rule) -> tuple[Flag, ...]:
        flags: list[Flag] = []
        nature = CATEGORIES[rule.category].nature
        digit = case.reply.digit
        if digit == 5 and (nature == "temporary" or not self._passing.isdisjoint(view.found)):
            flags.append("temporary_text_permanent_code")
        if digit == 4 and (nature == "permanent" or not self._lasting.isdisjoint(view.found)):
            flags.append("permanent_text_temporary_code")
        if case.reply.mismatch:
            flags.append("enhanced_mismatch")
        if rule.vague:
            flags.append("vague")
        return tuple(flags)

    def _captured(self, case: Case, rule: Rule) -> Mapping[str, str | int | float]:
        if rule.id not in self._captures:
            return _EMPTY
        found: dict[str, str | int | float] = {}
        for kind, pattern in self._captures[rule.id]:
            match = pattern.search(case.reply.spoken)
            if match and match[1] is not None:
                found[kind] = match[1]
        return MappingProxyType(found)


def _digit(case: Case, dsn: str | None) -> int | None:
    """The class of the reply; of local words: the one the MTA logged beside them."""
    if case.reply.digit is not None or not dsn:
        return case.reply.digit
    return int(dsn[0]) if dsn[0] in "245" else None


def _wait(case: Case, rule: Rule) -> tuple[float | None, str | None]:
    digit = case.reply.digit
    if digit in (4, None) or (digit == 5 and CATEGORIES[rule.category].nature == "temporary"):
        hint = spoken(case.reply.spoken)
        if hint:
            return hint.seconds, hint.words
    if rule.retry is not None:
        return min(rule.retry, LONGEST), f"rule {rule.id}"
    return None, None
