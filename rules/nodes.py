"""Typed reading of YAML nodes: each method takes what it can and notes each mistake.

Contract: a method returns a usable value (or a default) whatever it meets, and appends one
`Problem` per mistake, naming what is wrong and what is allowed.
Failure: none is raised.
"""

from __future__ import annotations

import re

from rules.hints import LONGEST
from rules.source import Mapping as MapNode
from rules.source import Node, Problem, Scalar, Sequence, oneof

__all__ = ["NodeReader", "seconds"]

_DURATION = re.compile(r"([0-9]{1,6})\s*(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float | None:
    """A duration such as 90s, 5m, 2h, 1d; None if it is none."""
    found = _DURATION.fullmatch(text.strip())
    return float(int(found[1]) * _UNITS[found[2]]) if found else None


class NodeReader:
    """Reads nodes and remembers every mistake."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.version = 2  # of the language that the file at hand is written in

    def add(self, node: Node, message: str) -> None:
        """Note a mistake at a node."""
        self.problems.append(node.place.problem(message))

    def near(self, node: Node, allowed: tuple[str, ...]) -> str:
        """What is allowed instead of a node's value."""
        return oneof(node.text if isinstance(node, Scalar) else "", allowed)

    def mapping(
        self, node: Node | None, what: str, allowed: tuple[str, ...], at: Node | None = None
    ) -> MapNode | None:
        """A mapping whose keys are all known."""
        if node is None:
            if at is not None:
                self.add(at, f"{what} is missing")
            return None
        if not isinstance(node, MapNode):
            self.add(node, f"{what} is a mapping, not {node.kind}; keys: {', '.join(allowed)}")
            return None
        for key, _ in node.entries:
            if key.text not in allowed:
                self.add(key, f"unknown key {key.text!r} in {what}; {oneof(key.text, allowed)}")
        return node

    def listed(self, node: Node | None, what: str) -> tuple[Node, ...]:
        """The items of a list."""
        if node is None:
            return ()
        if not isinstance(node, Sequence):
            self.add(node, f"{what} is a list, not {node.kind}")
            return ()
        return node.items

    def several(self, node: Node | None) -> tuple[Node, ...]:
        """The items of a list, or a single value as the only item."""
        if node is None:
            return ()
        return node.items if isinstance(node, Sequence) else (node,)

    def word(
        self, node: MapNode, key: str, shape: re.Pattern[str], what: str, required: bool = False
    ) -> str | None:
        """A text of a given shape."""
        value = node.get(key)
        if value is None:
            if required:
                self.add(node, f"{key!r} is missing")
            return None
        if not isinstance(value, Scalar) or not shape.fullmatch(value.text):
            shown = repr(value.text) if isinstance(value, Scalar) else value.kind
            self.add(value, f"{key!r} is {what}, not {shown}")
            return None
        return value.text

    def text(self, node: MapNode, key: str) -> str:
        """Any text."""
        value = node.get(key)
        if value is None:
            return ""
        if not isinstance(value, Scalar) or not isinstance(value.value, str):
            self.add(value, f"{key!r} is a text")
            return ""
        return value.text

    def choice(
        self, node: MapNode, key: str, allowed: tuple[str, ...], required: bool = False
    ) -> str | None:
        """One word of a closed list."""
        value = node.get(key)
        if value is None:
            if required:
                self.add(node, f"{key!r} is missing")
            return None
        if not isinstance(value, Scalar) or value.text not in allowed:
            shown = repr(value.text) if isinstance(value, Scalar) else value.kind
            self.add(value, f"unknown {key} {shown}; {self.near(value, allowed)}")
            return None
        return value.text

    def choices(self, node: Node | None, key: str, allowed: tuple[str, ...]) -> list[str]:
        """Some words of a closed list."""
        found = []
        for item in self.several(node):
            if isinstance(item, Scalar) and item.text in allowed:
                found.append(item.text)
            else:
                shown = repr(item.text) if isinstance(item, Scalar) else item.kind
                self.add(item, f"unknown {key} {shown}; {self.near(item, allowed)}")
        return found

    def flag(self, node: MapNode, key: str, default: bool) -> bool:
        """true or false."""
        value = node.get(key)
        if value is None:
            return default
        if not isinstance(value, Scalar) or not isinstance(value.value, bool):
            self.add(value, f"{key!r} is true or false")
            return default
        return value.value

    def rank(self, node: MapNode, default: int) -> int:
        """A rank from 0 (first) to 99 (last)."""
        value = node.get("rank")
        if value is None:
            return default
        number = value.value if isinstance(value, Scalar) else None
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 99:
            self.add(value, "'rank' is a whole number from 0 (first) to 99 (last)")
            return default
        return number

    def duration(self, node: MapNode, key: str) -> float | None:
        """A duration with its unit."""
        value = node.get(key)
        if value is None:
            return None
        found = seconds(value.text) if isinstance(value, Scalar) else None
        if found is None or found > LONGEST:
            self.add(value, f"{key!r} is a duration of at most 1d: a number and s, m, h or d: 2h")
        return found
