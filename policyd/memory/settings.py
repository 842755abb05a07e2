"""What an operator may say about the memory (`memory` in the configuration).

Contract: frozen values; the defaults are the shipped ones. Failure: none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policyd.settings.units import Duration

__all__ = ["MemorySettings"]

_WEEK = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """What is remembered of the past, and for how long (`memory:` in the configuration)."""

    size: int = field(
        default=50,
        metadata={
            "doc": "MB the state file may take; the oldest of the memory goes first.",
            "min": 8,
            "max": 100_000,
        },
    )
    trails: Duration = field(
        default=86400.0,
        metadata={
            "doc": "How long the trail of a held or deferred message, with its recipients' "
            "addresses, is kept after it left the queue. 0: none is.",
            "min": 0,
            "max": 90 * 86400,
        },
    )
    samples: Duration = field(
        default=13 * _WEEK,
        metadata={
            "doc": "How long replies, with addresses masked, are kept as samples of what a rule "
            "heard, and as texts first heard then. 0: none is.",
            "min": 0,
            "max": 3660 * 86400,
        },
    )
    transitions: Duration = field(
        default=13 * _WEEK,
        metadata={
            "doc": "How long changes of lanes, with the reply that made them, are kept. 0: none "
            "is.",
            "min": 0,
            "max": 3660 * 86400,
        },
    )
