"""Writes `compiled.json`: the shipped rules as values, and the literals of their patterns.

Contract: `python -m rules.compile`, after every change of packs, receivers, or of the code that
reads them; one rule a line, so that versions can be compared. A test holds the file to `compiled`.
Failure: `RulesError` if the shipped files have mistakes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from rules.classifier import Classifier
from rules.compiled import FILE
from rules.errors import Problem, RulesError
from rules.loader import PACKS, RECEIVERS, add, mark, shipped, table_of
from rules.model import Pattern
from rules.source import Place

__all__ = ["compiled"]


def compiled() -> str:
    """What the file has to hold."""
    problems: list[Problem] = []
    files, table = shipped(PACKS, RECEIVERS, problems)
    written = table_of(table, problems)
    ruleset, _ = add(files, written, problems)
    if problems:
        raise RulesError("the shipped rules do not load:", problems)
    folding = _Folding(FILE.parent)
    made = {
        "receivers": folding.plain(tuple(written.receivers.by_id.values())),
        "rules": folding.plain(written.rules),
        "phrases": folding.plain(written.phrases),
        "places": folding.plain(written.places),
        "probes": {
            text: [sorted(found.literals), found.exact, sorted(found.also)]
            for text, found in Classifier(ruleset).probes.items()
        },
    }
    patterns = [[pattern.text, folding.plain(pattern.place)] for pattern in folding.patterns]
    made = {
        "digest": mark(files, table),
        "files": list(folding.files),
        "patterns": patterns,
        **made,
    }
    return (
        "{\n" + ",\n".join(f'"{name}": {_lines(value)}' for name, value in made.items()) + "\n}\n"
    )


def _lines(value: Any) -> str:
    """JSON with each member in a line of its own, so that versions can be compared."""
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{_json(key)}: {_json(value[key])}" for key in value) + "\n}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_json, value)) + "\n]"
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Folding:
    """Values on their way to JSON."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: dict[str, int] = {}
        self.patterns: dict[Pattern, int] = {}

    def plain(self, value: Any) -> Any:
        """A value as JSON knows it: patterns and files by number, defaults left out."""
        if isinstance(value, Pattern):
            return self.patterns.setdefault(value, len(self.patterns))
        if isinstance(value, Place):
            name = Path(value.file).relative_to(self._folder).as_posix()
            return [self.files.setdefault(name, len(self.files)), value.line, value.column]
        if is_dataclass(value):
            said = [(field, getattr(value, field.name)) for field in fields(value)]
            return {f.name: self.plain(item) for f, item in said if item != _default(f)}
        if isinstance(value, Mapping):
            return {name: self.plain(item) for name, item in value.items()}
        if isinstance(value, frozenset):
            return sorted(value)
        return [self.plain(item) for item in value] if isinstance(value, tuple | list) else value


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


if __name__ == "__main__":
    FILE.write_text(compiled(), encoding="utf-8")
