"""The C parser is only a quicker way to the same tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.assembly import PACKS, RECEIVERS
from rules.errors import Problem
from rules.source import parse

ODD = (
    "a: yes\nb: on\nc: 0o14\nd: 014\ne: 12:30:00\nf: 1_000\ng: ~\ni: True\nj: .inf\n"
    'k: 2026-11-23\nm: "é\\n"\nü: {ё: [1, 0x1F, 1e3]}\no: |\n  a\n  b\np: !foo x\n'
)


@pytest.mark.parametrize("path", [*sorted(PACKS.glob("*.yaml")), RECEIVERS], ids=lambda p: p.stem)
def test_both_parsers_agree_on_what_is_shipped(path: Path) -> None:
    """Every shipped file has the same values at the same places by either parser."""
    text = path.read_text(encoding="utf-8")
    assert parse(text, "f", [], quick=True) == parse(text, "f", [])


@pytest.mark.parametrize("text", [ODD, "a: [1\n", "a: 1\na: 2\n", "", "\t", "a: 'x"])
def test_both_parsers_say_the_same_of_odd_texts(text: str) -> None:
    """Odd scalars, tags and mistakes give the same tree and the same problems."""
    quick: list[Problem] = []
    careful: list[Problem] = []
    assert parse(text, "f", quick, quick=True) == parse(text, "f", careful)
    assert quick == careful
