"""What all tests share: the labs, and the promise that a live test is never skipped unseen.

Contract: a test marked `live` is skipped by name, with the reason, where a lab cannot run; with
CI=true in the environment a skipped live test is a failure. `lab` is a private Postfix (Debian's
own master.cf, contrib/postfix's default fragments) that is emptied after each test.
Failure: a lab that does not start fails the tests that want it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pluggy
import pytest
from hypothesis import settings

from tests.lab import Lab, why_not

# how long one example takes says how busy the machine is, not whether the promise holds
settings.register_profile("mxheed", deadline=None)
settings.load_profile("mxheed")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip live tests where no lab can be had."""
    reason = why_not() if item.get_closest_marker("live") else None
    if reason is not None:
        pytest.skip(f"live test: {reason}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """With CI=true, turn the skip of a live test into a failure; show a failed one's logs."""
    outcome = yield
    report = outcome.get_result()
    used = getattr(item, "funcargs", {}).values()
    lab = next((one for one in used if isinstance(one, Lab)), None)
    if report.failed and lab is not None and lab.directory.exists():  # not yet torn down
        report.sections += lab.story()
    if report.skipped and os.environ.get("CI") == "true" and item.get_closest_marker("live"):
        report.outcome = "failed"
        report.longrepr = f"a live test must not be skipped here: {report.longrepr}"


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
