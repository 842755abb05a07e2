"""A second try mends only what an accident broke, and never in silence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIRST = "import pytest\nfrom pathlib import Path\nseen = Path('seen')\n"
ONCE = "first = not seen.exists(); seen.touch()\n    "  # in a test: is this its first run?
FLAKY = f"{FIRST}def test_steady(): pass\ndef test_it():\n    {ONCE}assert not first\n"


def tried(folder: Path, tests: str, *recipe: str, workers: int = 0) -> tuple[int, str]:
    """What test-twice gives in a checkout with these tests: exit status and output."""
    (folder / "test_inner.py").write_text(tests)
    (folder / "conftest.py").write_text("pytest_plugins = ['tests.twice']\n")
    parallel = f" -p xdist -n {workers}" if workers else ""
    lines = recipe or (f"{sys.executable} -m pytest{parallel}",)
    (folder / "Makefile").write_text("test:\n" + "".join(f"\t@{line}\n" for line in lines))
    (folder / "pytest.ini").write_text("[pytest]\n")
    ours = {"VENV": str(Path(sys.executable).parents[1]), "PYTHONPATH": str(ROOT)}
    ours["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # it starts faster
    done = subprocess.run(
        [sys.executable, ROOT / "contrib" / "dev" / "test-twice"],
        cwd=folder, env=os.environ | ours, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_what_passes_at_once_is_not_tried_again(tmp_path: Path) -> None:
    """A green run is `make test` and nothing else."""
    code, said = tried(tmp_path, "def test_it(): pass\n")
    assert (code, "second try" in said) == (0, False)


@pytest.mark.parametrize(
    ("mark", "workers"),
    [
        ("pytest.mark.parametrize('x', ['a b[c]::d@live'])", 0),
        ("pytest.mark.xfail(False, reason='')", 2),
    ],
    ids=["a strange name", "of a parallel run"],
)
def test_an_accident_is_told_above_pytests_last_line(
    tmp_path: Path, mark: str, workers: int
) -> None:
    """Only what failed runs again, whatever its name; the table names it, and pytest ends it."""
    body = FLAKY.replace("def test_it():", f"@{mark}\ndef test_it({'x' * ('param' in mark)}):")
    code, said = tried(tmp_path, body, workers=workers)
    assert code == 0, said
    assert "second try: at the first, 1 passed, 1 failed\n" in said
    assert "second try: PASSED  test_inner.py::test_it" in said
    assert said.splitlines()[-1].strip("= ").startswith("1 passed")


@pytest.mark.parametrize(
    ("tests", "why"),
    [
        ("def test_it(): assert False\n", "failed at both tries: test_inner.py::test_it"),
        (FLAKY.replace("assert not first", "assert not first; pytest.skip()"),
         "failed at both tries: test_inner.py::test_it"),
        (f"{FIRST}@pytest.fixture\ndef end():\n    yield\n    {ONCE}assert 0\n"
         "def test_it(end): pass\n", "failed at both tries: test_inner.py::test_it"),
        (f"{FIRST}if not seen.exists():\n    def test_it():\n        seen.touch(); assert 0\n",
         "failed at both tries: test_inner.py::test_it"),
        (f"{FIRST}@pytest.mark.parametrize('x', range(21))\ndef test_it(x): assert 0\n",
         "21 tests failed: too many for a second try"),
        (FLAKY.replace("assert not first", "if first: raise KeyboardInterrupt"),
         "not by tests that could be tried again"),
        (FLAKY.replace("assert not first", "if first: assert 0") + "x = [\n",
         "not by tests that could be tried again"),
    ],
    ids=["fails", "is skipped", "teardown", "is gone", "many", "interrupted", "not collected"],
)  # fmt: skip
def test_what_is_no_accident_fails(tmp_path: Path, tests: str, why: str) -> None:
    """A test that fails twice, one that does not run again, and a run that broke off."""
    code, said = tried(tmp_path, tests)
    assert code == 1
    assert why in said.splitlines()[-1]


@pytest.mark.parametrize(
    "recipe",
    [
        ("false", "{pytest}"),  # a linter, before the tests
        ("{pytest}", "false"),  # something after them
        ("{pytest} -x",),  # not all were run
        ("timeout -s KILL 1 {pytest}",),  # killed
    ],
)
def test_what_failed_in_an_earlier_run_excuses_nothing(
    tmp_path: Path, recipe: tuple[str, ...]
) -> None:
    """A list of failures that was left lying about is not tried instead of this run's tests."""
    tried(tmp_path, FLAKY)
    tests = f"{FIRST}import time\ndef test_it(): assert 'slow' not in str(seen); time.sleep(SLOW)\n"
    slow = "timeout" in recipe[0]
    tests = tests.replace("SLOW", "60" if slow else "0")
    if "-x" in recipe[0]:
        (tmp_path / "seen").unlink()
        tests = FLAKY + "def test_more(): pass\n"
    command = f"{sys.executable} -m pytest"
    code, said = tried(tmp_path, tests, *(line.format(pytest=command) for line in recipe))
    assert code == 1
    assert said.splitlines()[-1].endswith("not by tests that could be tried again")


@pytest.mark.parametrize(
    ("machine", "bare", "code", "told"),
    [
        ("7 passed", "8 passed", 0, ["8 passed"]),
        ("second try: PASSED  x\n1 passed", "8 passed", 0,
         ["CI: these needed a second try:",
          "make test on this machine:second try: PASSED  x", "8 passed"]),
        ("7 passed\nfalse", "8 passed", 1, ["8 passed", "CI: this was not done, or failed: "
         "make test on this machine (after N s)"]),
    ],
    ids=["passed", "at the second try", "failed"],
)  # fmt: skip
def test_ci_ends_with_pytests_line_or_with_what_failed(
    tmp_path: Path, machine: str, bare: str, code: int, told: list[str]
) -> None:
    """Both machines are tried whatever the first says; who reads only the end knows all of it."""
    for path, said in (("test-twice", machine), ("fresh-machine", bare)):
        program = tmp_path / "contrib" / "dev" / path
        program.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(
            f"echo '{line}'\n" if line != "false" else "exit 1\n" for line in said.splitlines()
        )
        program.write_text(f"#!/bin/sh\n{lines}")
        program.chmod(0o755)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    done = subprocess.run(
        [tmp_path / ".ci" / "run"], check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == code
    said = re.sub(r"after \d+ s", "after N s", done.stdout)
    assert said.splitlines()[-len(told) :] == told
