"""From the winning rule to the verdict: scope, stance, flags, suppression, wait, captures.

Contract: `Judge.verdict` follows SPEC.md, "The verdict". A contradiction between reply code,
enhanced code and meaning is flagged and never suppresses.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rules.captures import typed
from rules.hints import LONGEST, TRIGGERS, recipients, spoken
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
        # patterns that the matcher is to look for on the judge's behalf
        self.words = (*self._later, *self._never, *TRIGGERS)
        self._passing: frozenset[int] = frozenset()
        self._lasting: frozenset[int] = frozenset()
        self._triggers: frozenset[int] = frozenset()
        self._captures: dict[str, list[tuple[str, Any]]] = {
            rule.id: [(kind, compile_pattern(p.text)) for kind, p in rule.captures.items()]
            for rule in ruleset.rules
            if rule.captures
        }

    def learn(self, matcher: Matcher) -> None:
        """Take over the numbers under which the matcher finds the judge's words."""
        self._passing = matcher.number(self._later)
        self._lasting = matcher.number(self._never)
        self._triggers = matcher.number(TRIGGERS)

    def plain(self, view: View, rule: Rule | None) -> bool:
        """Is the verdict the same for every case of this view: nothing is read from its text."""
        return rule is None or (
            rule.id not in self._captures
            and rule.category != "flow.recipients"
            and self._triggers.isdisjoint(view.found)
        )

    def verdict(self, case: Case, view: View, rule: Rule | None, dsn: str | None) -> Verdict:
        """The verdict that a winning rule (or none) gives."""
        reply = case.reply
        if rule is None:
            return _unknown(case)
        flags = self._flags(case, view, rule)
        wait, words = self._wait(case, view, rule)
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

    def _wait(self, case: Case, view: View, rule: Rule) -> tuple[float | None, str | None]:
        digit = case.reply.digit
        passing = digit == 5 and CATEGORIES[rule.category].nature == "temporary"
        words = None
        if (digit in (4, None) or passing) and not self._triggers.isdisjoint(view.found):
            hint = spoken(case.reply.text)
            if hint and hint.seconds is not None:
                return hint.seconds, hint.words
            words = hint.words if hint else None
        if rule.retry is not None:
            return min(rule.retry, LONGEST), words or f"rule {rule.id}"
        return None, words

    def _captured(self, case: Case, rule: Rule) -> Mapping[str, str | int | float]:
        patterns = self._captures.get(rule.id, ())
        if not patterns and rule.category != "flow.recipients":
            return _EMPTY
        found: dict[str, str | int | float] = {}
        for kind, pattern in patterns:
            match = pattern.search(case.reply.spoken)
            value = typed(kind, match[1]) if match and match[1] is not None else None
            if value is not None:
                found[kind] = value
        if rule.category == "flow.recipients" and "count" not in found:
            count = recipients(case.reply.text)
            if count is not None:
                found["count"] = count
        return MappingProxyType(found) if found else _EMPTY


def _unknown(case: Case) -> Verdict:
    known = CATEGORIES[UNKNOWN]
    return Verdict(
        category=UNKNOWN,
        rule=None,
        receiver=case.receiver,
        scope=known.scope,
        stance=known.stance,
        suppress=False,
        flags=("enhanced_mismatch",) if case.reply.mismatch else (),
        code=case.reply.code,
        enhanced=case.reply.enhanced,
    )


def _digit(case: Case, dsn: str | None) -> int | None:
    """The class of the reply; of local words: the one the MTA logged beside them."""
    if case.reply.digit is not None or not dsn:
        return case.reply.digit
    return int(dsn[0]) if dsn[0] in "245" else None
