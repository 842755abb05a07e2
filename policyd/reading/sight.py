"""Whether we see what becomes of mail: who does not see must hold nothing.

Contract: the follower reports each reading of the log, `tend` is called once a second. While no log
was opened yet, hooks must give their safe answers (`blind`): what was learnt before may be about
anything. A log that was opened and is lost leaves the lanes their state for `PATIENCE`; then it is
`blind` as well, and given up (`lost`): what is held shall be let go. The first reading that
succeeds ends both. `why` has words for people.
Failure: none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from policyd.settings.units import spell

__all__ = ["PATIENCE", "Sight"]

_log = logging.getLogger(__name__)

PATIENCE = 300.0  # seconds: a rotation gone wrong is mended sooner, a lane's state hardly older


class Sight:
    """See the module."""

    def __init__(self, now: float) -> None:
        self.blind = True  # asked for each answer
        self.lost = False
        self.on_lost: Callable[[], None] = lambda: None
        self._trouble = "no log was opened yet"
        self._since: float | None = now  # when the log was lost; None: it is not

    @property
    def why(self) -> str:
        """Why hooks give safe answers, or will soon; "": all is well."""
        if self._since is None:
            return ""
        if self.blind:
            return f"{self._trouble}: nothing is held, every hook gives its safe answer"
        return (
            f"{self._trouble}: lanes keep their state for {spell(PATIENCE)}, then nothing is held"
        )

    def report(self, trouble: str | None, now: float) -> None:
        """How a reading of the log went."""
        if trouble is not None:
            self._trouble = trouble
            self._since = now if self._since is None else self._since
            return
        if self._since is None:
            return
        if self.lost:
            _log.warning("the log is read again: mail is paced again")
        self._since, self.blind, self.lost = None, False, False

    def tend(self, now: float) -> None:
        """Give a log up that is away for too long."""
        if self.lost or self._since is None or now - self._since < PATIENCE:
            return
        self.blind = self.lost = True
        _log.error("no log for %s: %s", spell(PATIENCE), self.why)
        self.on_lost()
