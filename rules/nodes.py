"""Typed reading of YAML nodes for rule files: each method takes what it can and notes each
mistake.

Contract: a method returns a usable value (or a default) whatever it meets, and appends one
`Problem` per mistake, naming what is wrong and what is allowed.
Failure: none is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from rules.hints import LONGEST
from rules.model import ORIGINS, STAGES, Example, Pattern
from rules.patterns import fault
from rules.source import Mapping as MapNode
from rules.source import Node, Problem, Scalar, Sequence, oneof

__all__ = ["EXAMPLE_KEYS", "FLAGS", "Reader", "seconds"]

EXAMPLE_KEYS = (
    "reply",
    "mx",
    "receiver",
    "stage",
    "origin",
    "retry_after",
    "captures",
    "flags",
    "suppress",
)
FLAGS = (
    "temporary_text_permanent_code",
    "permanent_text_temporary_code",
    "enhanced_mismatch",
    "vague",
)
_DURATION = re.compile(r"([0-9]{1,6})\s*(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CLASS = re.compile(r"([2-5])(?:xx|yz)")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.(?:[0-9]{1,3}|\*)|[245]\.\*(?:\.\*)?")
_HOST = re.compile(r"\.?[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*")


def seconds(text: str) -> float | None:
    """A duration such as 90s, 5m, 2h, 1d; None if it is none."""
    found = _DURATION.fullmatch(text.strip())
    return float(int(found[1]) * _UNITS[found[2]]) if found else None


class Reader:
    """Reads nodes and remembers every mistake."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

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

    def stages(self, node: Node | None) -> list[str]:
        """Stages of the dialogue."""
        return self.choices(node, "stage", STAGES)

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

    def codes(self, node: Node | None) -> Iterator[int]:
        """Reply codes: 421, or a class such as 4xx (as its first digit)."""
        for item in self.several(node):
            value = item.value if isinstance(item, Scalar) else None
            group = _CLASS.fullmatch(item.text) if isinstance(item, Scalar) else None
            if group:
                yield int(group[1])
            elif isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599:
                yield value
            else:
                self.add(item, "a code is a number from 200 to 599, or a class: 2xx, 3xx, 4xx, 5xx")

    def enhanced(self, node: Node | None) -> Iterator[str]:
        """Enhanced codes: 4.2.1, or a group such as 4.7.* (as "4.7.")."""
        for item in self.several(node):
            if isinstance(item, Scalar) and _ENHANCED.fullmatch(item.text):
                yield item.text.partition("*")[0]
            else:
                self.add(item, "an enhanced code is like 4.2.1, 4.7.* or 5.*; first digit 2, 4, 5")

    def suffixes(self, node: Node | None) -> Iterator[str]:
        """Host suffixes."""
        for item in self.several(node):
            if isinstance(item, Scalar) and _HOST.fullmatch(item.text.lower()):
                yield item.text.lower().strip(".")
            else:
                self.add(item, "'mx' lists host suffixes such as .example.com")

    def patterns(
        self, node: Node | None, phrases: Mapping[str, tuple[Pattern, ...]], what: str
    ) -> Iterator[Pattern]:
        """RE2 patterns; {phrases: name} stands for a named list."""
        for item in self.several(node):
            if isinstance(item, MapNode):
                yield from self._phrases(item, phrases, what)
                continue
            if not isinstance(item, Scalar) or not isinstance(item.value, str):
                self.add(item, f"{what} lists patterns (texts) or {{phrases: name}}")
                continue
            wrong = fault(item.text)
            if wrong:
                self.add(item, wrong)
            else:
                yield Pattern(item.text, item.place)

    def _phrases(
        self, item: MapNode, phrases: Mapping[str, tuple[Pattern, ...]], what: str
    ) -> Iterator[Pattern]:
        self.mapping(item, f"an item of {what}", ("phrases",))
        name = item.get("phrases")
        if name is None:
            return
        if not isinstance(name, Scalar) or name.text not in phrases:
            self.add(name, f"no phrases of this name; {self.near(name, tuple(phrases))}")
            return
        yield from phrases[name.text]

    def captures(self, node: Node | None, allowed: tuple[str, ...]) -> Mapping[str, Pattern]:
        """Typed captures: name of the type → pattern with one group."""
        found: dict[str, Pattern] = {}
        if node is None:
            return MappingProxyType(found)
        captures = self.mapping(node, "'capture'", allowed)
        for key, value in captures.entries if captures else ():
            for pattern in self.patterns(value, {}, f"capture {key.text!r}"):
                if "(" not in pattern.text:
                    self.add(value, "a capture needs a group, such as \\[([A-Z]+[0-9]+)\\]")
                found[key.text] = pattern
        return MappingProxyType(found)

    def examples(self, node: Node | None, what: str) -> Iterator[Example]:
        """Replies with the host and stage they came with."""
        for item in self.listed(node, what):
            if isinstance(item, Scalar) and isinstance(item.value, str):
                yield Example(item.text, item.place)
                continue
            entry = self.mapping(item, f"an item of {what}", EXAMPLE_KEYS)
            if entry is None:
                continue
            reply = entry.get("reply")
            if not isinstance(reply, Scalar) or not reply.text:
                self.add(entry, "'reply' is missing: the text as it was received")
                continue
            yield self._example(entry, reply)

    def _example(self, entry: MapNode, reply: Scalar) -> Example:
        flags = entry.get("flags")
        wait = entry.get("retry_after")
        number = wait.value if isinstance(wait, Scalar) else None
        if wait is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
            self.add(wait, "'retry_after' is a number of seconds")
            number = None
        suppress = entry.get("suppress")
        return Example(
            reply.text,
            entry.place,
            mx=self.text(entry, "mx") or None,
            receiver=self.text(entry, "receiver") or None,
            stage=self.choice(entry, "stage", STAGES),
            origin=self.choice(entry, "origin", ORIGINS),
            retry_after=float(number) if isinstance(number, int | float) else None,
            captures=self._expected(entry.get("captures")),
            flags=tuple(self.choices(flags, "flag", FLAGS)) if flags is not None else None,
            suppress=self.flag(entry, "suppress", False) if suppress is not None else None,
        )

    def _expected(self, node: Node | None) -> Mapping[str, str | int | float]:
        found: dict[str, str | int | float] = {}
        if isinstance(node, MapNode):
            for key, value in node.entries:
                if isinstance(value, Scalar) and isinstance(value.value, str | int | float):
                    found[key.text] = value.value
                else:
                    self.add(value, "a captured value is a text or a number")
        elif node is not None:
            self.add(node, f"'captures' is a mapping, not {node.kind}")
        return MappingProxyType(found)
