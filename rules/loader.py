"""Loads the shipped packs, the receivers and an operator's own files as one rule set.

Contract: `load` is the only way in: start, reload, `rules check` and the tests all call it, or the
parts of `rules.assembly` that take texts instead of paths. What is shipped is taken as compiled
where that is up to date (`rules.compiled`), and compiled where it is not.
Failure: `RulesError` with every mistake of every file; a file that cannot be read is one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rules.assembly import HERE, PACKS, RECEIVERS, add, build, mark, shipped, text_of
from rules.calm import calm
from rules.compiled import recall
from rules.errors import Problem, RulesError
from rules.model import RuleSet

__all__ = ["assemble", "load"]


def load(site: Sequence[Path] = (), *, packs: Path = PACKS, receivers: Path = RECEIVERS) -> RuleSet:
    """The whole rule set, or every mistake in it."""
    ruleset, problems = assemble(site, packs=packs, receivers=receivers)
    if site and not problems:
        from rules.check import check  # what is shipped was checked before it was shipped

        problems = check(ruleset, site=True)
    if problems:
        raise RulesError("the rules do not load:", problems)
    return ruleset


def assemble(
    site: Sequence[Path] = (), *, packs: Path = PACKS, receivers: Path = RECEIVERS
) -> tuple[RuleSet, list[Problem]]:
    """What could be read, and every mistake met on the way."""
    with calm():
        return _assembled(site, packs, receivers)


def _assembled(site: Sequence[Path], packs: Path, receivers: Path) -> tuple[RuleSet, list[Problem]]:
    problems: list[Problem] = []
    files, table = shipped(packs, receivers, problems)
    sites = [file for file in (text_of(path, True, problems) for path in site) if file]
    known = None
    if (packs, receivers) == (PACKS, RECEIVERS) and not problems:
        known = recall(mark(files, table), HERE)
        if known is None:
            from rules.compile import keep  # seldom needed, and slow to import

            keep()
    ruleset, found = build([*files, *sites], table) if known is None else add(sites, known, [])
    return ruleset, sorted([*problems, *found])
