"""Is a tell characteristic? A rule that names receivers and `unknown` says: only they write this.

Contract: `tells` looks at the patterns of such rules: each must not occur in the examples of many
rules of other packs that mean something else, where the rule's other conditions hold as well. What
everybody writes is no sign of who speaks.
Failure: none is raised; every pattern that takes too many yields one `Problem`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rules.errors import Problem
from rules.matching import Case, holds
from rules.model import ANYWHERE, Pattern, Rule
from rules.patterns import compile_pattern
from rules.texts import FIELDS

__all__ = ["MOST", "tells"]

MOST = 3  # rules of others that a tell may come near

Known = list[tuple[Rule, Case]]


def tells(chosen: Iterable[Rule], known: Known) -> Iterator[Problem]:
    """Every pattern of a tell that would take many examples of other rules."""
    for rule in chosen:
        if ANYWHERE not in rule.when.receivers or rule.when.all or rule.when.also:
            continue
        when = replace(rule.when, receivers=())
        others = [
            (other, case)
            for other, case in known
            if other.pack != rule.pack and other.category != rule.category and holds(when, case)
        ]
        for pattern in rule.when.any:
            taken = sorted(_taken(pattern, others))
            if len(taken) > MOST:
                yield pattern.place.problem(
                    f"pattern {pattern.text!r} of rule {rule.id!r} is no sign of its receiver: it "
                    f"stands in examples of {len(taken)} other rules ({', '.join(taken[:3])} …); "
                    "leave 'unknown' out, or look for more"
                )


def _taken(pattern: Pattern, others: Known) -> set[str]:
    compiled = compile_pattern(pattern.text)
    field = FIELDS[pattern.kind]
    return {rule.id for rule, case in others if compiled.search(getattr(case.reply, field))}
