"""What a rule asks for: the node `when` in, conditions out.

Contract: `read_when` reads it as SPEC.md, "Conditions", has it. In a file of version 1 the patterns
of `text` see all of a text, as they always did.
Failure: mistakes are noted by the reader; nothing is raised.
"""

from __future__ import annotations

from rules.fields import BESIDE, FieldReader
from rules.model import ANYWHERE, ORIGINS, Pattern, When
from rules.receivers import ReceiverTable
from rules.source import Mapping, Node, Scalar

__all__ = ["WHEN_KEYS", "Phrases", "read_when"]

WHEN_KEYS = ("receiver", "mx", "code", "enhanced", "stage", "origin", "text", *BESIDE, "inner")
ITEMS = ("phrases", *BESIDE)
TEXT_KEYS = ("any", "all", "none")

Phrases = dict[str, tuple[Pattern, ...]]


def read_when(
    node: Node | None, at: Mapping, reader: FieldReader, phrases: Phrases, receivers: ReceiverTable
) -> When:
    """The conditions of a rule."""
    when = reader.mapping(node, "'when'", WHEN_KEYS, at=at)
    if when is None:
        return When()
    new = [key for key, _ in when.entries if key.text in (*BESIDE, "inner")]
    for key in new if reader.version == 1 else ():
        reader.add(key, f"{key.text!r} belongs to version 2 of the language: 'mxheed: 2'")
    return _conditions(when, reader, phrases, receivers)


def _conditions(
    when: Mapping, reader: FieldReader, phrases: Phrases, receivers: ReceiverTable
) -> When:
    kind = "text" if reader.version == 1 else "said"
    texts = _texts(when.get("text"), reader, phrases, "text", kind)
    beside = [_texts(when.get(name), reader, phrases, name, name) for name in BESIDE]
    also = [found["any"] for found in beside if found["any"]]
    also += [(pattern,) for found in beside for pattern in found["all"]]
    never = tuple(pattern for found in (texts, *beside) for pattern in found["none"])
    codes = frozenset(reader.codes(when.get("code")))
    enhanced = frozenset(reader.enhanced(when.get("enhanced")))
    named = [item.text for item in _receivers(when.get("receiver"), reader, receivers)]
    worded = any(_asks(when.get(key)) for key in ("text", *BESIDE))
    if not any(when.get(key) for key in ("code", "enhanced")) and not worded:
        reader.add(when, "a rule asks for at least one of: code, enhanced, text (any or all)")
    exact = any(not status.endswith(".") for status in enhanced)
    if ANYWHERE in named and not (texts["any"] or texts["all"] or also or exact):
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
        also=tuple(also),
        none=never,
        inner=frozenset(reader.codes(when.get("inner"))),
    )


def _receivers(node: Node | None, reader: FieldReader, receivers: ReceiverTable) -> list[Scalar]:
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
    node: Node | None, reader: FieldReader, phrases: Phrases, what: str, kind: str
) -> dict[str, tuple[Pattern, ...]]:
    if node is None:
        return dict.fromkeys(TEXT_KEYS, ())
    if not isinstance(node, Mapping) or (node.entries and node.entries[0][0].text in ITEMS):
        found = tuple(reader.patterns(node, phrases, f"'{what}'", kind))
        return {"any": found, "all": (), "none": ()}
    reader.mapping(node, f"'{what}'", TEXT_KEYS)
    return {
        key: tuple(reader.patterns(node.get(key), phrases, f"'{key}'", kind)) for key in TEXT_KEYS
    }


def _asks(text: Node | None) -> bool:
    """Is there a text condition other than `none`."""
    if isinstance(text, Mapping):
        return any(key.text != "none" for key, _ in text.entries)
    return text is not None


def _shown(node: Node) -> str:
    return repr(node.text) if isinstance(node, Scalar) else node.kind
