"""Reads the shipped packs, the receivers and an operator's own files into one rule set.

Contract: `load` is the only way in: start, reload, `rules check` and the tests all call it. It
reads files and nothing else.
Failure: `RulesError` with every mistake of every file; a file that cannot be read is one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType

from rules.errors import Problem, RulesError
from rules.language import Pack, Phrases, read_pack, read_phrases, read_rules
from rules.model import Rule, RuleSet
from rules.nodes import Reader
from rules.receivers import read_receivers
from rules.source import Node, Place, parse

__all__ = ["PACKS", "RECEIVERS", "assemble", "load"]

_HERE = Path(__file__).parent
PACKS = _HERE / "packs"
RECEIVERS = _HERE / "receivers.yaml"


def load(site: Sequence[Path] = (), *, packs: Path = PACKS, receivers: Path = RECEIVERS) -> RuleSet:
    """The whole rule set, or every mistake in it."""
    ruleset, problems = assemble(site, packs=packs, receivers=receivers)
    if problems:
        raise RulesError("the rules do not load:", problems)
    return ruleset


def assemble(
    site: Sequence[Path] = (), *, packs: Path = PACKS, receivers: Path = RECEIVERS
) -> tuple[RuleSet, list[Problem]]:
    """What could be read, and every mistake met on the way."""
    problems: list[Problem] = []
    table = read_receivers(_tree(receivers, problems), problems)
    reader = Reader(problems)
    files = [(path, False) for path in sorted(packs.glob("*.yaml"))]
    files += [(path, True) for path in site]
    read = [read_pack(_tree(path, problems), reader, own) for path, own in files]
    found = [pack for pack in read if pack]
    phrases: Phrases = {}
    places: dict[str, Place] = {}
    for pack in found:
        read_phrases(pack, phrases, places)
    rules = [rule for pack in found for rule in read_rules(pack, phrases, table)]
    disabled = _disabled(found, rules, problems)
    kept = _overridden(rules, problems)
    kept = [rule for rule in kept if rule.id not in disabled]
    ordered = sorted(kept, key=lambda rule: rule.entries[0].order)
    problems.sort(key=lambda problem: (problem.file, problem.line, problem.column))
    return RuleSet(tuple(ordered), table, disabled, MappingProxyType(phrases)), problems


def _tree(path: Path, problems: list[Problem]) -> Node | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        problems.append(Problem(str(path), 1, 1, f"cannot be read: {reason}"))
        return None
    return parse(text, str(path), problems)


def _disabled(
    packs: Iterable[Pack], rules: Iterable[Rule], problems: list[Problem]
) -> frozenset[str]:
    known = {rule.id for rule in rules}
    found = set()
    for pack in packs:
        for item in pack.disable:
            if item.text not in known:
                problems.append(item.place.problem(f"there is no rule {item.text!r} to disable"))
            found.add(item.text)
    return frozenset(found)


def _overridden(rules: Iterable[Rule], problems: list[Problem]) -> list[Rule]:
    """A site rule replaces the shipped rule of its id; any other repetition is wrong."""
    kept: dict[str, Rule] = {}
    for rule in rules:
        other = kept.get(rule.id)
        if other is not None and not (rule.site and not other.site):
            place = other.place
            problems.append(
                rule.place.problem(f"rule {rule.id!r} exists already ({place.file}:{place.line})")
            )
            continue
        kept[rule.id] = rule
    return list(kept.values())
