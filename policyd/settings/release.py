"""What an operator may say about letting held mail go (`release` in the configuration).

Contract: frozen values; the defaults are the shipped ones. Failure: a rate or number that lets
nothing go is a `ValueError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policyd.settings.units import Duration

__all__ = ["ReleaseSettings"]


@dataclass(frozen=True)
class ReleaseSettings:
    """How held messages are let go (`release:` in the configuration)."""

    enabled: bool = field(default=True, metadata={"doc": "let held messages go when it is time"})
    postqueue: str = field(default="postqueue", metadata={"doc": "the command"})
    direct: bool = field(
        default=True,
        metadata={
            "doc": "ask Postfix's flush(8) without starting postqueue, where postqueue said within "
            "the last minute that we may; any surprise: postqueue for five minutes"
        },
    )
    exim: str = field(
        default="",
        metadata={"doc": "Exim's command; empty: `exim4` or `exim`, whichever is there"},
    )
    exim_hand: str = field(
        default="/run/mxheed-exim/hand",
        metadata={
            "doc": "The socket of mxheed-exim.service, which has the right to let Exim's messages "
            "go. Where it is not there, Exim is run as the daemon's own child."
        },
    )
    config_directory: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Postfix's config directory, for an instance of its own; several for several "
            "instances whose mail is paced together. Empty: the machine's one Postfix."
        },
    )
    concurrency: int = field(
        default=4, metadata={"doc": "releases under way at a time", "min": 1, "max": 1000}
    )
    rate: float = field(
        default=100.0, metadata={"doc": "releases a second at most", "min": 0.01, "max": 100_000}
    )
    off_rate: float = field(
        default=10.0,
        metadata={"doc": "releases a second when mxheed steps aside", "min": 0.01, "max": 100_000},
    )
    timeout: Duration = field(
        default=10.0,
        metadata={
            "doc": "a command that hangs is ended; flush(8) has a fifth of it",
            "min": 0.1,
            "max": 3600,
        },
    )
    reconcile: Duration = field(
        default=300.0,
        metadata={
            "doc": "time between readings of the whole queue; 0: never",
            "min": 0,
            "max": 86_400,
        },
    )

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.rate <= 0 or self.off_rate <= 0:
            raise ValueError("concurrency, rate and off_rate must be positive")
