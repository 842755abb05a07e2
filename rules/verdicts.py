"""From the winning rule to the verdict: scope, stance, flags, suppression, wait, captures.

Contract: `Judge.verdict` follows SPEC.md, "The verdict". A contradiction between reply code,
enhanced code and meaning is flagged and never suppresses.
Failure: none.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.captures import typed
from rules.hints import COUNTED, LONGEST, TRIGGERS, dated, limits, recipients, spoken
from rules.matching import Case
from rules.model import Rule, RuleSet
from rules.patterns import compile_pattern
from rules.taxonomy import CATEGORIES, UNKNOWN
from rules.texts import Look, Texts
from rules.verdict import Flag, Stance, Verdict

__all__ = ["DOUBT", "LATER", "NEVER", "Decision", "Judge"]

# phrase lists that feed the flags, and one whose words forbid to give an address up
LATER = "speaks.later"
NEVER = "speaks.never"
DOUBT = "speaks.doubt"
LIMITED = ("flow.rate", "flow.quota", "flow.connections", "recipient.rate")  # may name a limit
_DIGIT = re.compile("[0-9]")
_EMPTY: Mapping[str, str | int | float] = MappingProxyType({})


class Decision(NamedTuple):
    """What follows from a view and its tries alone, without reading the text again."""

    rule: Rule | None
    flags: tuple[Flag, ...]
    timed: bool  # the text may speak of a wait
    verdict: Verdict | None  # if nothing is left to be read from the text
    gone: bool = False  # if the class is 5, the address may be given up
    stance: Stance = "retry"


class Judge:
    """Turns a case and the rule that won it into a verdict."""

    def __init__(self, ruleset: RuleSet, texts: Texts) -> None:
        # what is advised counts here: it may not decide, but it may contradict
        self._passing = texts.some(ruleset.words(LATER), "wide")
        self._lasting = texts.some(ruleset.words(NEVER), "wide")
        self._doubtful = texts.some(ruleset.words(DOUBT), "wide")
        self._trigger = texts.some(TRIGGERS, "wide")
        self._counted = texts.some((COUNTED,), "wide")
        # literals without which the text speaks of none of it
        lists = (self._passing, self._lasting, self._doubtful)
        self._speaking = frozenset().union(*[some.sure | some.leads for some in lists])
        self._silent = not any(some.always for some in lists)
        self._captures = {rule.id: rule.captures for rule in ruleset.rules if rule.captures}

    def decide(
        self, case: Case, look: Look, rule: Rule | None, others: Iterable[Rule] = ()
    ) -> Decision:
        """What the winning rule (or none) comes to, as far as the view tells.

        `others`: the further rules that hold, asked for only if an address would be given up.
        """
        if rule is None:
            flags: tuple[Flag, ...] = ("enhanced_mismatch",) if case.reply.mismatch else ()
            return Decision(None, flags, False, _unknown(case, flags))
        speaks = not (self._silent and self._speaking.isdisjoint(look.seen[1]))
        flags = self._flags(case, look, rule, speaks)
        timed = _may_wait(case, rule) and self._may_speak_of_time(case, look)
        gone = rule.suppress and not flags and not case.disputed
        gone = gone and not (speaks and look.any(self._doubtful))
        gone = gone and not any(_something_else(other) for other in others)
        stance = rule.stance
        lasts = speaks and look.any(self._lasting)
        if stance == "stop" and case.reply.digit == 4 and not lasts:
            stance = "retry"  # a temporary code: who stops needs more than a category for it
        return Decision(rule, flags, timed, None, gone, stance)

    def _may_speak_of_time(self, case: Case, look: Look) -> bool:
        if _DIGIT.search(case.reply.wide) and look.any(self._counted):
            return True
        return look.any(self._trigger)

    def settled(self, case: Case, decision: Decision) -> Decision:
        """The decision with its verdict, if that follows from the text with its signs alone.

        What is captured stands in the unmasked text; a point in time is a wait only for its hour;
        and a number is no part of what is remembered (`rules.numbers`).
        """
        rule = decision.rule
        if decision.verdict or rule is None or rule.id in self._captures:
            return decision
        wide = case.reply.wide
        if decision.timed and dated(wide):
            return decision
        if _DIGIT.search(wide) and _counts(rule, decision.timed, wide):
            return decision
        return decision._replace(verdict=self.verdict(case, decision, None))

    def verdict(
        self, case: Case, decision: Decision, dsn: str | None, now: float | None = None
    ) -> Verdict:
        """The verdict on a case that has been decided; `now`: when the reply was said."""
        rule, flags, timed, known, gone, stance = decision
        if known is not None:
            spoken_for = dsn is None or case.reply.digit is not None or not gone
            return known if spoken_for else known._replace(suppress=_digit(case, dsn) == 5)
        if rule is None:
            return _unknown(case, flags)
        captures = self._captured(case, rule, timed)
        wait, words = _wait(case, rule, timed, captures, now)
        return Verdict(
            rule.category,
            rule.id,
            case.receiver,
            rule.scope,
            stance,
            gone and _digit(case, dsn) == 5,
            wait,
            words,
            captures,
            flags,
            case.reply.code,
            case.reply.enhanced,
        )

    def _flags(self, case: Case, look: Look, rule: Rule, speaks: bool) -> tuple[Flag, ...]:
        flags: list[Flag] = []
        nature = CATEGORIES[rule.category].nature
        digit = case.reply.digit
        if digit == 5 and (nature == "temporary" or (speaks and look.any(self._passing))):
            flags.append("temporary_text_permanent_code")
        if digit == 4 and (nature == "permanent" or (speaks and look.any(self._lasting))):
            flags.append("permanent_text_temporary_code")
        if case.reply.mismatch:
            flags.append("enhanced_mismatch")
        if rule.vague or look.layer:
            flags.append("vague")
        return tuple(flags)

    def _captured(self, case: Case, rule: Rule, timed: bool) -> Mapping[str, str | int | float]:
        patterns = self._captures.get(rule.id, {})
        limited = timed and rule.category in LIMITED
        if not patterns and not limited and rule.category != "flow.recipients":
            return _EMPTY
        found: dict[str, str | int | float] = {}
        for kind, pattern in patterns.items():
            match = _ready(pattern.text).search(case.reply.spoken)
            value = typed(kind, match[1]) if match and match[1] is not None else None
            if value is not None:
                found[kind] = value
        if rule.category == "flow.recipients" and "count" not in found:
            count = recipients(case.reply.wide)
            if count is not None:
                found["count"] = count
        limit = limits(case.reply.wide) if limited else None
        if limit and "period" not in found:
            found.setdefault("count", limit.number)
            found["period"] = limit.period
        return MappingProxyType(found) if found else _EMPTY


@functools.cache
def _ready(pattern: str) -> Any:
    """A pattern, compiled when it is first used; there are as many as the rules have."""
    return compile_pattern(pattern)


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


def _something_else(rule: Rule) -> bool:
    """Does a rule say, and not only vaguely, that the trouble is not a missing address."""
    return not rule.vague and CATEGORIES[rule.category].suppress == "no"


def _counts(rule: Rule, timed: bool, text: str) -> bool:
    """Is something read from the numbers of a text."""
    if rule.category == "flow.recipients" or (timed and rule.category in LIMITED):
        return True
    hint = spoken(text) if timed else None
    return hint is not None and _DIGIT.search(hint.words) is not None


def _may_wait(case: Case, rule: Rule) -> bool:
    """A permanent refusal may speak of a wait only where its meaning is a passing one."""
    digit = case.reply.digit
    return digit in (4, None) or (digit == 5 and CATEGORIES[rule.category].nature == "temporary")


def _wait(
    case: Case,
    rule: Rule,
    timed: bool,
    captures: Mapping[str, str | int | float],
    now: float | None,
) -> tuple[float | None, str | None]:
    own = captures.get("duration")
    if isinstance(own, float) and _may_wait(case, rule):
        return own, f"rule {rule.id}"
    hint = spoken(case.reply.wide, now) if timed else None
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
