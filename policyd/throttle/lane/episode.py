"""A lane's trouble as people see it: since when it is not free, and how often it was stopped.

A lane that is suspended, probed, let flow a little and suspended again is in one trouble, not in a
new one each time. Contract: pure; told of each state a lane enters. Failure: none.
"""

from __future__ import annotations

__all__ = ["Episode"]


class Episode:
    """The present one."""

    __slots__ = ("began", "stops")

    def __init__(self) -> None:
        self.began = 0.0  # 0.0: the lane is free
        self.stops = 0

    def enter(self, state: str, now: float) -> None:
        """The lane's state is another one now."""
        if state == "free":
            self.began, self.stops = 0.0, 0
            return
        self.began = self.began or now
        self.stops += state == "suspended"
