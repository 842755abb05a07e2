"""The rule language: YAML nodes in, rules out, every mistake reported with its place.

Contract: `read_pack` reads one file (phrases, rules, disabled ids) as SPEC.md defines it. Reading
goes on after a mistake, so that all of them are told at once; a rule with a mistake is left out.
Failure: mistakes are appended to the list handed in; nothing is raised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rules.captures import KINDS
from rules.fields import FieldReader
from rules.model import ANYWHERE, ORIGINS, Pattern, Rule, When
from rules.receivers import Receivers
from rules.source import Mapping, Node, Place, Scalar
from rules.taxonomy import CATEGORIES, SCOPES, STANCES

__all__ = ["VERSION", "Pack", "Phrases", "read_pack", "read_phrases", "read_rules"]

VERSION = 1
PACK_KEYS = ("mxheed", "pack", "rank", "phrases", "rules", "disable")
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
WHEN_KEYS = ("receiver", "mx", "code", "enhanced", "stage", "origin", "text")
TEXT_KEYS = ("any", "all", "none")
_ID = re.compile(r"[a-z0-9]+(?:[.\-][a-z0-9]+)+")
_NAME = re.compile(r"[a-z0-9]+(?:[._\-][a-z0-9]+)*")
_DATE = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")

Phrases = dict[str, tuple[Pattern, ...]]


@dataclass(slots=True)
class Pack:
    """One file while it is being read."""

    name: str
    root: Mapping
    reader: FieldReader
    site: bool
    rank: int = 50
    disable: list[Scalar] = field(default_factory=list)


def read_pack(root: Node | None, reader: FieldReader, site: bool) -> Pack | None:
    """The head of a file: version, name, rank and what it disables."""
    if root is None:
        return None
    top = reader.mapping(root, "a rule file", PACK_KEYS)
    if top is None:
        return None
    version = top.get("mxheed")
    if version is None:
        reader.add(top, f"'mxheed: {VERSION}' is missing: the version of the language")
    elif not isinstance(version, Scalar) or version.value != VERSION:
        reader.add(version, f"'mxheed' names the version of the language; allowed: {VERSION}")
    name = reader.word(top, "pack", _NAME, "lower-case letters, digits and dashes", required=True)
    pack = Pack(name or "?", top, reader, site, reader.rank(top, 50))
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


def read_rules(pack: Pack, phrases: Phrases, receivers: Receivers) -> list[Rule]:
    """The rules of a file, in the order of their declaration."""
    found = []
    for position, item in enumerate(pack.reader.listed(pack.root.get("rules"), "'rules'")):
        before = len(pack.reader.problems)
        rule = _rule(item, pack, phrases, receivers, position)
        if rule is not None and len(pack.reader.problems) == before:
            found.append(rule)
    return found


def _rule(
    item: Node, pack: Pack, phrases: Phrases, receivers: Receivers, position: int
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
    when = reader.mapping(node.get("when"), "'when'", WHEN_KEYS, at=node)
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
        when=_conditions(when, reader, phrases, receivers) if when else When(),
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


def _conditions(when: Mapping, reader: FieldReader, phrases: Phrases, receivers: Receivers) -> When:
    texts = _texts(when.get("text"), reader, phrases)
    codes = frozenset(reader.codes(when.get("code")))
    enhanced = frozenset(reader.enhanced(when.get("enhanced")))
    named = [item.text for item in _receivers(when.get("receiver"), reader, receivers)]
    if not any(when.get(key) for key in ("code", "enhanced")) and not _asks(when.get("text")):
        reader.add(when, "a rule asks for at least one of: code, enhanced, text (any or all)")
    exact = any(not status.endswith(".") for status in enhanced)
    if ANYWHERE in named and not (texts["any"] or texts["all"] or exact):
        reader.add(when, f"'receiver: {ANYWHERE}' needs a text or a full enhanced code")
    origins = reader.choices(when.get("origin"), "origin", ORIGINS) or ["remote"]
    return When(
        receivers=tuple(named),
        mx=tuple(reader.suffixes(when.get("mx"))),
        codes=codes,
        enhanced=enhanced,
        stages=frozenset(reader.stages(when.get("stage"))),
        origins=frozenset(origins),
        any=texts["any"],
        all=texts["all"],
        none=texts["none"],
    )


def _receivers(node: Node | None, reader: FieldReader, receivers: Receivers) -> list[Scalar]:
    allowed = ("generic", ANYWHERE, *receivers.by_id)
    found = []
    for item in reader.several(node):
        if not isinstance(item, Scalar) or item.text not in allowed:
            reader.add(item, f"unknown receiver {_shown(item)}; {reader.near(item, allowed)}")
        else:
            found.append(item)
    if any(item.text == "generic" for item in found):
        if len(found) > 1:
            reader.add(found[0], "'generic' means any receiver and stands alone")
        return []
    return found


def _texts(
    node: Node | None, reader: FieldReader, phrases: Phrases
) -> dict[str, tuple[Pattern, ...]]:
    if node is None:
        return dict.fromkeys(TEXT_KEYS, ())
    if not isinstance(node, Mapping) or (node.entries and node.entries[0][0].text == "phrases"):
        return {"any": tuple(reader.patterns(node, phrases, "'text'")), "all": (), "none": ()}
    reader.mapping(node, "'text'", TEXT_KEYS)
    return {key: tuple(reader.patterns(node.get(key), phrases, f"'{key}'")) for key in TEXT_KEYS}


def _asks(text: Node | None) -> bool:
    """Is there a text condition other than `none`."""
    if isinstance(text, Mapping):
        return any(key.text != "none" for key, _ in text.entries)
    return text is not None


def _shown(node: Node) -> str:
    return repr(node.text) if isinstance(node, Scalar) else node.kind
