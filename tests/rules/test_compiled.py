"""Compiled rules are the rules as they are written, or nothing at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rules
from rules.check import check
from rules.compile import compiled
from rules.compiled import FILE, recall
from rules.errors import Problem
from rules.loader import PACKS, RECEIVERS, assemble, build, mark, shipped

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


def test_the_compiled_rules_are_up_to_date() -> None:
    """`python -m rules.compile` would change nothing."""
    assert FILE.read_text(encoding="utf-8") == compiled()


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
def test_what_is_not_whole_and_of_these_files_is_not_used(damage: str, tmp_path: Path) -> None:
    """A damaged or outdated file is as good as none."""
    text = FILE.read_text(encoding="utf-8")
    file = tmp_path / "compiled.json"
    now = mark(FILES, TABLE)
    assert recall(now, HERE) is not None
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
    assert known.disabled == written.disabled == {"generic-flow.busy"}
    found: list[Problem] = check(known, site=True)
    assert found == check(written, site=True)
    assert found


def test_no_pattern_is_taken_apart_again() -> None:
    """The classifier knows the literals of every shipped pattern from the start."""
    known = rules.load()
    assert set(rules.Classifier(known).probes) == set(known.probes)


def test_a_start_reads_no_yaml() -> None:
    """What is only needed for a site file, or for a mistake, is not even loaded."""
    start = (
        "import sys, rules; rules.Classifier(rules.load()).classify('550 5.1.1 user unknown');"
        "print(*{'ruamel.yaml', 'difflib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
