"""From the texts of rule files to one rule set: shipped packs, the receivers, an operator's files.

Contract: pure but for `shipped`, which reads the files that are installed. `add` puts texts to what
is known: site files may add receivers, replace rules by their ids, change parts of them or leave
them out.
Failure: mistakes are values, each with its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rules.compiled import digest
from rules.errors import Problem
from rules.fields import FieldReader
from rules.language import Pack, read_overrides, read_pack, read_phrases, read_rules
from rules.model import Override, Rule, RuleSet, Written
from rules.receivers import indexed, read_receivers, read_several
from rules.source import Place, nearest, parse, read_text

__all__ = ["PACKS", "RECEIVERS", "File", "add", "build", "mark", "shipped", "table_of", "text_of"]

HERE = Path(__file__).parent
PACKS = HERE / "packs"
RECEIVERS = HERE / "receivers.yaml"


class File(NamedTuple):
    """A rule file as text."""

    name: str
    text: str
    site: bool = False
    trusted: bool = False  # shipped with us: may be read by the C parser


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
    more = [one for pack in packs for one in read_several(pack.root.get("receivers"), problems)]
    if more:
        receivers = indexed([*receivers.by_id.values(), *more], problems)
    for pack in packs:
        read_phrases(pack, phrases, places)
    for pack in packs:
        rules += read_rules(pack, phrases, receivers)
    known = {rule.id for rule in rules if not rule.site}
    disabled = _disabled(packs, known, problems)
    overrides = [change for pack in packs for change in read_overrides(pack)]
    kept = [rule for rule in _overridden(rules, problems) if rule.id not in disabled]
    kept = _changed(kept, overrides, known, problems)
    ordered = sorted(kept, key=lambda rule: rule.entries[0].order)
    ruleset = RuleSet(
        tuple(ordered),
        receivers,
        MappingProxyType(disabled),
        MappingProxyType(phrases),
        probes,
        MappingProxyType({change.rule: change.place for change in overrides}),
    )
    return ruleset, sorted(problems)


def shipped(packs: Path, receivers: Path, problems: list[Problem]) -> tuple[list[File], File]:
    """The texts of the packs and of the receivers."""
    table = text_of(receivers, False, problems) or File(str(receivers), "receivers: []")
    read = [text_of(path, False, problems) for path in sorted(packs.glob("*.yaml"))]
    return [file for file in read if file], table


def mark(files: Iterable[File], table: File) -> str:
    """What tells these files from any others."""
    return digest((Path(file.name).name, file.text) for file in (*files, table))


def text_of(path: Path, site: bool, problems: list[Problem]) -> File | None:
    """The text of one file."""
    try:
        return File(str(path), read_text(path), site, trusted=not site)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problems.append(Problem(str(path), 1, 1, f"cannot be read: {reason}"))
        return None


def _disabled(packs: Iterable[Pack], known: set[str], problems: list[Problem]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for pack in packs:
        for item in pack.disable:
            if item.text not in known:
                near = nearest(item.text, known)
                problems.append(
                    item.place.problem(f"there is no rule {item.text!r} to disable{near}")
                )
            found.setdefault(item.text, item.place)
    return found


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


def _changed(
    rules: list[Rule], overrides: Iterable[Override], known: set[str], problems: list[Problem]
) -> list[Rule]:
    """The rules with the parts that site files change."""
    changed = {rule.id: rule for rule in rules}
    for change in overrides:
        rule = changed.get(change.rule)
        if rule is None or change.rule not in known:
            near = nearest(change.rule, known)
            problems.append(
                change.place.problem(f"there is no shipped rule {change.rule!r} to override{near}")
            )
            continue
        changed[change.rule] = replace(rule, **change.parts)
    return list(changed.values())
