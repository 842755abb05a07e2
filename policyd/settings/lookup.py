"""What an operator may say about looking mail exchangers up (`lookup` in the configuration).

Contract: frozen values; the defaults are the shipped ones. Failure: a number under which nothing
could ever be looked up is a `ValueError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policyd.settings.units import Duration

__all__ = ["LookupSettings"]


@dataclass(frozen=True)
class LookupSettings:
    """How mail exchangers are looked up (`lookup:` in the configuration)."""

    enabled: bool = field(default=True, metadata={"doc": "look unknown domains up"})
    deadline: Duration = field(
        default=5.0, metadata={"doc": "longest time for one look-up", "min": 0.1, "max": 60}
    )
    concurrency: int = field(
        default=50, metadata={"doc": "look-ups under way at a time", "min": 1, "max": 10_000}
    )
    rate: float = field(
        default=100.0,
        metadata={
            "doc": "look-ups begun a second at most; each costs about 0.3 ms of the time in which "
            "Postfix is answered, and nobody waits for them",
            "min": 0.01,
            "max": 100_000,
        },
    )
    shortest: Duration = field(
        default=300.0,
        metadata={"doc": "an answer lives at least so long", "min": 1, "max": 2_592_000},
    )
    longest: Duration = field(
        default=86400.0, metadata={"doc": "and at most so long", "min": 1, "max": 31_622_400}
    )
    negative: Duration = field(
        default=900.0,
        metadata={
            "doc": "longest life of the answer that a domain is not there",
            "min": 1,
            "max": 31_622_400,
        },
    )
    outage: Duration = field(
        default=30.0, metadata={"doc": "wait after a failed look-up", "min": 0.1, "max": 86_400}
    )
    stale: Duration = field(
        default=604800.0,
        metadata={
            "doc": "how long an answer serves on when DNS fails",
            "min": 0,
            "max": 31_622_400,
        },
    )
    size: int = field(
        default=200_000, metadata={"doc": "domains remembered at most", "min": 1, "max": 10_000_000}
    )

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.size < 1:
            raise ValueError("concurrency and size must be at least 1")
        if not self.rate > 0:
            raise ValueError("rate must be above 0")
        if not 0 < self.shortest <= self.longest:
            raise ValueError("shortest must be positive and not above longest")
