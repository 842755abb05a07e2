"""What contrib/dev/test-twice must know of a run, and what a second try must say of itself.

Contract: with MXHEED_TESTS_TOLD set to a path, the run leaves there as JSON its exit status and the
names of the tests that passed and that failed; a run that did not come to its end leaves nothing,
or a status that is not 1. With MXHEED_TESTS_AGAIN, which tells how the first try ended, the summary
says above pytest's last line that this was a second try, and what passed in it. Both variables are
for this run only, not for a pytest that a test starts. A pytest plugin.
Failure: what cannot be written is pytest's internal error, and so the end of the run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

__all__ = ["Told"]


class Told:
    """The outcomes of one run."""

    def __init__(self, path: str, first: str) -> None:
        self._path, self._first = Path(path), first
        self._passed: set[str] = set()
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every stage counts: a test whose teardown fails has failed."""
        name = report.nodeid
        if report.failed:
            self._failed.add(name)
        elif report.when == "call" and report.passed:
            self._passed.add(name)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Leave the outcome for who asked; pytest's -x is no end."""
        broken_off = bool(session.shouldfail or session.shouldstop)
        outcome = {
            "status": int(pytest.ExitCode.INTERRUPTED if broken_off else exitstatus),
            "passed": sorted(self._passed - self._failed),
            "failed": sorted(self._failed),
        }
        self._path.write_text(json.dumps(outcome), encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say aloud what only a second try made green."""
        if not self._first:
            return
        terminalreporter.section("second try", sep="=", bold=True)
        terminalreporter.write_line(f"second try: at the first, {self._first}")
        for word, names in (("PASSED", self._passed - self._failed), ("FAILED", self._failed)):
            for name in sorted(names):
                terminalreporter.write_line(f"second try: {word}  {name}")


def pytest_configure(config: pytest.Config) -> None:
    """Watch only where somebody asked; the workers of a parallel run have been asked nothing."""
    path, first = (os.environ.pop(f"MXHEED_TESTS_{name}", "") for name in ("TOLD", "AGAIN"))
    if path:
        config.pluginmanager.register(Told(path, first))
