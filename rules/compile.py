"""Writes the shipped rules as values, with the literals of their patterns, for `rules.compiled`.

Contract: done by itself, as Python compiles modules: by whoever may write beside them and finds
nothing up to date. `python -m rules.compile` does it for others who may not (packagers).
Failure: `RulesError` if the shipped files have mistakes; `keep` puts up with any file error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from rules.assembly import HERE, PACKS, RECEIVERS, add, mark, shipped, table_of
from rules.classifier import Classifier
from rules.compiled import FILE, recall
from rules.errors import Problem, RulesError
from rules.model import Example, Pattern
from rules.source import Place

__all__ = ["compiled", "keep", "write"]


def keep(file: Path = FILE) -> None:
    """Write the file, if Python itself would write one there."""
    if not sys.dont_write_bytecode and os.access(file.parent, os.W_OK):
        with suppress(OSError):
            write(file)


def write(file: Path = FILE) -> None:
    """Write the file as a whole: who reads it meanwhile finds the old one."""
    file.parent.mkdir(exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        draft.write_text(compiled(), encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def compiled() -> str:
    """What the file has to hold."""
    problems: list[Problem] = []
    files, table = shipped(PACKS, RECEIVERS, problems)
    written = table_of(table, problems)
    ruleset, _ = add(files, written, problems)
    if problems:
        raise RulesError("the shipped rules do not load:", problems)
    folding = _Folding(PACKS.parent)
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
    patterns = [
        [pattern.text, folding.plain(pattern.place), pattern.kind] for pattern in folding.patterns
    ]
    made = {
        "digest": mark(files, table),
        "files": list(folding.files),
        "patterns": patterns,
        **made,
    }
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


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
        if isinstance(value, Example):
            return [self.plain(item) for item in value]
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
    if recall(mark(*shipped(PACKS, RECEIVERS, [])), HERE) is None:
        write()
