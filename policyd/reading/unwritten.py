"""Notices a log that is read without an error and tells of no mail, while the MTA works.

A file that was left behind by a change of the logger can be opened and has no new line for ever. A
wrong one may have lines, but none of a delivery. An MTA that asks the gate makes attempts, and each
attempt is logged within minutes.
Contract: `note` is told once a second the newest line's stamp, how many deliveries were told of and
how often the gate was asked; `why` has words for people, or "" while all is well or too little was
asked to tell (a doctor's question, or a probe's, is not mail). Failure: none.
"""

from __future__ import annotations

from policyd.settings.units import spell

__all__ = ["ASKED", "LONGER", "PATIENCE", "Unwritten"]

ASKED = 10  # questions, each by some attempt
PATIENCE = 600.0  # seconds: an attempt leaves some line sooner
LONGER = 1800.0  # and ends sooner, whatever the receiver does


class Unwritten:
    """See the module."""

    def __init__(self) -> None:
        self.why = ""
        self._lines = _Still(PATIENCE)
        self._mail = _Still(LONGER)

    def note(self, newest: float, delivered: int, asked: int, wall: float, now: float) -> None:
        """The stamp of the newest line, deliveries and questions so far, and both clocks."""
        silent, idle = self._lines.note(newest, asked, now), self._mail.note(delivered, asked, now)
        if silent:
            age = f"the newest line is {spell(max(1.0, wall - newest))} old"
            said = age if newest else "it has no line"
            self.why = f"{said}, but the MTA makes attempts: is this the log that it writes?"
        elif idle:
            self.why = (
                "lines come, but none tells of a delivery, and the MTA makes attempts: is this the"
                " log that it writes, and can it be read? `mxheed report` says what is recognised"
            )
        else:
            self.why = ""


class _Still:
    """Whether something stands still while questions come."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._mark = -1.0
        self._asked = 0
        self._base = 0  # questions before the mark changed
        self._since: float | None = None  # the first question after that

    def note(self, mark: float, asked: int, now: float) -> bool:
        """What moves while all is well, and the questions so far."""
        again, self._asked = asked < self._asked, asked
        if mark != self._mark or again:
            self._mark, self._base, self._since = mark, asked, None
            return False
        if asked > self._base and self._since is None:
            self._since = now
        waited = self._since is not None and now - self._since >= self._patience
        return waited and asked - self._base >= ASKED
