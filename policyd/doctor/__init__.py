"""What is missing or wrong between a running Postfix and mxheed.

A check is a function from facts to findings; each module lists its own in `CHECKS`, and `CHECKS`
below is the order in which they are asked and told. `gather` makes the facts, once.

Contract: pure. `examine` returns findings in a fixed order; each one that is not fine says what to
do. A check whose facts are missing is not asked: that is a finding, too ("unchecked").
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policyd.doctor import daemon, hooks, logs, policy, postfix, release, safety, transports, units
from policyd.doctor.values import Check, Facts, Finding, Part

__all__ = ["CHECKS", "WITHOUT_POSTFIX", "examine"]

CHECKS: tuple[Check, ...] = (
    *postfix.CHECKS,
    *hooks.CHECKS,
    *policy.CHECKS,
    *daemon.CHECKS,
    *logs.CHECKS,
    *release.CHECKS,
    *units.CHECKS,
    *transports.CHECKS,
    *safety.CHECKS,
)

# where another MTA is the only one
WITHOUT_POSTFIX = tuple(
    check
    for check in CHECKS
    if not {"postfix", "default"} & set(check.needs) and check not in release.CHECKS
)


def examine(
    facts: Facts, checks: Sequence[Check] = CHECKS, *, first: bool = True
) -> Iterator[Finding]:
    """All findings; `first`: also of the checks that one Postfix of several is enough for."""
    skipped: dict[Part, list[str]] = {}
    for check in checks:
        if not (check.each or first):
            continue
        lacking = next((part for part in check.needs if part in facts.missing), None)
        if lacking is not None:
            skipped.setdefault(lacking, []).append(check.about)
            continue
        for finding in check.find(facts):
            yield finding._replace(about=check.about)
    for part, abouts in skipped.items():
        why, todo = facts.missing[part]
        about = ", ".join(abouts)
        yield Finding("unchecked", f"{about}: {why}", todo, about)
