"""YAML as a tree of values that remember where they stand: file:line:column for every mistake.

Contract: `parse` turns YAML 1.2 text into `Scalar`, `Sequence` and `Mapping` nodes and collects
each mistake as a `Problem`, never stopping at the first. Places come from the node tree itself,
so equal values never borrow each other's place. Repeated keys, anchors, aliases and tags are
mistakes.
Failure: text that is not YAML at all yields one `Problem` and no tree; nothing is raised but by
`read_text`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias

from rules.errors import Problem

# ruamel.yaml is loaded when there is YAML to read: the shipped rules are compiled
RawNode: TypeAlias = Any

__all__ = [
    "LARGEST", "Mapping", "Node", "Place", "Problem", "Scalar", "Sequence", "nearest", "oneof",
    "parse", "read_text",
]  # fmt: skip

LARGEST = 1 << 20  # bytes of a file; reading them takes seconds
MAX_DEPTH = 32
FEW = 48  # names that an error lists; of more it tells the nearest
_TAGS = "tag:yaml.org,2002:"


class Place(NamedTuple):
    """Where something stands in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def problem(self, message: str) -> Problem:
        """A mistake at this place."""
        return Problem(self.file, self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `text` is how it was written."""

    place: Place
    value: str | int | float | bool | None
    text: str
    kind: ClassVar[str] = "a value"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]
    kind: ClassVar[str] = "a list"

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in the order of the file."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...]
    kind: ClassVar[str] = "a mapping"

    def get(self, key: str) -> Node | None:
        """The value of `key`, or None."""
        return next((value for name, value in self.entries if name.text == key), None)


Node: TypeAlias = Scalar | Sequence | Mapping


def oneof(wrong: str, allowed: Iterable[str]) -> str:
    """Words that say what is allowed, and what was probably meant; of many names the nearest."""
    names = list(allowed)
    if len(names) > FEW:
        return (nearest(wrong, names) or "; see the documentation for all").removeprefix("; ")
    near = nearest(wrong, names, 1).removeprefix("; ")
    return f"{near + ' ' if near else ''}allowed: {', '.join(names)}"


def nearest(wrong: str, names: Iterable[str], most: int = 5) -> str:
    """Words that ask for what was probably meant: at most so many names, or nothing."""
    import difflib

    near = difflib.get_close_matches(wrong, list(names), n=most, cutoff=0.6 if most == 1 else 0.5)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def read_text(path: Path) -> str:
    """The text of a file; `ValueError` where it is none, or longer than any that people write."""
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MB")
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start + 1})") from error


def parse(text: str, file: str, problems: list[Problem], *, quick: bool = False) -> Node | None:
    """The tree of one YAML document; mistakes are appended to `problems`.

    `quick` uses the C parser where there is one (5 times as fast). It is for texts of our own: one
    nested a million levels deep would overflow its stack.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    start = Place(file, 1, 1)
    try:
        raw = _compose(text, quick)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else start
        problems.append(place.problem(f"not valid YAML: {error.problem or error.context}"))
        return None
    except (YAMLError, ValueError) as error:
        problems.append(start.problem(f"not valid YAML: {str(error).splitlines()[0]}"))
        return None
    except RecursionError:
        problems.append(start.problem("nested too deeply"))
        return None
    if raw is None:
        problems.append(start.problem("the file is empty"))
        return None
    return _convert(raw, file, problems, 0)


def _compose(text: str, quick: bool) -> RawNode | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if quick:
        try:
            quickly: RawNode | None = YAML(typ="safe", pure=False).compose(io.StringIO(text))
            return quickly
        except YAMLError:
            pass  # the other parser says better what is wrong
    raw: RawNode | None = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    return raw


def _convert(raw: RawNode, file: str, problems: list[Problem], depth: int) -> Node:
    place = Place(file, raw.start_mark.line + 1, raw.start_mark.column + 1)
    if raw.anchor is not None:
        problems.append(place.problem("anchors and aliases are not part of this language"))
        return Scalar(place, None, "")
    if depth > MAX_DEPTH:
        problems.append(place.problem(f"nested more than {MAX_DEPTH} levels deep"))
        return Scalar(place, None, "")
    if raw.id == "sequence":
        return Sequence(
            place, tuple(_convert(item, file, problems, depth + 1) for item in raw.value)
        )
    if raw.id == "mapping":
        return Mapping(place, tuple(_entries(raw, file, problems, depth)))
    return Scalar(place, _scalar(raw, place, problems), raw.value)


def _entries(
    raw: RawNode, file: str, problems: list[Problem], depth: int
) -> Iterator[tuple[Scalar, Node]]:
    seen: dict[str, Place] = {}
    for raw_key, raw_value in raw.value:
        key = _convert(raw_key, file, problems, depth + 1)
        value = _convert(raw_value, file, problems, depth + 1)
        if not isinstance(key, Scalar):
            problems.append(key.place.problem("a key must be a single word"))
            continue
        if key.text in seen:
            first = seen[key.text]
            problems.append(
                key.place.problem(f"key {key.text!r} is repeated (first in line {first.line})")
            )
            continue
        seen[key.text] = key.place
        yield key, value


def _scalar(raw: RawNode, place: Place, problems: list[Problem]) -> str | int | float | bool | None:
    tag = str(raw.tag or "")
    text: str = raw.value
    if tag in (_TAGS + "str", _TAGS + "timestamp", "!"):
        return text
    try:
        if tag == _TAGS + "null":
            return None
        if tag == _TAGS + "bool":
            return text.lower() == "true"
        if tag == _TAGS + "int":
            return int(text.replace("_", ""), 0)
        if tag == _TAGS + "float":
            return float(text.replace("_", ""))
    except ValueError:
        return text  # "0123", ".inf" and the like: what they are for is for the reader to say
    problems.append(place.problem(f"the tag {tag} is not part of this language"))
    return text
