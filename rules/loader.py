"""Reads the shipped packs, the receivers and an operator's own files into one rule set.

Contract: `load` is the only way in: start, reload, `rules check` and the tests all call it, or the
parts of it that take texts instead of paths. What is shipped is taken as compiled where that is
up to date (`rules.compiled`), and compiled where it is not.
Failure: `RulesError` with every mistake of every file; a file that cannot be read is one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rules.check import check
from rules.compiled import digest, recall
from rules.errors import Problem, RulesError
from rules.fields import FieldReader
from rules.language import Pack, read_pack, read_phrases, read_rules
from rules.model import Rule, RuleSet, Written
from rules.receivers import read_receivers
from rules.source import parse

__all__ = [
    "PACKS",
    "RECEIVERS",
    "File",
    "add",
    "assemble",
    "build",
    "load",
    "mark",
    "shipped",
    "table_of",
]

_HERE = Path(__file__).parent
PACKS = _HERE / "packs"
RECEIVERS = _HERE / "receivers.yaml"


class File(NamedTuple):
    """A rule file as text."""

    name: str
    text: str
    site: bool = False
    trusted: bool = False  # shipped with us: may be read by the C parser


def load(site: Sequence[Path] = (), *, packs: Path = PACKS, receivers: Path = RECEIVERS) -> RuleSet:
    """The whole rule set, or every mistake in it."""
    ruleset, problems = assemble(site, packs=packs, receivers=receivers)
    if site and not problems:
        # what is shipped was checked before it was shipped
        problems = check(ruleset, site=True)
    if problems:
        raise RulesError("the rules do not load:", problems)
    return ruleset


def assemble(
    site: Sequence[Path] = (), *, packs: Path = PACKS, receivers: Path = RECEIVERS
) -> tuple[RuleSet, list[Problem]]:
    """What could be read, and every mistake met on the way."""
    problems: list[Problem] = []
    files, table = shipped(packs, receivers, problems)
    sites = [file for file in (_file(path, True, problems) for path in site) if file]
    known = None
    if (packs, receivers) == (PACKS, RECEIVERS) and not problems:
        known = recall(mark(files, table), _HERE)
        if known is None:
            _compile()
    ruleset, found = build([*files, *sites], table) if known is None else add(sites, known, [])
    return ruleset, sorted([*problems, *found])


def build(files: Iterable[File], table: File) -> tuple[RuleSet, list[Problem]]:
    """The rule set of these texts, and every mistake in them."""
    problems: list[Problem] = []
    return add(files, table_of(table, problems), problems)


def table_of(table: File, problems: list[Problem]) -> Written:
    """The receivers, and no rules yet."""
    root = parse(table.text, table.name, problems, quick=table.trusted)
    return Written([], {}, {}, read_receivers(root, problems), {})


def add(
    files: Iterable[File], written: Written, problems: list[Problem]
) -> tuple[RuleSet, list[Problem]]:
    """The rule set of what is known and of these texts beside it, and every mistake in them."""
    rules, phrases, places, receivers, probes = written
    reader = FieldReader(problems)
    packs: list[Pack] = []
    for file in files:
        tree = parse(file.text, file.name, problems, quick=file.trusted)
        pack = read_pack(tree, reader, file.site)
        packs += [pack] if pack else []
    for pack in packs:
        read_phrases(pack, phrases, places)
    for pack in packs:
        rules += read_rules(pack, phrases, receivers)
    disabled = _disabled(packs, rules, problems)
    kept = [rule for rule in _overridden(rules, problems) if rule.id not in disabled]
    ordered = sorted(kept, key=lambda rule: rule.entries[0].order)
    ruleset = RuleSet(tuple(ordered), receivers, disabled, MappingProxyType(phrases), probes)
    return ruleset, sorted(problems)


def shipped(packs: Path, receivers: Path, problems: list[Problem]) -> tuple[list[File], File]:
    """The texts of the packs and of the receivers."""
    table = _file(receivers, False, problems) or File(str(receivers), "receivers: []")
    read = [_file(path, False, problems) for path in sorted(packs.glob("*.yaml"))]
    return [file for file in read if file], table


def mark(files: Iterable[File], table: File) -> str:
    """What tells these files from any others."""
    return digest((Path(file.name).name, file.text) for file in (*files, table))


def _compile() -> None:
    from rules.compile import keep  # it asks this module to read what it compiles

    keep()


def _file(path: Path, site: bool, problems: list[Problem]) -> File | None:
    try:
        return File(str(path), path.read_text(encoding="utf-8"), site, trusted=not site)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problems.append(Problem(str(path), 1, 1, f"cannot be read: {reason}"))
        return None


def _disabled(
    packs: Iterable[Pack], rules: Iterable[Rule], problems: list[Problem]
) -> frozenset[str]:
    shipped = {rule.id for rule in rules if not rule.site}
    found = set()
    for pack in packs:
        for item in pack.disable:
            if item.text not in shipped:
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
