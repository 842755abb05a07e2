"""Which rules a corpus of replies sets off, and what it leaves unknown.

Contract: `measure` takes (reply, mx, stage) rows and returns counts; pure.
Failure: none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rules.classifier import Classifier
from rules.template import template

__all__ = ["Coverage", "measure"]


@dataclass(slots=True)
class Coverage:
    """Counts of one corpus."""

    replies: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)  # by template
    samples: dict[str, str] = field(default_factory=dict)  # template → one reply
    silent: tuple[str, ...] = ()  # rules that never fired

    @property
    def share(self) -> float:
        """The share of replies that some rule knows."""
        return 1 - self.unknown.total() / self.replies if self.replies else 1.0


def measure(classifier: Classifier, rows: Iterable[tuple[str, str | None, str | None]]) -> Coverage:
    """Classify a corpus and count."""
    found = Coverage()
    for reply, mx, stage in rows:
        verdict = classifier.classify(reply, mx=mx, stage=stage, origin=None)
        found.replies += 1
        found.categories[verdict.category] += 1
        if verdict.rule is None:
            shape = template(reply)
            found.unknown[shape] += 1
            found.samples.setdefault(shape, reply)
        else:
            found.rules[verdict.rule] += 1
    found.silent = tuple(rule.id for rule in classifier.ruleset.rules if rule.id not in found.rules)
    return found
