"""What all tests share: the labs, and the rules of skipping (tests/needs.py).

Contract: `lab` is a private Postfix (Debian's
own master.cf, contrib/postfix's default fragments) that is emptied after each test.
Failure: a lab that does not start fails the tests that want it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pluggy
import pytest
from hypothesis import settings

from tests import needs, parallel, twice
from tests.lab import Lab

# no test is as wide as the terminal it was started from (pytest-xdist tells its workers this way)
os.environ.pop("COLUMNS", None)

# how long one example takes says how busy the machine is, not whether the promise holds
settings.register_profile("mxheed", deadline=None)
settings.load_profile("mxheed")


def pytest_configure(config: pytest.Config) -> None:
    """Matters of their own: what may be skipped where, second tries, several processes."""
    config.pluginmanager.register(needs)
    config.pluginmanager.register(twice)
    config.pluginmanager.register(parallel)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """Show the logs of a failed test's lab."""
    report = (yield).get_result()
    used = getattr(item, "funcargs", {}).values()
    lab = next((one for one in used if isinstance(one, Lab)), None)
    if report.failed and lab is not None and lab.directory.exists():  # not yet torn down
        report.sections += lab.story()


@pytest.fixture(scope="session")
def _debian_lab() -> Iterator[Lab]:
    with Lab("debian") as lab:
        lab.configure()
        lab.postfix.start()
        yield lab


@pytest.fixture
def lab(_debian_lab: Lab) -> Iterator[Lab]:
    """The private Postfix, chrooted the Debian way, with an empty queue."""
    yield _debian_lab
    _debian_lab.reset()


@pytest.fixture
def stock_lab(_debian_lab: Lab) -> Iterator[Lab]:
    """The same Postfix as its distribution ships it, knowing nothing of mxheed."""
    _debian_lab.postfix.configure()
    _debian_lab.postfix.restart()
    yield _debian_lab
    _debian_lab.configure()
    _debian_lab.reset()
    _debian_lab.postfix.restart()


@pytest.fixture(scope="module")
def flat_lab() -> Iterator[Lab]:
    """A Postfix of its own in which nothing is chrooted."""
    with Lab("flat") as lab:
        lab.configure()
        lab.postfix.start()
        yield lab
