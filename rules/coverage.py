"""Which rules a corpus of replies sets off, what it leaves unknown, and how often they are right.

Contract: `measure` takes samples and returns counts; pure. A sample may say which categories are
right (`flow` stands for all of `flow.*`): then the share of right verdicts is told, too.
Failure: none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.classifier import Classifier
from rules.template import template

__all__ = ["Coverage", "Sample", "measure"]


class Sample(NamedTuple):
    """A reply, where it was heard, and what it means if that is known."""

    reply: str
    mx: str | None = None
    stage: str | None = None
    right: tuple[str, ...] = ()


@dataclass(slots=True)
class Coverage:
    """Counts of one corpus."""

    replies: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)  # by template
    samples: dict[str, str] = field(default_factory=dict)  # template → one reply
    labelled: int = 0
    right: int = 0
    wrong: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # wanted, got, rule
    missed: dict[tuple[str, str, str], str] = field(default_factory=dict)  # the same → one reply
    silent: tuple[str, ...] = ()  # rules that never fired

    @property
    def share(self) -> float:
        """The share of replies that some rule knows."""
        return 1 - self.unknown.total() / self.replies if self.replies else 1.0

    @property
    def accuracy(self) -> float | None:
        """The share of right verdicts among the labelled replies; None: there are none."""
        return self.right / self.labelled if self.labelled else None


def measure(classifier: Classifier, samples: Iterable[Sample]) -> Coverage:
    """Classify a corpus and count."""
    found = Coverage()
    for sample in samples:
        reply = sample.reply
        verdict = classifier.classify(reply, mx=sample.mx, stage=sample.stage, origin=None)
        found.replies += 1
        found.categories[verdict.category] += 1
        if verdict.rule is None:
            shape = template(reply)
            found.unknown[shape] += 1
            found.samples.setdefault(shape, reply)
        else:
            found.rules[verdict.rule] += 1
        if sample.right:
            _compare(found, sample, verdict.category, verdict.rule or "-")
    found.silent = tuple(rule.id for rule in classifier.ruleset.rules if rule.id not in found.rules)
    return found


def _compare(found: Coverage, sample: Sample, category: str, rule: str) -> None:
    found.labelled += 1
    if any(f"{category}.".startswith(f"{wanted}.") for wanted in sample.right):
        found.right += 1
        return
    miss = (", ".join(sample.right), category, rule)
    found.wrong[miss] += 1
    found.missed.setdefault(miss, sample.reply)
