"""Which rule wins is written down, and never accidental."""

from __future__ import annotations

import itertools
import random

import pytest

from rules import Classifier, load
from rules.model import Rule, RuleSet, When
from rules.source import Place

AT = Place("test", 1, 1)


def _rule(name: str, *, rank: int = 50, vague: bool = False, **when: object) -> Rule:
    conditions = When(**when)  # type: ignore[arg-type]
    return Rule(
        name, name.partition(".")[0], AT, "policy.other", "message", "stop", False, conditions,
        rank=rank, vague=vague,
    )  # fmt: skip


def test_rule_order() -> None:
    """Receiver before generic, then rank, then specificity, then site, pack and declaration."""
    ladder = [
        _rule("z.receiver", rank=99, receivers=("google",), codes=frozenset({550})),
        _rule("z.early", rank=1, codes=frozenset({5})),
        _rule("z.full", codes=frozenset({550}), enhanced=frozenset({"5.7.1"}), stages=frozenset()),
        _rule("z.code", codes=frozenset({550})),
        _rule("z.class", codes=frozenset({5})),
        _rule("z.vague", vague=True, codes=frozenset({550})),
        _rule("z.late", rank=99, codes=frozenset({550})),
    ]
    for first, second in itertools.pairwise(ladder):
        assert first.entries[0].order < second.entries[0].order, (first.id, second.id)


def test_rule_order_does_not_depend_on_the_order_of_files() -> None:
    """A shuffled rule set judges alike: the order is in the rules, not in the file system."""
    ruleset = load()
    shuffled = list(ruleset.rules)
    random.Random(7).shuffle(shuffled)
    other = RuleSet(tuple(shuffled), ruleset.receivers, phrases=ruleset.phrases)
    assert [entry.rule.id for entry in other.entries] == [
        entry.rule.id for entry in ruleset.entries
    ]


def test_the_winner_is_the_first_that_holds() -> None:
    """For every shipped example the verdict's rule is the first of all rules that hold."""
    ruleset = load()
    classifier = Classifier(ruleset)
    place = {(entry.rule.id, entry.when.receivers): n for n, entry in enumerate(ruleset.entries)}
    for rule in ruleset.rules:
        for example in rule.examples:
            case = classifier.case(example.reply, mx=example.mx, stage=example.stage, origin=None)
            holding = classifier.holding(case)
            places = [place[(entry.rule.id, entry.when.receivers)] for entry in holding]
            assert places == sorted(places)
            assert classifier.judge(case).rule == (holding[0].rule.id if holding else None)


@pytest.mark.parametrize(
    ("when", "points"),
    [
        (When(codes=frozenset({5})), 1),
        (When(codes=frozenset({550, 5})), 2),
        (When(enhanced=frozenset({"5.7."})), 1),
        (When(enhanced=frozenset({"5.7.1"}), codes=frozenset({550})), 4),
        (When(stages=frozenset({"rcpt"}), codes=frozenset({5})), 2),
        (When(mx=("example.net",), codes=frozenset({5})), 2),
    ],
)
def test_points_of_specificity(when: When, points: int) -> None:
    """Each kind of condition has the points that the specification gives it."""
    assert when.specific == points
