"""The specification and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from rules.captures import KINDS
from rules.fields import EXAMPLE_KEYS, FLAGS
from rules.language import RULE_KEYS, VERSION, WHEN_KEYS
from rules.model import STAGES
from rules.reply import LIMIT
from rules.taxonomy import CATEGORIES, SCOPES, STANCES
from rules.verdict import Flag, Scope, Stance

SPEC = (Path(__file__).parents[2] / "rules" / "SPEC.md").read_text(encoding="utf-8")


def test_the_version_is_the_one_the_loader_takes() -> None:
    """The document has a version and a date."""
    assert re.search(rf"^Version {VERSION} · 20\d\d-\d\d-\d\d$", SPEC, re.MULTILINE)


def test_every_category_is_specified() -> None:
    """The table of categories is the taxonomy, row by row."""
    rows = re.findall(
        r"^\| `([a-z.]+)` \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (.+) \|$", SPEC, re.M
    )
    table = {row[0]: row[1:] for row in rows if row[0] in CATEGORIES}
    assert table == {name: tuple(category) for name, category in CATEGORIES.items()}


def test_every_key_is_specified() -> None:
    """No key of the language is missing from the document."""
    words = [*RULE_KEYS, *WHEN_KEYS, *EXAMPLE_KEYS, *FLAGS, *KINDS, *SCOPES, *STANCES]
    assert [word for word in words if f"`{word}`" not in SPEC] == []
    assert all(f'"{stage}"' in SPEC for stage in STAGES)
    assert str(LIMIT) in SPEC


def test_closed_lists_are_the_types() -> None:
    """The words the language allows are the words the verdict's types allow."""
    assert set(SCOPES) == set(get_args(Scope))
    assert set(STANCES) == set(get_args(Stance))
    assert set(FLAGS) == set(get_args(Flag))
