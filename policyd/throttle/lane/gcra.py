"""A token bucket kept as one number: the generic cell rate algorithm.

Contract: `take` costs a fraction of a microsecond. Times are seconds of a clock that only goes
forward, and an argument.
Failure: none; a rate must be positive.
"""

from __future__ import annotations

__all__ = ["Gcra"]


class Gcra:
    """`rate` tokens a second, up to `burst` at once."""

    __slots__ = ("burst", "interval", "tat")

    def __init__(self, rate: float, burst: float, now: float, *, empty: bool = False) -> None:
        self.interval = 1.0 / rate
        self.burst = max(1.0, burst)
        # theoretical arrival time: when the bucket will be full again
        self.tat = now + self.burst * self.interval if empty else now

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return 1.0 / self.interval

    def set(self, rate: float, burst: float, now: float) -> None:
        """Change the limits; what was taken stays taken (as many tokens as before)."""
        debt = self.tokens_missing(now)
        self.interval = 1.0 / rate
        self.burst = max(1.0, burst)
        self.tat = now + min(debt, self.burst) * self.interval

    def tokens_missing(self, now: float) -> float:
        """How far the bucket is from full, in tokens."""
        return max(0.0, self.tat - now) / self.interval

    def available(self, now: float) -> float:
        """Tokens there are now; below zero after a charge that could not wait."""
        return self.burst - self.tokens_missing(now)

    def take(self, now: float, count: float = 1.0) -> bool:
        """Take tokens if all of them are there."""
        tat = self.tat if self.tat > now else now
        room = self.burst * self.interval
        new = tat + count * self.interval
        if new - now > room + 1e-9:
            return False
        self.tat = new
        return True

    def charge(self, now: float, count: float = 1.0) -> None:
        """Take tokens that were used without asking; the debt is bounded by one more burst."""
        tat = self.tat if self.tat > now else now
        limit = now + 2 * self.burst * self.interval
        self.tat = min(tat + count * self.interval, max(tat, limit))

    def share(self, now: float, part: float) -> None:
        """Take a part of a token, there or not, or give it back; the debt is bounded likewise."""
        if part > 0:
            self.charge(now, part)
        else:
            self.tat = max(now, self.tat + part * self.interval)

    def wait(self, now: float, count: float = 1.0) -> float:
        """Seconds until `count` tokens are there (0.0: now)."""
        need = min(count, self.burst) * self.interval
        tat = self.tat if self.tat > now else now
        return max(0.0, tat + need - now - self.burst * self.interval)
