"""The JSON Schema for editors says the same as the loader, as far as a schema can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from rules.assembly import PACKS, RECEIVERS, File, build
from rules.errors import Problem
from rules.schema import FILE, schema
from rules.source import parse
from rules.vectors import plain

DATA = Path(__file__).parent / "data"
TABLE = File(str(RECEIVERS), RECEIVERS.read_text(encoding="utf-8"), trusted=True)
VALIDATOR = jsonschema.Draft202012Validator(json.loads(FILE.read_text(encoding="utf-8")))


def _files(kind: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((DATA / kind).glob("*.yaml"))]


def _load(path: Path) -> list[Problem]:
    return build([File(path.name, path.read_text(encoding="utf-8"))], TABLE)[1]


def _valid(path: Path) -> bool:
    tree = parse(path.read_text(encoding="utf-8"), path.name, [])
    assert tree is not None
    return bool(VALIDATOR.is_valid(plain(tree)))


def test_the_schema_file_is_up_to_date() -> None:
    """`python -m rules.schema` would change nothing."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == schema()


def test_the_schema_is_a_schema() -> None:
    """It is valid by its own standard."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", _files("good"))
def test_both_accept_what_is_right(path: Path) -> None:
    """A right file has no mistakes for either."""
    assert [str(problem) for problem in _load(path)] == []
    assert _valid(path)


@pytest.mark.parametrize("path", _files("bad"))
def test_both_refuse_what_is_wrong(path: Path) -> None:
    """A file that is wrong in its form is refused by both."""
    assert _load(path)
    assert not _valid(path)


@pytest.mark.parametrize("path", _files("beyond"))
def test_the_loader_refuses_what_no_schema_can_see(path: Path) -> None:
    """Mistakes beyond the form of one file are the loader's."""
    assert _load(path)


@pytest.mark.parametrize("path", sorted(PACKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_pack_is_valid(path: Path) -> None:
    """Editors find nothing to complain about in what we ship."""
    tree = parse(path.read_text(encoding="utf-8"), path.name, [])
    assert tree is not None
    errors = [error.message for error in VALIDATOR.iter_errors(plain(tree))]
    assert errors == []
