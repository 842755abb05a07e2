"""Notices a log that is read without an error and that nobody writes, while the MTA works.

A file that was left behind by a change of the logger can be opened and has no new line for ever.
An MTA that asks the gate makes attempts, and each attempt is logged within minutes.
Contract: `note` is told once a second the newest line's stamp and how often the gate was asked;
`why` has words for people, or "" while all is well or too little was asked to tell (a doctor's
question, or a probe's, is not mail). Failure: none.
"""

from __future__ import annotations

from policyd.settings.units import spell

__all__ = ["ASKED", "PATIENCE", "Unwritten"]

ASKED = 10  # questions, each by some attempt
PATIENCE = 600.0  # seconds: an attempt ends sooner


class Unwritten:
    """See the module."""

    def __init__(self) -> None:
        self.why = ""
        self._newest = -1.0
        self._base = 0  # questions before the newest line came
        self._since: float | None = None  # the first question after that

    def note(self, newest: float, asked: int, wall: float, now: float) -> None:
        """The stamp of the newest line, questions so far, and both clocks."""
        if newest != self._newest or asked < self._base:
            self._newest, self._base, self._since, self.why = newest, asked, None, ""
            return
        if asked > self._base and self._since is None:
            self._since = now
        if self._since is None or now - self._since < PATIENCE or asked - self._base < ASKED:
            return
        age = (
            f"the newest line is {spell(max(1.0, wall - newest))} old"
            if newest
            else "it has no line"
        )
        self.why = f"{age}, but the MTA makes attempts: is this the log that it writes?"
