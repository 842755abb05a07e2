"""Compiled rules are the rules as they are written, or nothing at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rules
from rules.assembly import PACKS, RECEIVERS, build, mark, shipped
from rules.check import check
from rules.compile import compiled, keep, write
from rules.compiled import FILE, recall
from rules.errors import Problem
from rules.loader import assemble

HERE = PACKS.parent
FILES, TABLE = shipped(PACKS, RECEIVERS, [])
SITE = """
mxheed: 1
pack: site
disable: [generic-flow.busy]
phrases:
  speaks.later: [soon]
  site.words: ["quite full today"]
rules:
  - id: site.full
    category: flow.busy
    when: {text: [{phrases: site.words}, {phrases: speaks.never}, {phrases: speaks.never}]}
    examples: ["451 quite full today"]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped rules, compiled."""
    path = tmp_path_factory.mktemp("compiled") / "__pycache__" / "rules.json"
    write(path)
    return path


@pytest.fixture(scope="module")
def kept() -> None:
    """The shipped rules, compiled where a start looks for them."""
    write()


def test_a_start_compiles_what_it_finds_outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write beside the modules makes the file anew, whole, and reads no YAML again."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    FILE.unlink(missing_ok=True)
    rules.load()
    assert FILE.read_text(encoding="utf-8") == compiled()
    assert list(FILE.parent.glob("rules.json*")) == [FILE]
    assert rules.load().probes


@pytest.mark.parametrize("hindrance", ["a read-only folder", "PYTHONDONTWRITEBYTECODE"])
def test_nothing_is_written_where_python_would_not(
    hindrance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file, no complaint."""
    if hindrance == "a read-only folder":
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        monkeypatch.setattr("os.access", lambda path, mode: False)
    else:
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
    keep(tmp_path / "rules.json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_fails_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a folder where the file should be: the rules load all the same."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "rules.json").mkdir()
    keep(tmp_path / "rules.json")
    assert [path.name for path in tmp_path.iterdir()] == ["rules.json"]


@pytest.mark.usefixtures("kept")
def test_compiled_rules_are_the_written_ones() -> None:
    """Every field of every rule, phrase list and receiver is as the YAML says, places included."""
    known, problems = assemble()
    written, mistakes = build(FILES, TABLE)
    assert problems == mistakes == []
    assert known.probes
    assert not written.probes
    assert known.rules == written.rules
    assert known.receivers == written.receivers
    assert known.phrases == written.phrases


@pytest.mark.parametrize("damage", ["missing", "empty", "half", "a list", "another digest"])
def test_what_is_not_whole_and_of_these_files_is_not_used(
    damage: str, file: Path, tmp_path: Path
) -> None:
    """A damaged or outdated file is as good as none."""
    text = file.read_text(encoding="utf-8")
    now = mark(FILES, TABLE)
    assert recall(now, HERE, file) is not None
    file = tmp_path / "rules.json"
    if damage != "missing":
        changed = {"empty": "", "half": text[: len(text) // 2], "a list": "[]"}
        file.write_text(changed.get(damage, text.replace(now, "0" * 32)), encoding="utf-8")
    assert recall(now, HERE, file) is None


def test_a_changed_pack_is_read_anew() -> None:
    """One letter more in any file, or another name, and the digest is another one."""
    now = mark(FILES, TABLE)
    for place, file in enumerate(FILES):
        others = [*FILES[:place], file._replace(text=file.text + "#"), *FILES[place + 1 :]]
        assert mark(others, TABLE) != now
    assert mark(FILES, TABLE._replace(text=TABLE.text + "#")) != now
    assert mark([file._replace(name=file.name + "x") for file in FILES], TABLE) != now


def test_a_site_file_meets_the_same_rules(tmp_path: Path) -> None:
    """Beside compiled rules a site file's mistakes are the same ones, with the same places."""
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    site = FILES[0]._replace(name=str(path), text=SITE, site=True, trusted=False)
    known, problems = assemble([path])
    written, mistakes = build([*FILES, site], TABLE)
    assert problems == mistakes
    assert [problem.message.partition(" (")[0] for problem in problems] == [
        "phrases 'speaks.later' exist already"
    ]
    assert known.rules == written.rules
    assert set(known.disabled) == set(written.disabled) == {"generic-flow.busy"}
    found: list[Problem] = check(known, site=True)
    assert found == check(written, site=True)
    assert found


@pytest.mark.usefixtures("kept")
def test_no_pattern_is_taken_apart_again() -> None:
    """The classifier knows the literals of every shipped pattern from the start."""
    known = rules.load()
    assert set(rules.Classifier(known).probes) == set(known.probes)


@pytest.mark.usefixtures("kept")
def test_a_start_reads_no_yaml() -> None:
    """What is only needed for a site file, or for a mistake, is not even loaded."""
    start = (
        "import sys, rules; rules.Classifier(rules.load()).classify('550 5.1.1 user unknown');"
        "print(*{'ruamel.yaml', 'difflib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
