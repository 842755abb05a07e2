"""Which settings are only taken at a start, and which of them a reload finds changed.

Contract: pure. A field whose `metadata` has `restart` is read once, when the daemon starts.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from policyd.settings.bind import schema

__all__ = ["awaiting"]


def awaiting(running: Any, written: Any, prefix: str = "") -> Iterator[str]:
    """The names of settings that were changed and wait for the next start."""
    for name, (entry, _) in schema(type(running)).items():
        one, other = getattr(running, name), getattr(written, name)
        if is_dataclass(one):
            yield from awaiting(one, other, f"{prefix}{name}.")
        elif entry.metadata.get("restart") and one != other:
            yield prefix + name
