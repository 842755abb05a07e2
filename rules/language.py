"""The rule language: YAML nodes in, rules out, every mistake reported with its place.

Contract: `read_pack` reads one file (phrases, rules, disabled ids) as SPEC.md defines it. Reading
goes on after a mistake, so that all of them are told at once; a rule with a mistake is left out.
Failure: mistakes are appended to the list handed in; nothing is raised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rules.captures import KINDS
from rules.conditions import WHEN_KEYS, Phrases, read_when
from rules.fields import FieldReader
from rules.model import Override, Rule
from rules.receivers import ReceiverTable
from rules.source import Mapping, Node, Place, Scalar
from rules.taxonomy import CATEGORIES, SCOPES, STANCES

__all__ = [
    "RULE_KEYS",
    "VERSION",
    "VERSIONS",
    "WHEN_KEYS",
    "Pack",
    "Phrases",
    "read_overrides",
    "read_pack",
    "read_phrases",
    "read_rules",
]

VERSION = 2
VERSIONS = (1, 2)
PACK_KEYS = ("mxheed", "pack", "rank", "phrases", "receivers", "rules", "override", "disable")
OVERRIDE_KEYS = ("id", "scope", "stance", "suppress", "retry", "rank")
NEW = ("receivers", "override")  # with version 2, and only in site files
RULE_KEYS = (
    "id",
    "category",
    "when",
    "scope",
    "stance",
    "suppress",
    "retry",
    "capture",
    "vague",
    "rank",
    "examples",
    "not",
    "source",
    "seen",
)
_ID = re.compile(r"[a-z0-9]+(?:[.\-][a-z0-9]+)+")
_NAME = re.compile(r"[a-z0-9]+(?:[._\-][a-z0-9]+)*")
_DATE = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")


@dataclass(slots=True)
class Pack:
    """One file while it is being read."""

    name: str
    root: Mapping
    reader: FieldReader
    site: bool
    rank: int = 50
    version: int = VERSION
    disable: list[Scalar] = field(default_factory=list)


def read_pack(root: Node | None, reader: FieldReader, site: bool) -> Pack | None:
    """The head of a file: version, name, rank and what it disables."""
    if root is None:
        return None
    top = reader.mapping(root, "a rule file", PACK_KEYS)
    if top is None:
        return None
    version = top.get("mxheed")
    number = version.value if isinstance(version, Scalar) else None
    if version is None:
        reader.add(top, f"'mxheed: {VERSION}' is missing: the version of the language")
    elif isinstance(number, bool) or number not in VERSIONS:
        reader.add(version, "'mxheed' names the version of the language; allowed: 1, 2")
    name = reader.word(top, "pack", _NAME, "lower-case letters, digits and dashes", required=True)
    pack = Pack(name or "?", top, reader, site, reader.rank(top, 50), 1 if number == 1 else VERSION)
    for key, _ in top.entries:
        if key.text in NEW and number == 1:
            reader.add(key, f"{key.text!r} belongs to version 2 of the language: 'mxheed: 2'")
        elif key.text in NEW and not site:
            reader.add(key, f"{key.text!r} belongs into a site file")
    for item in reader.listed(top.get("disable"), "'disable'"):
        if not site:
            reader.add(item, "'disable' belongs into a site file")
        elif isinstance(item, Scalar) and isinstance(item.value, str):
            pack.disable.append(item)
        else:
            reader.add(item, "'disable' lists rule ids")
    return pack


def read_phrases(pack: Pack, known: Phrases, places: dict[str, Place]) -> None:
    """Add the named phrase lists of a file to `known`."""
    node = pack.root.get("phrases")
    if node is None:
        return
    reader = pack.reader
    if not isinstance(node, Mapping):
        reader.add(node, "'phrases' is a mapping of names to lists of patterns")
        return
    for key, value in node.entries:
        if not _NAME.fullmatch(key.text):
            reader.add(key, f"{key.text!r} is no name for phrases: lower-case letters, digits, _")
        elif key.text in known:
            where = places[key.text]
            reader.add(key, f"phrases {key.text!r} exist already ({where.file}:{where.line})")
        else:
            places[key.text] = key.place
            known[key.text] = tuple(reader.patterns(value, {}, f"phrases {key.text!r}"))


def read_rules(pack: Pack, phrases: Phrases, receivers: ReceiverTable) -> list[Rule]:
    """The rules of a file, in the order of their declaration."""
    found = []
    pack.reader.version = pack.version
    for position, item in enumerate(pack.reader.listed(pack.root.get("rules"), "'rules'")):
        before = len(pack.reader.problems)
        rule = _rule(item, pack, phrases, receivers, position)
        if rule is not None and len(pack.reader.problems) == before:
            found.append(rule)
    return found


def read_overrides(pack: Pack) -> list[Override]:
    """What a site file changes in shipped rules."""
    reader = pack.reader
    found = []
    for item in reader.listed(pack.root.get("override"), "'override'"):
        before = len(reader.problems)
        node = reader.mapping(item, "an override", OVERRIDE_KEYS)
        name = node and reader.word(node, "id", _ID, "the id of a shipped rule", required=True)
        if node is None or not name:
            continue
        parts = {
            "scope": reader.choice(node, "scope", SCOPES),
            "stance": reader.choice(node, "stance", STANCES),
            "retry": reader.duration(node, "retry"),
            "rank": reader.rank(node, 50) if node.get("rank") else None,
        }
        parts = {key: value for key, value in parts.items() if value is not None}
        narrow = node.get("suppress")
        if narrow is not None and reader.flag(node, "suppress", False):
            reader.add(narrow, "'suppress' may only be narrowed to false")
        elif narrow is not None:
            parts["suppress"] = False
        if not parts and len(reader.problems) == before:
            allowed = ", ".join(OVERRIDE_KEYS[1:])
            reader.add(node, f"an override changes something; allowed: {allowed}")
        found.append(Override(name, parts, node.place))
    return found


def _rule(
    item: Node, pack: Pack, phrases: Phrases, receivers: ReceiverTable, position: int
) -> Rule | None:
    reader = pack.reader
    node = reader.mapping(item, "a rule", RULE_KEYS)
    if node is None:
        return None
    name = reader.word(node, "id", _ID, "<pack>.<what>, lower case", required=True) or "?"
    if name != "?" and not pack.site and not name.startswith(pack.name + "."):
        reader.add(node.get("id") or node, f"the id {name!r} must begin with {pack.name + '.'!r}")
    category = reader.choice(node, "category", tuple(CATEGORIES), required=True)
    defaults = CATEGORIES[category or "unknown"]
    if category == "unknown":
        reader.add(node.get("category") or node, "'unknown' is what no rule says")
    narrow = reader.flag(node, "suppress", defaults.suppress == "yes")
    if narrow and defaults.suppress != "yes":
        reader.add(
            node.get("suppress") or node,
            f"'suppress' may only be narrowed to false: {category} never suppresses at once",
        )
    when = read_when(node.get("when"), node, reader, phrases, receivers)
    examples = tuple(reader.examples(node.get("examples"), "'examples'"))
    if not examples:
        reader.add(node, f"rule {name!r} has no example: no example, no rule")
    return Rule(
        id=name,
        pack=pack.name,
        place=node.place,
        category=category or "unknown",
        scope=reader.choice(node, "scope", SCOPES) or defaults.scope,  # type: ignore[arg-type]
        stance=reader.choice(node, "stance", STANCES) or defaults.stance,  # type: ignore[arg-type]
        suppress=narrow,
        when=when,
        rank=reader.rank(node, pack.rank),
        vague=reader.flag(node, "vague", False),
        retry=reader.duration(node, "retry"),
        captures=reader.captures(node.get("capture"), KINDS),
        examples=examples,
        near=tuple(reader.examples(node.get("not"), "'not'")),
        source=reader.text(node, "source"),
        seen=reader.word(node, "seen", _DATE, "a date, YYYY-MM-DD") or "",
        site=pack.site,
        position=position,
    )
