"""From the winning rule to the verdict: scope, stance, flags, suppression, wait, captures.

Contract: `Judge.verdict` follows SPEC.md, "The verdict". A contradiction between reply code,
enhanced code and meaning is flagged and never suppresses.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.captures import typed
from rules.hints import LONGEST, TRIGGER, recipients, spoken
from rules.matching import Case
from rules.model import Rule, RuleSet
from rules.patterns import compile_pattern
from rules.taxonomy import CATEGORIES, UNKNOWN
from rules.texts import Look, Texts
from rules.verdict import Flag, Verdict

__all__ = ["LATER", "NEVER", "Decision", "Judge"]

# phrase lists that feed the flags
LATER = "speaks.later"
NEVER = "speaks.never"
_EMPTY: Mapping[str, str | int | float] = MappingProxyType({})


class Decision(NamedTuple):
    """What follows from a view and its tries alone, without reading the text again."""

    rule: Rule | None
    flags: tuple[Flag, ...]
    timed: bool  # the text may speak of a wait
    verdict: Verdict | None  # if nothing is left to be read from the text


class Judge:
    """Turns a case and the rule that won it into a verdict."""

    def __init__(self, ruleset: RuleSet, texts: Texts) -> None:
        self._passing = texts.some(ruleset.words(LATER))
        self._lasting = texts.some(ruleset.words(NEVER))
        self._trigger = texts.some((TRIGGER,))
        self._captures: dict[str, list[tuple[str, Any]]] = {
            rule.id: [(kind, compile_pattern(p.text)) for kind, p in rule.captures.items()]
            for rule in ruleset.rules
            if rule.captures
        }

    def decide(self, case: Case, look: Look, rule: Rule | None) -> Decision:
        """What the winning rule (or none) comes to, as far as the view tells."""
        if rule is None:
            flags: tuple[Flag, ...] = ("enhanced_mismatch",) if case.reply.mismatch else ()
            return Decision(None, flags, False, _unknown(case, flags))
        flags = self._flags(case, look, rule)
        timed = _may_wait(case, rule) and look.any(self._trigger)
        open_decision = Decision(rule, flags, timed, None)
        if timed or rule.id in self._captures or rule.category == "flow.recipients":
            return open_decision
        return Decision(rule, flags, False, self.verdict(case, open_decision, None))

    def verdict(self, case: Case, decision: Decision, dsn: str | None) -> Verdict:
        """The verdict on a case that has been decided."""
        rule, flags, timed, known = decision
        if known is not None and (rule is None or dsn is None or case.reply.digit is not None):
            return known
        if rule is None:
            return _unknown(case, flags)
        wait, words = _wait(case, rule, timed)
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
            code=case.reply.code,
            enhanced=case.reply.enhanced,
        )

    def _flags(self, case: Case, look: Look, rule: Rule) -> tuple[Flag, ...]:
        flags: list[Flag] = []
        nature = CATEGORIES[rule.category].nature
        digit = case.reply.digit
        if digit == 5 and (nature == "temporary" or look.any(self._passing)):
            flags.append("temporary_text_permanent_code")
        if digit == 4 and (nature == "permanent" or look.any(self._lasting)):
            flags.append("permanent_text_temporary_code")
        if case.reply.mismatch:
            flags.append("enhanced_mismatch")
        if rule.vague:
            flags.append("vague")
        return tuple(flags)

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


def _unknown(case: Case, flags: tuple[Flag, ...]) -> Verdict:
    known = CATEGORIES[UNKNOWN]
    return Verdict(
        category=UNKNOWN,
        rule=None,
        receiver=case.receiver,
        scope=known.scope,
        stance=known.stance,
        suppress=False,
        flags=flags,
        code=case.reply.code,
        enhanced=case.reply.enhanced,
    )


def _may_wait(case: Case, rule: Rule) -> bool:
    """A permanent refusal may speak of a wait only where its meaning is a passing one."""
    digit = case.reply.digit
    return digit in (4, None) or (digit == 5 and CATEGORIES[rule.category].nature == "temporary")


def _wait(case: Case, rule: Rule, timed: bool) -> tuple[float | None, str | None]:
    hint = spoken(case.reply.text) if timed else None
    if hint and hint.seconds is not None:
        return hint.seconds, hint.words
    words = hint.words if hint else None
    if rule.retry is not None:
        return min(rule.retry, LONGEST), words or f"rule {rule.id}"
    return None, words


def _digit(case: Case, dsn: str | None) -> int | None:
    """The class of the reply; of local words: the one the MTA logged beside them."""
    if case.reply.digit is not None or not dsn:
        return case.reply.digit
    return int(dsn[0]) if dsn[0] in "245" else None
