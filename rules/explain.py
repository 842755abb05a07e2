"""Why a rule holds or does not, and why one goes before another: words for people.

Contract: pure functions from a rule, a reply and its circumstances to one short sentence.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable

from rules.matching import Case, holds
from rules.model import Pattern, Ranked, Rule, When
from rules.patterns import compile_pattern
from rules.reply import Reply
from rules.texts import FIELDS

__all__ = ["conditions", "why_first", "why_not"]


def why_first(winner: Ranked, other: Ranked) -> str:
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
    if when.inner and not holds(When(inner=when.inner), case):
        return f"no other reply in the text has the code {_either(_codes(when.inner))}"
    return _text(when, reply)


def _text(when: When, reply: Reply) -> str | None:
    for group in (when.any, *when.also):
        if group and not any(_found(pattern, reply) for pattern in group):
            where = "patterns" if group is when.any else f"{group[0].kind} patterns"
            return f"none of its {where} is found in {_shown(group[0], reply)}"
    for pattern in when.all:
        if not _found(pattern, reply):
            return f"pattern {pattern.text!r} of 'all' is not found in {_shown(pattern, reply)}"
    for pattern in when.none:
        if _found(pattern, reply):
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
        *[
            (f"{group[0].kind}", "\n".join(pattern.text for pattern in group))
            for group in when.also
        ],
        ("none", "\n".join(pattern.text for pattern in when.none)),
        ("inner", ", ".join(_codes(when.inner))),
    ]
    return [(key, words) for key, words in pairs if words]


def _found(pattern: Pattern, reply: Reply) -> bool:
    return compile_pattern(pattern.text).search(_where(pattern, reply)) is not None


def _shown(pattern: Pattern, reply: Reply) -> str:
    return repr(_where(pattern, reply)[:200])


def _where(pattern: Pattern, reply: Reply) -> str:
    """The text that a pattern looks at."""
    text: str = getattr(reply, FIELDS[pattern.kind])
    return text


def _codes(codes: frozenset[int]) -> list[str]:
    return [f"{code}xx" if code < 10 else str(code) for code in sorted(codes)]


def _groups(enhanced: frozenset[str]) -> list[str]:
    return [status + "*" if status.endswith(".") else status for status in sorted(enhanced)]


def _either(words: Iterable[str]) -> str:
    return " or ".join(words)
