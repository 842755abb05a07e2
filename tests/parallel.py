"""Who runs what when pytest has several processes (pytest-xdist): `make test` gives it two.

Contract: the tests of tests/live are one process's work, one after another, from the beginning:
they have deadlines, and take as long as all others. Those are given out by files. Without `-n`, or
without pytest-xdist, nothing happens. A pytest plugin.
Failure: none of its own.
"""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["scope"]


def scope(name: str) -> str:
    """What a test is kept together with."""
    return "tests/live" if name.startswith("tests/live/") else name.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Scopes in the order of their files, so that what takes longest is not begun last."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        """By file, and the live ones together."""

        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)
