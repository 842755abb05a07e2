"""Numbers in the documents are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from policyd.config import Config
from policyd.settings.bind import schema
from policyd.settings.units import duration

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# a setting and, soon after it, its default: `serve.max_connections` per hook (4,096)
FORM = re.compile(
    r"`([a-z]+(?:[._][a-z]+)*)`[^`|.;()]{0,60}\(([0-9][0-9,.]*)( ?[a-z]+)?(?: by default)?\)"
)
UNITS = {"min": "m", "minutes": "m", "hours": "h", "seconds": "s", "days": "d"}


def settings(cls: type[Any] = Config, path: str = "") -> Iterator[tuple[str, object]]:
    """Every setting with a plain default, by its path."""
    for name, (entry, kind) in schema(cls).items():
        if is_dataclass(kind) and isinstance(kind, type):
            yield from settings(kind, f"{path}{name}.")
        elif entry.default is not MISSING:
            yield f"{path}{name}", entry.default


SETTINGS = dict(settings())


def told() -> Iterator[tuple[str, str, float]]:
    """Each default that a document names: where, which setting, how much."""
    for path in DOCUMENTS:
        for name, number, unit in FORM.findall(" ".join(path.read_text("utf-8").split())):
            if any(f".{known}".endswith(f".{name}") for known in SETTINGS):
                amount, unit = number.replace(",", ""), unit.strip()
                value = duration(amount + UNITS.get(unit, unit)) if unit else float(amount)
                yield path.name, name, value


TOLD = list(told())


def test_the_form_is_found() -> None:
    """The documents name defaults in this form, and the test sees them."""
    assert {"serve.max_connections", "metrics.receivers", "free_after"} <= {one[1] for one in TOLD}


@pytest.mark.parametrize(("document", "name", "value"), TOLD)
def test_a_default_in_the_documents_is_that_of_the_code(
    document: str, name: str, value: float
) -> None:
    """`setting` (N) means N; where several settings are called so, one of them."""
    known = {path: default for path, default in SETTINGS.items() if f".{path}".endswith(f".{name}")}
    assert value in known.values(), (document, known)
