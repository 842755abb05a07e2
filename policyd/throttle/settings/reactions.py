"""What a category of refusals does to a lane, and when a message is tried again, as shipped.

Contract: frozen values; an operator's entries go before these tables. Failure: `ValueError` with
words for a reaction that makes no sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from policyd.settings.units import Duration

__all__ = ["BY_STANCE", "DEFAULT_REACTIONS", "DEFAULT_RETRY", "Act", "Reaction"]

# slow: stop shortly, then go on at the learnt rate · connections: fewer attempts at a time ·
# pause: stop, probe seldom · retry: only that message's own next attempt · none: nothing
Act = Literal["slow", "connections", "pause", "retry", "none"]


@dataclass(frozen=True)
class Reaction:
    """What a category of refusals does to a receiver's lane."""

    act: Act = field(
        default="retry",
        metadata={"doc": "slow, connections, pause, retry (that message only) or none"},
    )
    count: int = field(
        default=1,
        metadata={"doc": "refused attempts within 10 s that trigger it", "min": 1, "max": 10_000},
    )
    ratio: float = field(
        default=0.01,
        metadata={"doc": "and their least share of the attempts in these 10 s", "min": 0, "max": 1},
    )
    pause: Duration = field(
        default=2.0,
        metadata={"doc": "first stop when the reply names no time", "min": 0.1, "max": 604_800},
    )
    factor: float = field(
        default=2.0,
        metadata={"doc": "each refused probe lengthens the stop by this", "min": 1, "max": 100},
    )
    longest: Duration = field(
        default=900.0, metadata={"doc": "longest stop without a hint", "min": 0.1, "max": 2_592_000}
    )
    shadow: bool = field(default=False, metadata={"doc": "only count what it would have done"})

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.ratio <= 1:
            raise ValueError("count must be at least 1 and ratio within 0 and 1")
        if self.pause <= 0 or self.factor < 1 or self.longest < self.pause:
            raise ValueError("pause must be positive, factor at least 1, longest at least pause")


_RATE = Reaction("slow", pause=2.5)
_BLOCK = Reaction("pause", count=2, ratio=0.2, pause=10.0, factor=1.3, longest=1800.0)
_BUSY = Reaction("pause", count=3, ratio=0.3, pause=5.0, factor=1.6, longest=300.0)
_NET = Reaction("pause", count=4, ratio=0.8, pause=30.0, factor=2.0, longest=900.0)

DEFAULT_REACTIONS: Mapping[str, Reaction] = MappingProxyType(
    {
        "flow.rate": _RATE,
        # the cap is the lesson; a second refusal outlasts the sessions that Postfix keeps idle
        "flow.connections": Reaction("connections", pause=0.3, factor=2.5, longest=300.0),
        # nobody knows when it ends: looked for from a minute on, before the MTA would by itself
        "flow.quota": Reaction("pause", pause=60.0, factor=1.25, longest=900.0),
        "flow.busy": _BUSY,
        "reputation.*": _BLOCK,
        "policy.*": Reaction("pause", count=5, ratio=0.5, pause=60.0, longest=1800.0),
        "net.*": _NET,
        "flow.greylist": Reaction("retry"),
        "recipient.rate": Reaction("retry"),
    }
)

# receiver or "any" → category, or the kind of a socket error → intervals between attempts.
DEFAULT_RETRY: Mapping[str, Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "any": MappingProxyType(
            {
                "flow.greylist": (330.0, 600.0, 900.0, 1800.0, 3600.0),
                "flow.busy": (60.0, 120.0, 300.0, 900.0),
                "flow.recipients": (1.0, 5.0, 60.0),
                "flow.messages": (1.0, 5.0, 60.0),
                "recipient.rate": (600.0, 1200.0, 3600.0, 7200.0),
                "recipient.full": (3600.0, 7200.0, 14400.0, 28800.0),
                "net.refused": (120.0, 300.0, 900.0, 3600.0),
                "net.timeout": (300.0, 900.0, 1800.0, 3600.0),
                "net.lost": (60.0, 300.0, 900.0, 1800.0),
                "net.dns": (300.0, 900.0, 3600.0),
                "net.tls": (300.0, 1800.0, 7200.0),
            }
        )
    }
)

# what no table names goes by the verdict's stance
BY_STANCE: Mapping[str, Reaction] = MappingProxyType({"slow": _RATE, "pause": _BLOCK})
