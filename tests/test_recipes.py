"""CONTRIBUTING.md: its recipes are carried out, as they stand, in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = {
    part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:] if part.startswith("Add ")
}
BELOW = re.compile(r"In\s+`([^`\n]+)`, below `([^\n]+)`:\n\n```\w+\n(.*?)^```$", re.M | re.S)
BELOW_NEXT = re.compile(r"\n`([^`\n]+)`, below `([^\n]+)`:\n\n```\w+\n(.*?)^```$", re.M | re.S)
NEW = re.compile(r"^New file `([^`\n]+)`:\n\n```\w+\n(.*?)^```$", re.M | re.S)
CHECK = re.compile(r"^Check:\n\n```sh\n(.*?)^```$", re.M | re.S)
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "var")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a newcomer has, with the tools of this environment."""
    copy = tmp_path / "mxheed"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


def _below(tree: Path, name: str, line: str, added: str) -> None:
    path = tree / name
    before, found, after = path.read_text("utf-8").partition(f"{line}\n")
    assert found, f"{name} has no line {line!r}"
    path.write_text(before + found + added + after, "utf-8")


def _check(tree: Path, recipe: str) -> subprocess.CompletedProcess[str]:
    commands = CHECK.findall(recipe)
    assert len(commands) == 1
    # the copy goes before what is installed
    environ = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands[0]],
        cwd=tree, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_there_are_five_recipes() -> None:
    """A receiver, a rule, a log shape, a metric, a hook."""
    assert list(RECIPES) == [
        "Add a receiver", "Add a rule", "Add a log shape", "Add a metric", "Add a Postfix hook",
    ]  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_does_what_it_says(name: str, tree: Path) -> None:
    """The edits can be made and the check passes; without them, it does not."""
    recipe = RECIPES[name]
    edits = {*BELOW.findall(recipe), *BELOW_NEXT.findall(recipe)}
    files = NEW.findall(recipe)
    blocks = len(re.findall(r"^```\w", recipe, re.M))
    assert len(edits) + len(files) + 1 == blocks, "a block that nobody tries"
    if name != "Add a metric":  # whose tests are those that are there
        assert _check(tree, recipe).returncode, "the check says yes to anything"
    for path, text in files:
        assert not (tree / path).exists()
        (tree / path).write_text(text, "utf-8")
    for path, line, added in edits:
        _below(tree, path, line, added)
    done = _check(tree, recipe)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("left_out", ["docs/metrics.md", "contrib/grafana/source/itself.py"])
def test_the_check_of_a_metric_misses_no_file(left_out: str, tree: Path) -> None:
    """A metric without words or without a panel fails its check."""
    recipe = RECIPES["Add a metric"]
    for path, line, added in {*BELOW.findall(recipe), *BELOW_NEXT.findall(recipe)}:
        if path != left_out:
            _below(tree, path, line, added)
    done = _check(tree, recipe)
    assert done.returncode
    assert "mxheed_harbour_berths" in done.stdout
