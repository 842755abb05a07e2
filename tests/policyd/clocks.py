"""Clocks a test can set: the wall clock by itself, or both together."""

from __future__ import annotations

from collections.abc import Callable

from policyd.process.clock import Clock


def still(now: Callable[[], float]) -> Clock:
    """A clock whose steady seconds are just these, and POSIX seconds too."""
    return Clock(now, now)


class Times:
    """A machine's two clocks: time goes on for both, and the wall clock can be set besides."""

    def __init__(self, wall: float = 1_790_000_000.0, ticks: float = 5_000.0) -> None:
        self.wall, self.ticks = wall, ticks

    def go(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.ticks += seconds

    def set(self, seconds: float) -> None:
        """Somebody sets the wall clock by so much."""
        self.wall += seconds

    def reboot(self, seconds: float) -> None:
        """The machine was off for so long, and its boot clock begins anew."""
        self.wall += seconds
        self.ticks = 20.0

    def clock(self, boot: str = "one") -> Clock:
        """What a process that starts now has."""
        return Clock(lambda: self.wall, lambda: self.ticks, boot)
