"""What an operator may say about the single hosts of a receiver (`pacing.hosts`).

Contract: a frozen dataclass with shipped defaults. Failure: `ValueError` with words for a value
that makes no sense.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policyd.settings.units import Duration

__all__ = ["HostSettings"]


@dataclass(frozen=True)
class HostSettings:
    """A host in trouble is left out while an equal one of the receiver answers."""

    enabled: bool = field(
        default=True, metadata={"doc": "leave hosts in trouble out; false: only show them"}
    )
    silent: Duration = field(
        default=2.0,
        metadata={
            "doc": "a host that leaves three attempts without an answer for this long, while "
            "another one answers, is slow",
            "min": 0.5,
            "max": 300,
        },
    )
    slow: Duration = field(
        default=5.0,
        metadata={
            "doc": "so is one that takes this long for a message, and four times as long as "
            "another one",
            "min": 0.5,
            "max": 300,
        },
    )
    again: Duration = field(
        default=60.0,
        metadata={
            "doc": "a slow host is tried again with one message after this; it doubles",
            "min": 1,
            "max": 86_400,
        },
    )
    longest: Duration = field(
        default=3600.0,
        metadata={"doc": "longest wait before that", "min": 1, "max": 86_400},
    )
    most: int = field(
        default=64,
        metadata={"doc": "hosts of a receiver remembered at most", "min": 2, "max": 1000},
    )

    def __post_init__(self) -> None:
        if self.again > self.longest:
            raise ValueError("again cannot be above longest")
