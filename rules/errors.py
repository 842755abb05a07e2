"""What can go wrong in this package, as a tree.

    RulesError              the rules could not be loaded, or one of them does not hold
    └── UnknownRule         a rule id that no file declares

Contract: `RulesError.problems` holds every mistake found, in file order; its text is one line each.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Problem", "RulesError", "UnknownRule"]


class Problem(NamedTuple):
    """One mistake and the place where it stands (line and column count from 1)."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class RulesError(Exception):
    """The rules cannot be used as they are."""

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.problems = list(problems)
        super().__init__("\n".join([message, *map(str, self.problems)]))


class UnknownRule(RulesError):
    """A rule was asked for by an id that does not exist."""
