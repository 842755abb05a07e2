"""Our implementation satisfies the language-neutral vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.errors import Problem
from rules.source import Sequence, parse
from rules.vectors import VECTORS, run


def test_every_vector_holds() -> None:
    """What the specification promises in examples is what the code does."""
    count, problems = run()
    assert [str(problem) for problem in problems] == []
    assert count >= 90


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.yaml")), ids=lambda path: path.stem)
def test_vectors_have_names_of_their_own(path: Path) -> None:
    """No two vectors of a file share a name."""
    problems: list[Problem] = []
    tree = parse(path.read_text(encoding="utf-8"), path.name, problems)
    assert isinstance(tree, Sequence)
    names = [str(vector.get("name")) for vector in tree if hasattr(vector, "get")]
    assert len(set(names)) == len(tree.items)


def test_a_vector_that_does_not_hold_is_reported(tmp_path: Path) -> None:
    """The runner can fail: it names the vector, its place and the difference."""
    vectors = '- {name: odd, read: "550 x", reply: {code: 551}}\n- {name: none}\n'
    (tmp_path / "x.yaml").write_text(vectors, encoding="utf-8")
    count, problems = run(tmp_path)
    assert count == 2
    assert [problem.message for problem in problems] == [
        "odd: code is 550, expected 551",
        "none: neither 'read' nor 'hint' nor 'rules'",
    ]
