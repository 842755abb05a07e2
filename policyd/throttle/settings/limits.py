"""What an operator tells about one receiver (`pacing.receivers` in the configuration).

Contract: frozen values. Failure: `ValueError` with words for limits that make no sense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import localtime

__all__ = ["NO_LIMITS", "Limits"]

_SLOWEST = 1 / 86_400.0


@dataclass(frozen=True)
class Limits:
    """What is told about one receiver; what is not told is learnt."""

    rate: float = field(
        default=0.0,
        metadata={"doc": "messages a second to start with; 0: learn", "min": 0, "max": 100_000},
    )
    burst: float = field(
        default=0.0,
        metadata={
            "doc": "messages at once; 0: a quarter second's worth, at least 1",
            "min": 0,
            "max": 100_000,
        },
    )
    floor: float = field(
        default=0.0,
        metadata={
            "doc": "never slower than this many messages a second; 0: the general floor",
            "min": 0,
            "max": 100_000,
        },
    )
    ceiling: float = field(
        default=0.0,
        metadata={
            "doc": "never faster than this many messages a second; 0: no ceiling",
            "min": 0,
            "max": 100_000,
        },
    )
    attempts: int = field(
        default=0,
        metadata={"doc": "attempts in flight at most; 0: learn", "min": 0, "max": 100_000},
    )
    connections: int = field(
        default=0,
        metadata={
            "doc": "process limit of the receiver's named transport; 0: none",
            "min": 0,
            "max": 100_000,
        },
    )
    messages_per_connection: int = field(
        default=0,
        metadata={
            "doc": "reuse limit proposed for the named transport; 0: none",
            "min": 0,
            "max": 1_000_000,
        },
    )
    recipients: int = field(
        default=0,
        metadata={
            "doc": "recipients per message; 0: learn, propose Postfix's own 50",
            "min": 0,
            "max": 100_000,
        },
    )
    hours: str = field(
        default="",
        metadata={"doc": "HH:MM-HH:MM local time in which these limits hold; empty: always"},
    )

    def __post_init__(self) -> None:
        if min(self.rate, self.burst, self.floor, self.ceiling) < 0:
            raise ValueError("limits cannot be negative")
        if self.ceiling and max(self.floor, self.rate) > self.ceiling:
            raise ValueError("rate and floor cannot be above the ceiling")
        if any(0 < rate < _SLOWEST for rate in (self.rate, self.floor, self.ceiling)):
            raise ValueError("a rate is 0, or at least one message a day")
        if self.hours:
            self.hours_as_minutes()

    def hours_as_minutes(self) -> tuple[int, int]:
        """The two ends of `hours` as minutes of the day."""
        ends = [end.split(":") for end in self.hours.split("-")]
        try:
            (h1, m1), (h2, m2) = ((int(h), int(m)) for h, m in ends)
        except ValueError:
            raise ValueError(f"hours must be HH:MM-HH:MM, not {self.hours!r}") from None
        if max(h1, h2) > 24 or max(m1, m2) > 59 or min(h1, m1, h2, m2) < 0:
            raise ValueError(f"hours must be HH:MM-HH:MM, not {self.hours!r}")
        return h1 * 60 + m1, h2 * 60 + m2

    def hold_at(self, now: float) -> bool:
        """Whether these limits hold at this time."""
        if not self.hours:
            return True
        clock = localtime(now)
        minute = clock.tm_hour * 60 + clock.tm_min
        begin, end = self.hours_as_minutes()
        return begin <= minute < end if begin <= end else minute >= begin or minute < end


NO_LIMITS = Limits()
