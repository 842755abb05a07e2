"""What an operator's files change in the verdicts on the shipped examples.

Contract: `effects` judges every shipped example by the shipped rules alone and with the site files,
and yields those that are answered otherwise. Nothing is wrong with that: it is what site rules are
for, but nobody should find it out from the log.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rules.check import judge_example
from rules.classifier import Classifier
from rules.model import Example, Rule, RuleSet
from rules.verdict import Verdict

__all__ = ["Effect", "effects"]


class Effect(NamedTuple):
    """An example of a shipped rule that is answered otherwise now."""

    rule: Rule
    example: Example
    before: Verdict
    after: Verdict

    def __str__(self) -> str:
        reply = " ".join(self.example.reply.split())
        return f"{self.rule.id}: {reply[:90]}: {_told(self.before)}, now {_told(self.after)}"


def effects(shipped: RuleSet, site: RuleSet) -> Iterator[Effect]:
    """The shipped examples that site files answer otherwise."""
    before, after = Classifier(shipped), Classifier(site)
    for rule in shipped.rules:
        for example in rule.examples:
            was, now = (judge_example(one, rule, example) for one in (before, after))
            if _kept(was) != _kept(now):
                yield Effect(rule, example, was, now)


def _kept(verdict: Verdict) -> tuple[object, ...]:
    """What follows from a verdict; which rule gave it does not matter, nor whose host it was."""
    return (
        *(verdict.category, verdict.scope, verdict.stance, verdict.suppress, verdict.retry_after),
    )


def _told(verdict: Verdict) -> str:
    wait = "" if verdict.retry_after is None else f", {verdict.retry_after:.0f} s"
    return f"{verdict.category} ({verdict.scope}, {verdict.stance}{wait}) by {verdict.rule or '-'}"
