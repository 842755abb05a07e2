"""The fields of a rule file: codes, patterns, captures, examples.

Contract: as `nodes.Reader`: every method returns what it could read and notes each mistake.
Failure: none is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from rules.model import ORIGINS, STAGES, Example, Pattern
from rules.nodes import NodeReader
from rules.patterns import fault
from rules.source import Mapping as MapNode
from rules.source import Node, Scalar

__all__ = ["BESIDE", "EXAMPLE_KEYS", "FLAGS", "FieldReader"]

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
BESIDE = ("url", "host", "id", "line")  # what patterns may look at beside the text
FLAGS = (
    "temporary_text_permanent_code",
    "permanent_text_temporary_code",
    "enhanced_mismatch",
    "vague",
)
_CLASS = re.compile(r"([2-5])(?:xx|yz)")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.(?:[0-9]{1,3}|\*)|[245]\.\*(?:\.\*)?")
_HOST = re.compile(r"\.?[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*")


class FieldReader(NodeReader):
    """Reads the fields of rule files."""

    def stages(self, node: Node | None) -> list[str]:
        """Stages of the dialogue."""
        return self.choices(node, "stage", STAGES)

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
        self,
        node: Node | None,
        phrases: Mapping[str, tuple[Pattern, ...]],
        what: str,
        kind: str = "said",
    ) -> Iterator[Pattern]:
        """RE2 patterns; {phrases: name} stands for a named list, {url: pattern} looks at links."""
        for item in self.several(node):
            if isinstance(item, MapNode):
                for pattern in self._phrases(item, phrases, what):
                    yield pattern if pattern.kind != "said" else pattern._replace(kind=kind)
                for key, value in item.entries:
                    if key.text in BESIDE:
                        yield from self.patterns(value, {}, f"{key.text!r}", key.text)
                continue
            if not isinstance(item, Scalar) or not isinstance(item.value, str):
                self.add(item, f"{what} lists patterns (texts) or {{phrases: name}}")
                continue
            wrong = fault(item.text)
            if wrong:
                self.add(item, wrong)
            else:
                yield Pattern(item.text, item.place, kind)

    def _phrases(
        self, item: MapNode, phrases: Mapping[str, tuple[Pattern, ...]], what: str
    ) -> Iterator[Pattern]:
        self.mapping(
            item, f"an item of {what}", ("phrases", *BESIDE)[: 1 if self.version == 1 else 5]
        )
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
