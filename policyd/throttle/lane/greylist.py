"""How long a receiver greylists, when it does not say: one message finds out for all.

Contract: pure. The first message a lane greylists without a hint is the scout: it is tried again
early and ever later. Its success tells how old a first try must be, and the others, which wait for
the retry table meanwhile, are let go at that age. A time that turns out too short is given up.
Failure: none; a scout that is never accepted changes nothing for the others.
"""

from __future__ import annotations

__all__ = ["Greylist"]

_FIRST = 10.0
_FACTOR = 1.5
_MARGIN = 1.05
_PATIENCE = 3600.0  # a scout that has not come back by then is replaced


class Greylist:
    """What is known of one lane's greylisting."""

    __slots__ = ("_scout", "_sent", "age")

    def __init__(self) -> None:
        self.age: float | None = None  # of a first try, at which mail was accepted
        self._scout = ""
        self._sent = 0.0

    def delay(self, queue_id: str, first: float, times: int, now: float) -> float | None:
        """Seconds until this message's next try; None: the retry table knows better."""
        if self.age is not None:
            due = self.due(first)
            if due > now:
                return due - now
            self.age = None  # it was old enough, and refused all the same
        if self._scout == queue_id or now - self._sent > _PATIENCE:
            if self._scout != queue_id:
                self._scout, self._sent = queue_id, now
            return float(_FIRST * _FACTOR ** min(times - 1, 16))
        return None

    def due(self, first: float) -> float:
        """When a message first tried at this time may be tried again."""
        return first + (self.age or 0.0) * _MARGIN + 1.0

    def accepted(self, first: float, now: float) -> bool:
        """A greylisted message was accepted; True: that is news for the others."""
        age = max(now - first, 1.0)
        news = self.age is None or age < self.age * 0.8
        if news:
            self.age = age
        self._scout, self._sent = "", 0.0
        return news
