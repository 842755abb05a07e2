"""From the winning rule to the verdict: scope, stance, flags, suppression, wait, captures.

Contract: `judge` follows SPEC.md, "The verdict". A contradiction between reply code, enhanced
code and meaning is flagged and never suppresses.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from rules.hints import LONGEST, spoken
from rules.model import Rule
from rules.patterns import compile_pattern
from rules.reply import Reply
from rules.taxonomy import CATEGORIES, UNKNOWN
from rules.verdict import Flag, Verdict

__all__ = ["judge"]

_PASSING = re.compile(
    r"(?i)try (?:again|later)|retry|temporar(?:y|ily)|come back later|greylist|deferred"
)
_LASTING = re.compile(
    r"(?i)permanent(?:ly)?|will not succeed|does(?: not|n't) exist|no such user|user unknown"
    r"|unknown user|disabled|de-?activated"
)


def judge(reply: Reply, rule: Rule | None, receiver: str | None, dsn: str | None) -> Verdict:
    """The verdict that a winning rule (or none) gives."""
    if rule is None:
        known = CATEGORIES[UNKNOWN]
        return Verdict(
            UNKNOWN, None, receiver, known.scope, known.stance, False,
            code=reply.code, enhanced=reply.enhanced,
            flags=("enhanced_mismatch",) if reply.mismatch else (),
        )  # fmt: skip
    flags = _flags(reply, rule)
    wait, words = _wait(reply, rule)
    digit = reply.digit or (int(dsn[0]) if dsn and dsn[0] in "245" else None)
    return Verdict(
        category=rule.category,
        rule=rule.id,
        receiver=receiver,
        scope=rule.scope,
        stance=rule.stance,
        suppress=rule.suppress and digit == 5 and not flags,
        retry_after=wait,
        hint=words,
        captures=_captures(reply, rule),
        flags=flags,
        code=reply.code,
        enhanced=reply.enhanced,
    )


def _flags(reply: Reply, rule: Rule) -> tuple[Flag, ...]:
    flags: list[Flag] = []
    nature = CATEGORIES[rule.category].nature
    digit = reply.digit
    if digit == 5 and (nature == "temporary" or _PASSING.search(reply.text)):
        flags.append("temporary_text_permanent_code")
    if digit == 4 and (nature == "permanent" or _LASTING.search(reply.text)):
        flags.append("permanent_text_temporary_code")
    if reply.mismatch:
        flags.append("enhanced_mismatch")
    if rule.vague:
        flags.append("vague")
    return tuple(flags)


def _wait(reply: Reply, rule: Rule) -> tuple[float | None, str | None]:
    hint = spoken(reply.spoken) if reply.digit != 2 else None
    if hint:
        return hint.seconds, hint.words
    if rule.retry is not None:
        return min(rule.retry, LONGEST), f"rule {rule.id}"
    return None, None


def _captures(reply: Reply, rule: Rule) -> Mapping[str, str | int | float]:
    found: dict[str, str | int | float] = {}
    for kind, pattern in rule.captures.items():
        match = compile_pattern(pattern.text).search(reply.spoken)
        if match and match[1] is not None:
            found[kind] = match[1]
    return MappingProxyType(found)
