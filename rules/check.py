"""Do the rules hold? Every rule must win its own examples, and be able to win at all.

Contract: `check` takes a whole rule set and returns every mistake as a `Problem`, sorted by place.
Failure: mistakes are values; nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rules.classifier import Classifier
from rules.errors import Problem
from rules.explain import why_first, why_not
from rules.lint import lint
from rules.model import ORIGINS, Example, Rule, RuleSet
from rules.source import Place
from rules.tells import tells
from rules.verdict import Verdict

__all__ = ["check", "judge_example"]


def check(ruleset: RuleSet, *, site: bool = False) -> list[Problem]:
    """Every way in which the rules do not hold; `site`: only those of site files are looked at."""
    classifier = Classifier(ruleset)
    chosen = [rule for rule in ruleset.rules if rule.site or not site]
    problems = set(lint(ruleset, chosen))
    known = [
        (rule, classifier.case(example.reply, **_circumstances(rule, example)))
        for rule in ruleset.rules
        for example in rule.examples
    ]
    problems.update(tells(chosen, known))
    for rule in chosen:
        for example in rule.examples:
            problems.update(_example(classifier, rule, example))
        for example in rule.near:
            verdict = judge_example(classifier, rule, example)
            if verdict.rule == rule.id:
                problems.add(example.place.problem(f"rule {rule.id!r} wins its own near miss"))
    return sorted(problems)


def judge_example(classifier: Classifier, rule: Rule, example: Example) -> Verdict:
    """The verdict on an example, in its own circumstances."""
    return classifier.classify(example.reply, **_circumstances(rule, example))


def _circumstances(rule: Rule, example: Example) -> dict[str, Any]:
    origin = next(origin for origin in ORIGINS if origin in rule.when.origins)
    return {
        "mx": example.mx,
        "receiver": example.receiver,
        "stage": example.stage,
        "origin": example.origin or origin,
    }


def _example(classifier: Classifier, rule: Rule, example: Example) -> Iterator[Problem]:
    case = classifier.case(example.reply, **_circumstances(rule, example))
    holding = classifier.holding(case)
    at = example.place
    own = next((entry for entry in holding if entry.rule is rule), None)
    if own is None:
        yield at.problem(f"rule {rule.id!r} does not match its example: {why_not(rule, case)}")
        return
    winner = holding[0]
    if winner is not own:
        if winner.rule.site and not rule.site:
            return  # what a site rule is for
        yield at.problem(
            f"rule {winner.rule.id!r} ({_at(winner.rule.place)}) wins this example of {rule.id!r}: "
            f"{why_first(winner, own)}"
        )
        return
    for other in holding[1:]:
        if other.precedence == own.precedence and other.rule.site == rule.site:
            yield at.problem(
                f"rule {other.rule.id!r} ({_at(other.rule.place)}) claims this example of "
                f"{rule.id!r} too, with equal precedence: give one a 'rank' or a 'none'"
            )
    yield from _expected(judge_example(classifier, rule, example), example)


def _expected(verdict: Verdict, example: Example) -> Iterator[Problem]:
    at = example.place
    if example.retry_after is not None and verdict.retry_after != example.retry_after:
        yield at.problem(
            f"retry_after is {verdict.retry_after}, the example expects {example.retry_after}"
        )
    for kind, value in example.captures.items():
        got = verdict.captures.get(kind)
        if got != value:
            yield at.problem(f"capture {kind!r} is {got!r}, the example expects {value!r}")
    if example.flags is not None and set(example.flags) != set(verdict.flags):
        yield at.problem(
            f"flags are {_list(verdict.flags)}, the example expects {_list(example.flags)}"
        )
    if example.suppress is not None and verdict.suppress != example.suppress:
        yield at.problem(
            f"suppress is {str(verdict.suppress).lower()}, "
            f"the example expects {str(example.suppress).lower()}"
        )


def _list(words: tuple[str, ...]) -> str:
    return f"[{', '.join(words)}]"


def _at(place: Place) -> str:
    return f"{place.file}:{place.line}"
