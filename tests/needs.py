"""What a test needs of its machine, and the one table of what may be skipped where.

Contract: the marks `root`, `live`, `needs(PROGRAM, …)`, `browser` and `native` name a need. A test
whose need is not met is skipped by name, with what is missing; where `TABLE` says that it must not,
and for a skip of any other kind, the test fails. tests/README.md shows the table. A pytest plugin.
Failure: none of its own.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass

import pluggy
import pytest

from tests.browser import find
from tests.lab import why_not
from tests.lab.exim import why_not as no_exim

__all__ = ["TABLE", "Need"]

# an ordinary user's PATH leads to no server's programs
os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Need:
    """One row of the table."""

    mark: str
    what: str
    missing: Callable[..., str | None]
    skipped: str  # where such a test may be skipped …
    with_ci: str = "never"  # … and where with CI=true

    def may_be_skipped(self) -> bool:
        """Here and now."""
        if os.environ.get("CI") != "true":
            return True
        return self.with_ci == NOT_BUILT or (self.with_ci == NOT_DEBIAN and _system() != "debian")


def _not_root() -> str | None:
    return None if os.geteuid() == 0 else "needs root"


def _programs(*names: str) -> str | None:
    missing = [name for name in names if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def _browser() -> str | None:
    return None if find() else "no Chromium, Chrome or Firefox here that runs"


def _native() -> str | None:
    built = importlib.util.find_spec("logparse._native") is not None
    return None if built else "the native part is not built here (make native)"


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("ID", "")
    except OSError:  # it does not say
        return ""


NOT_BUILT = "where no C compiler or no header of Python is"
NOT_DEBIAN = "only where the system is not Debian (Ubuntu packages no browser)"

TABLE = (
    Need("root", "root", _not_root, "as an ordinary user"),
    Need("live", "a lab: servers in namespaces of their own", why_not,
         "as an ordinary user; where a server's program is missing or namespaces are forbidden"),
    Need("exim", "Debian's Exim, unpacked beside Postfix", no_exim,
         "as an ordinary user; where contrib/dev/exim-beside was not run"),
    Need("needs", "certain programs", _programs, "where one of them is not installed"),
    Need("browser", "Chromium, Chrome or Firefox", _browser, "where none is found that runs",
         NOT_DEBIAN),
    Need("native", "the native part", _native, NOT_BUILT, NOT_BUILT),
)  # fmt: skip

_UNMET = pytest.StashKey[Need]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here."""
    for need in TABLE:
        for mark in item.iter_markers(need.mark):
            missing = need.missing(*mark.args)
            if missing is not None:
                item.stash[_UNMET] = need
                pytest.skip(f"{need.mark}: {missing}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """Let nothing be skipped that the table does not have."""
    report = (yield).get_result()
    if report.skipped and not hasattr(report, "wasxfail"):
        need = item.stash.get(_UNMET, None)
        if need is None:
            _fail(report, "skipped for no reason that tests/README.md has")
        elif not need.may_be_skipped():
            _fail(report, "must not be skipped here (tests/README.md)")


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Generator[None, pluggy.Result[pytest.CollectReport], None]:
    """A whole file is never skipped: marks name what its tests need."""
    report = (yield).get_result()
    if report.skipped:
        _fail(report, "a file must not be skipped (tests/README.md)")


def _fail(report: pytest.TestReport | pytest.CollectReport, words: str) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{words}: {reason}"
