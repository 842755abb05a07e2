"""From YAML nodes to frozen settings: the dataclasses themselves are the schema.

Contract: `bind(cls, node, problems)` builds `cls` (a frozen dataclass whose fields all have
defaults) from a mapping. A field's type says what is allowed: str, int, float, bool, Literal,
Duration, X | None, tuple[X, ...], Mapping[str, X], another dataclass. `metadata` may hold `doc`
(a sentence for the manual), `min` and `max`, which every number must have. Texts hold no control
characters. What is missing keeps its default.
Failure: every mistake is appended to `problems` with file:line:column and what is allowed; the
value at that place is then the default, so that one run finds all mistakes.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping as AnyMapping
from dataclasses import MISSING, Field, fields, is_dataclass
from math import inf, isinf
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from policyd.settings.units import ALLOWED, duration
from rules.source import Mapping, Node, Problem, Scalar, Sequence, oneof

__all__ = ["LONGEST", "Unset", "bind", "describe", "limits", "plain", "schema"]

LONGEST = 4096  # characters of a text
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

Settings = TypeVar("Settings")


class Unset:
    """What a mistake leaves behind: the caller keeps the default."""


UNSET = Unset()


def bind(cls: type[Settings], node: Node | None, problems: list[Problem]) -> Settings:
    """`cls` with the values of `node`; None or an empty node give all defaults."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return cls()
    if not isinstance(node, Mapping):
        names = ", ".join(schema(cls))
        problems.append(node.place.problem(f"expected a mapping with the keys {names}"))
        return cls()
    known = schema(cls)
    values: dict[str, Any] = {}
    for key, child in node.entries:
        name = key.text.replace("-", "_")
        if name not in known:
            problems.append(
                key.place.problem(f"unknown key {key.text!r}; {oneof(key.text, known)}")
            )
            continue
        entry, kind = known[name]
        value = _value(kind, child, problems, entry)
        if value is not UNSET:
            values[name] = value
    try:
        return cls(**values)
    except ValueError as wrong:
        problems.append(node.place.problem(str(wrong)))
        return cls()


def schema(cls: type[Any]) -> dict[str, tuple[Field[Any], Any]]:
    """The keys of a settings class: name → (field, type)."""
    hints = get_type_hints(cls, include_extras=True)
    return {entry.name: (entry, hints[entry.name]) for entry in fields(cls) if entry.init}


def default(entry: Field[Any]) -> Any:
    """The value a field has when nobody sets it."""
    return entry.default_factory() if entry.default_factory is not MISSING else entry.default


def describe(kind: Any) -> str:
    """Words for a type, as error texts and the manual use them."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return ALLOWED if args[1] == "duration" else describe(args[0])
    if origin in (Union, types.UnionType):
        return " or ".join("null" if arm is type(None) else describe(arm) for arm in args)
    if origin is Literal:
        return "one of " + ", ".join(str(arg) for arg in args)
    if origin is tuple:
        return f"a list of {describe(args[0])}"
    if origin is not None and issubclass(origin, AnyMapping):
        return f"a mapping of names to {describe(args[1])}"
    if is_dataclass(kind):
        return f"a mapping with the keys {', '.join(schema(kind))}"  # type: ignore[arg-type]
    return {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[kind]


def _value(kind: Any, node: Node, problems: list[Problem], entry: Field[Any]) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if isinstance(node, Scalar) and node.value is None:
            return None
        arms = [arm for arm in args if arm is not type(None)]
        return _value(arms[0], node, problems, entry)
    if is_dataclass(kind):
        return bind(kind, node, problems)  # type: ignore[arg-type]
    if origin is tuple:
        return _items(args[0], node, problems, entry)
    if origin is not None and origin is not Annotated and origin is not Literal:
        return _table(args[1], node, problems, entry)
    if not isinstance(node, Scalar):
        problems.append(node.place.problem(f"expected {describe(kind)}, found {node.kind}"))
        return UNSET
    return _scalar(kind, node, problems, entry)


def _items(kind: Any, node: Node, problems: list[Problem], entry: Field[Any]) -> Any:
    # one value stands for a list of one
    children = node.items if isinstance(node, Sequence) else (node,)
    values = [_value(kind, child, problems, entry) for child in children]
    return tuple(value for value in values if value is not UNSET)


def _table(kind: Any, node: Node, problems: list[Problem], entry: Field[Any]) -> Any:
    if not isinstance(node, Mapping):
        problems.append(node.place.problem(f"expected a mapping of names to {describe(kind)}"))
        return UNSET
    table: dict[str, Any] = {}
    for key, child in node.entries:
        try:
            plain(key.text)
        except ValueError as wrong:
            problems.append(key.place.problem(str(wrong)))
        table[key.text] = _value(kind, child, problems, entry)
    return types.MappingProxyType({k: v for k, v in table.items() if v is not UNSET})


def _scalar(kind: Any, node: Scalar, problems: list[Problem], entry: Field[Any]) -> Any:
    try:
        value = _read(kind, node)
        if isinstance(value, str):
            plain(value)
            entry.metadata.get("check", plain)(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            _within(value, entry, node.text)
    except ValueError as wrong:
        problems.append(node.place.problem(str(wrong)))
        return UNSET
    return value


def plain(text: str) -> None:
    """A path, a name or a reply: none of them holds a NUL or a line feed, or is a whole book."""
    if _CONTROL.search(text):
        raise ValueError(f"{text[:40]!r} holds control characters")
    if len(text) > LONGEST:
        raise ValueError(f"a text of {len(text)} characters is too long: at most {LONGEST}")


def _within(value: float, entry: Field[Any], text: str) -> None:
    low, high = limits(entry)
    if not low <= value <= high:  # what is no number at all lies nowhere
        allowed = f"at least {low:.15g}" if isinf(high) else f"{low:.15g} to {high:.15g}"
        raise ValueError(f"{text[:40]} is out of range: {allowed}")


def limits(entry: Field[Any]) -> tuple[float, float]:
    """The least and the largest value of a number."""
    return entry.metadata.get("min", -inf), entry.metadata.get("max", inf)


def _read(kind: Any, node: Scalar) -> Any:
    args, value = get_args(kind), node.value
    if get_origin(kind) is Annotated:
        return duration(node.text) if args[1] == "duration" else _read(args[0], node)
    if get_origin(kind) is Literal:
        for choice in args:
            # YAML reads a bare yes/no/on/off as text, true/false as a truth value
            if choice in (value, node.text) and isinstance(choice, type(value) | str):
                return choice
        raise ValueError(f"{node.text!r} is not allowed; {oneof(node.text, map(str, args))}")
    if kind is str and value is not None:
        return node.text
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{node.text!r} is not {describe(kind)}")
