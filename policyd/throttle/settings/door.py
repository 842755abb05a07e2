"""What an operator may say about waiting at the door (`pacing.door` in the configuration).

Contract: a frozen dataclass with shipped defaults. Failure: `ValueError` with words for a value
that makes no sense.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policyd.settings.units import Duration

__all__ = ["DoorSettings"]

# Postfix's delivery agents wait for a table's answer for 100 s, and no parameter changes that
_LONGEST = 60.0


@dataclass(frozen=True)
class DoorSettings:
    """Attempts whose turn comes soon wait for the gate's answer instead of being held."""

    wait: Duration = field(
        default=5.0,
        metadata={
            "doc": "an attempt waits at most this long for its turn; 0: it is held at once",
            "min": 0,
            "max": 60,
        },
    )
    most: int = field(
        default=50,
        metadata={
            "doc": "attempts that may wait for receivers with a limit, all together: half of "
            "Postfix's default_process_limit, so that the other half has delivery agents",
            "min": 0,
            "max": 100_000,
        },
    )

    def __post_init__(self) -> None:
        if not 0 <= self.wait <= _LONGEST:
            raise ValueError(f"wait must lie within 0 and {_LONGEST:.0f} s")
        if self.most < 0:
            raise ValueError("most cannot be negative")
