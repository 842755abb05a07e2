"""The pulse of a lane: how often its mail is accepted, and whether a silence says something.

Contract: pure. Acceptances are counted by the minute; the gap that was usual is that of the minute
before. `is_silent`: several attempts were refused in a row, and nobody was accepted for much longer
than usual. Failure: none; what was never seen is never silent.
"""

from __future__ import annotations

from policyd.throttle.lane.estimate import Accepted

__all__ = ["Pulse"]

_MINUTE = 60.0
_SILENT = 8.0  # times the usual gap between acceptances
_REFUSED = 4  # attempts at least, in that time
_BEFORE = 300.0  # seconds before a trouble that tell what the lane took
_SEEN_FOR = 10.0  # seconds after which what was taken is a pace


class Pulse:
    """One lane's acceptances."""

    __slots__ = ("_gap", "_last", "_minute", "_run", "_taken", "pace")

    def __init__(self) -> None:
        self._last = 0.0  # the last acceptance
        self._run = 0  # refused since
        self._minute = self._taken = 0.0  # accepted in the minute that began then
        self._gap = 0.0  # seconds between acceptances, in the minute before; 0.0: not known
        self.pace = 0.0  # what the lane took before its trouble, a second

    def beat(self, now: float) -> None:
        """An attempt was accepted."""
        self._last, self._run = now, 0

    def count(self, now: float) -> None:
        """It counts for what is usual: it was not a newcomer's."""
        if now - self._minute > _MINUTE:
            whole = now - self._minute < 2 * _MINUTE
            if self._minute:
                self._gap = _MINUTE / self._taken if whole else _MINUTE
            self._minute, self._taken = now, 0.0
        self._taken += 1

    def miss(self) -> None:
        """An attempt was refused."""
        self._run += 1

    @property
    def again(self) -> bool:
        """Whether the refusal before this one was the last thing heard, too."""
        return self._run > 1

    def is_silent(self, now: float) -> bool:
        """Whether nobody was accepted for so long that all must be refused."""
        gap = max(self._gap, max(now - self._minute, 1.0) / max(self._taken, 1.0))
        return self._run >= _REFUSED and now - self._last > _SILENT * gap

    def note_pace(self, history: Accepted, first: float, now: float) -> None:
        """A trouble begins: what the lane took until now, if it is known for long enough."""
        span = min(_BEFORE, now - first)
        self.pace = history.within(now, span) / span if span > _SEEN_FOR else 0.0
