"""Why a rule holds or does not, and why one goes before another: words for people.

Contract: pure functions from a rule, a reply and its circumstances to one short sentence.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable

from rules.matching import Case, holds
from rules.model import Entry, Pattern, Rule, When
from rules.patterns import compile_pattern

__all__ = ["conditions", "why_first", "why_not"]


def why_first(winner: Entry, other: Entry) -> str:
    """What puts `winner` before `other` in the matching order."""
    first, second = winner.precedence, other.precedence
    if first[0] != second[0]:
        return "it names the receiver, the other is generic here"
    if first[1] != second[1]:
        return f"its rank {first[1]} goes before {second[1]}"
    if first[2] != second[2]:
        if winner.rule.vague != other.rule.vague:
            return "the other is vague"
        return f"it is more specific ({-first[2]} points against {-second[2]})"
    if winner.rule.site != other.rule.site:
        return "it is a site rule"
    if winner.rule.pack != other.rule.pack:
        return f"its pack {winner.rule.pack!r} comes before {other.rule.pack!r}"
    return "it is declared first"


def why_not(rule: Rule, case: Case) -> str | None:
    """The first condition of a rule that fails; None if all hold."""
    when, reply = rule.when, case.reply
    if when.origins.isdisjoint(case.origins):
        return f"origin is not {_either(sorted(when.origins))}"
    if when.receivers and not holds(When(receivers=when.receivers), case):
        return f"receiver {case.receiver or 'unknown'} is not {_either(when.receivers)}"
    if when.mx and not holds(When(mx=when.mx), case):
        return f"mx {case.mx or 'unknown'} is not under {_either(when.mx)}"
    if when.codes and not holds(When(codes=when.codes), case):
        return f"code {reply.code or 'none'} is not {_either(_codes(when.codes))}"
    if when.enhanced and not holds(When(enhanced=when.enhanced), case):
        return f"enhanced code {reply.status or 'none'} is not {_either(_groups(when.enhanced))}"
    if when.stages and not holds(When(stages=when.stages), case):
        return f"stage {case.stage or 'unknown'} is not {_either(sorted(when.stages))}"
    return _text(when, reply.text)


def _text(when: When, text: str) -> str | None:
    if when.any and not any(_found(pattern, text) for pattern in when.any):
        return f"none of its patterns is found in {text[:200]!r}"
    for pattern in when.all:
        if not _found(pattern, text):
            return f"pattern {pattern.text!r} of 'all' is not found in {text[:200]!r}"
    for pattern in when.none:
        if _found(pattern, text):
            return f"pattern {pattern.text!r} of 'none' is found"
    return None


def conditions(rule: Rule) -> list[tuple[str, str]]:
    """The conditions of a rule as pairs of key and words."""
    when = rule.when
    pairs = [
        ("receiver", ", ".join(when.receivers) or "generic"),
        ("mx", ", ".join(when.mx)),
        ("code", ", ".join(_codes(when.codes))),
        ("enhanced", ", ".join(_groups(when.enhanced))),
        ("stage", ", ".join(sorted(when.stages))),
        ("origin", ", ".join(sorted(when.origins)) if when.origins != {"remote"} else ""),
        ("any", "\n".join(pattern.text for pattern in when.any)),
        ("all", "\n".join(pattern.text for pattern in when.all)),
        ("none", "\n".join(pattern.text for pattern in when.none)),
    ]
    return [(key, words) for key, words in pairs if words]


def _found(pattern: Pattern, text: str) -> bool:
    return compile_pattern(pattern.text).search(text) is not None


def _codes(codes: frozenset[int]) -> list[str]:
    return [f"{code}xx" if code < 10 else str(code) for code in sorted(codes)]


def _groups(enhanced: frozenset[str]) -> list[str]:
    return [status + "*" if status.endswith(".") else status for status in sorted(enhanced)]


def _either(words: Iterable[str]) -> str:
    return " or ".join(words)
