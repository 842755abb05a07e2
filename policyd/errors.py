"""The exception tree of the daemon and its commands.

    MxheedError            something the operator can mend; its text says what to do
    ├── ConfigError        the configuration has mistakes; `problems` lists all of them
    ├── ListenError        a socket could not be opened
    │   └── InUseError     somebody else listens there
    ├── StoreError         the state file could not be used
    └── ControlError       the running daemon could not be asked, or refused

`policyd.cli.main` is the one place that turns them (and the roots of `rules` and `logparse`)
into a line on stderr and an exit code.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ConfigError", "ControlError", "InUseError", "ListenError", "MxheedError", "StoreError"]


class MxheedError(Exception):
    """Something the operator can mend; the text says what to do."""


class ConfigError(MxheedError):
    """The configuration has mistakes; the text lists all of them, a line each."""

    def __init__(self, problems: Sequence[object]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ListenError(MxheedError):
    """A socket could not be opened."""


class InUseError(ListenError):
    """Somebody else listens there."""


class StoreError(MxheedError):
    """The state file could not be used."""


class ControlError(MxheedError):
    """The running daemon could not be asked, or refused."""
