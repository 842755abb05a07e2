"""The shipped rules as values, made in advance: a start must not wait for YAML.

Contract: `recall` gives back what `rules.compile` wrote into `__pycache__`, if that was made from
exactly the files at hand, by exactly this code. So it may be outdated, damaged or missing, and
nothing but time is lost. Who can write there can change the code as well: it is as safe as that.
Failure: `recall` returns None, and whoever asked reads the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rules.model import NOTHING, Example, Pattern, Rule, When, Written
from rules.probe import Clues
from rules.receivers import Receiver, indexed
from rules.source import Place

__all__ = ["FILE", "digest", "recall"]

_HERE = Path(__file__).parent
FILE = _HERE / "__pycache__" / "rules.json"


def digest(texts: Iterable[tuple[str, str]]) -> str:
    """What tells these files, by name and text, from any others; the code of `rules` included."""
    state = blake2b(digest_size=16)
    for module in sorted(_HERE.glob("*.py")):
        state.update(module.read_bytes())
    for name, text in texts:
        body = text.encode()
        state.update(b"%s %d\n" % (name.encode(), len(body)))
        state.update(body)
    return state.hexdigest()


def recall(mark: str, folder: Path, file: Path = FILE) -> Written | None:
    """What was read from the files of this digest, below `folder`."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(raw, dict) or raw.get("digest") != mark:
        return None
    return _Unfolding(raw, folder).written()


class _Unfolding:
    """JSON on its way back to values; what is absent is as its class has it."""

    def __init__(self, raw: dict[str, Any], folder: Path) -> None:
        self._raw = raw
        self._files = [str(folder / name) for name in raw["files"]]
        self._patterns = [
            Pattern(text, self._place(at), kind) for text, at, kind in raw["patterns"]
        ]

    def written(self) -> Written:
        """All of it."""
        raw = self._raw
        return Written(
            rules=[self._rule(row) for row in raw["rules"]],
            phrases={name: self._several(items) for name, items in raw["phrases"].items()},
            places={name: self._place(at) for name, at in raw["places"].items()},
            receivers=indexed([self._receiver(row) for row in raw["receivers"]], []),
            probes={
                text: Clues(frozenset(literals), exact, frozenset(also))
                for text, (literals, exact, also) in raw["probes"].items()
            },
        )

    def _place(self, at: list[int]) -> Place:
        number, line, column = at
        return Place(self._files[number], line, column)

    def _several(self, numbers: list[int]) -> tuple[Pattern, ...]:
        return tuple([self._patterns[number] for number in numbers])

    def _receiver(self, row: dict[str, Any]) -> Receiver:
        row["place"] = self._place(row["place"])
        for key in ("exact", "suffix", "domains"):
            row[key] = tuple(row[key])
        return Receiver(**row)

    def _rule(self, row: dict[str, Any]) -> Rule:
        row["place"] = self._place(row["place"])
        row["when"] = self._when(row["when"])
        for key in ("examples", "near"):
            row[key] = tuple([self._example(example) for example in row.get(key, ())])
        if "captures" in row:
            captures = {kind: self._patterns[number] for kind, number in row["captures"].items()}
            row["captures"] = MappingProxyType(captures)
        return Rule(**row)

    def _when(self, row: dict[str, Any]) -> When:
        for key in ("any", "all", "none"):
            if key in row:
                row[key] = self._several(row[key])
        for key in ("receivers", "mx"):
            if key in row:
                row[key] = tuple(row[key])
        if "also" in row:
            row["also"] = tuple(map(self._several, row["also"]))
        for key in ("codes", "enhanced", "stages", "origins", "inner"):
            if key in row:
                row[key] = frozenset(row[key])
        return When(**row)

    def _example(self, row: list[Any]) -> Example:
        reply, at, mx, receiver, stage, origin, retry, captures, flags, suppress = row
        place, flags = self._place(at), None if flags is None else tuple(flags)
        captures = MappingProxyType(captures) if captures else NOTHING
        return Example(reply, place, mx, receiver, stage, origin, retry, captures, flags, suppress)
