"""What an operator may say about who may stop a receiver (`pacing.court` in the configuration).

Contract: a frozen dataclass with shipped defaults. Failure: `ValueError` with words for a value
that makes no sense.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policyd.settings.units import Duration

__all__ = ["CourtSettings"]


@dataclass(frozen=True)
class CourtSettings:
    """What anybody behind a receiver may say stops it only on the word of several."""

    witnesses: int = field(
        default=2,
        metadata={
            "doc": "recipient domains that must have been refused, in words that any mailbox may "
            "use, before all mail to a receiver is slowed; 1: each refusal does",
            "min": 1,
            "max": 100,
        },
    )
    span: Duration = field(
        default=30.0,
        metadata={"doc": "within this time, or the case is closed", "min": 1, "max": 3600},
    )
    believed: Duration = field(
        default=10.0,
        metadata={
            "doc": "so much of a spoken time binds a receiver before others confirm it; each "
            "probe of another domain that is refused doubles it, the third confirms all",
            "min": 1,
            "max": 2_592_000,
        },
    )
    alone: Duration = field(
        default=5.0,
        metadata={
            "doc": "first wait of a domain whose refusal nobody confirms; it doubles",
            "min": 0.1,
            "max": 86_400,
        },
    )
    longest_alone: Duration = field(
        default=600.0, metadata={"doc": "longest such wait", "min": 0.1, "max": 86_400}
    )

    def __post_init__(self) -> None:
        if self.alone > self.longest_alone:
            raise ValueError("alone cannot be above longest_alone")
