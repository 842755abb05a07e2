"""No test is skipped unseen: the table of tests/README.md is the code's, and it is enforced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import browser, needs

ROOT = Path(__file__).resolve().parents[1]


def outcome(folder: Path, body: str, **environment: str) -> str:
    """pytest's last words about a file of tests, read by the plugin that all our tests obey."""
    (folder / "test_inner.py").write_text(f"import pytest\n{body}")
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers = root\n  live\n  needs\n  browser\n  native\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.needs", "-q", "-rfEs", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "CI": "", **environment},
    )  # fmt: skip
    return done.stdout


def test_the_written_table_is_the_one_that_is_obeyed() -> None:
    """tests/README.md has exactly the rows of the code."""
    text = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    written = [
        line for line in text.splitlines() if line.startswith("| `") and line.count("|") == 5
    ]
    assert written == [
        f"| `{need.mark}` | {need.what} | {need.skipped} | {need.with_ci} |" for need in needs.TABLE
    ]


def test_a_missing_program_is_a_skip_by_name(tmp_path: Path) -> None:
    """Without CI the test is skipped, and the summary says what is missing."""
    said = outcome(tmp_path, "@pytest.mark.needs('sh', 'no-such-program')\ndef test_it(): pass\n")
    assert "1 skipped" in said
    assert "needs: not installed: no-such-program" in said


def test_with_ci_a_missing_program_is_a_failure(tmp_path: Path) -> None:
    """CI must have what the tests need."""
    body = "@pytest.mark.needs('no-such-program')\ndef test_it(): pass\n"
    said = outcome(tmp_path, body, CI="true")
    assert "1 error" in said
    assert "must not be skipped here (tests/README.md): Skipped: needs: not installed" in said


@pytest.mark.parametrize(
    "body",
    [
        "def test_it(): pytest.skip('not today')\n",
        "@pytest.mark.skip(reason='not today')\ndef test_it(): pass\n",
        "@pytest.mark.skipif(True, reason='not today')\ndef test_it(): pass\n",
        "@pytest.fixture\ndef it(): pytest.skip('not today')\ndef test_it(it): pass\n",
        "pytest.skip('not today', allow_module_level=True)\n",
        "pytest.importorskip('no_such_module', reason='not today')\n",
    ],
    ids=["call", "mark", "condition", "fixture", "file", "import"],
)
def test_any_other_skip_is_a_failure(tmp_path: Path, body: str) -> None:
    """Whichever way a test is skipped, a reason that the table lacks makes it fail."""
    said = outcome(tmp_path, body)
    assert "skipped in" not in said
    assert "(tests/README.md)" in said or "tests/README.md has" in said
    assert "not today" in said


def test_a_failure_that_is_expected_is_no_skip(tmp_path: Path) -> None:
    """xfail goes on meaning what pytest means by it."""
    said = outcome(tmp_path, "@pytest.mark.xfail\ndef test_it(): assert False\n")
    assert "1 xfailed" in said


def test_without_a_browser_only_debian_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ubuntu packages none, so its CI skips by name; Debian's must have one."""
    need = next(need for need in needs.TABLE if need.mark == "browser")
    monkeypatch.setenv("CI", "true")
    for system, forgiven in (("debian", False), ("ubuntu", True)):
        monkeypatch.setattr(needs, "_system", lambda system=system: system)
        assert need.may_be_skipped() is forgiven


def test_the_installer_looks_for_the_browsers_that_the_tests_look_for() -> None:
    """contrib/dev/test-packages installs none where one of them runs."""
    script = (ROOT / "contrib" / "dev" / "test-packages").read_text(encoding="utf-8")
    assert f"for name in {' '.join(browser.NAMES)}; do" in script


def test_a_name_that_only_points_elsewhere_is_no_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ubuntu's `firefox` without its snap says so and fails; the next name is tried."""
    for name, script in (
        ("chromium-browser", "echo 'requires the chromium snap to be installed' >&2; exit 1"),
        ("firefox", "echo 'Mozilla Firefox 140.1'"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser.find.__wrapped__() == "firefox"
    (tmp_path / "firefox").unlink()
    assert browser.find.__wrapped__() is None
