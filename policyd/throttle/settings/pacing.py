"""What an operator may say about pacing: limits, reactions, retry tables, classes of mail.

Contract: frozen dataclasses with shipped defaults; durations are seconds. `policyd.config` turns
YAML into them and reports mistakes; what no type can say is checked in `__post_init__`.
Failure: `ValueError` with words for a value that makes no sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from policyd.settings.units import Duration
from policyd.throttle.settings.court import CourtSettings
from policyd.throttle.settings.door import DoorSettings
from policyd.throttle.settings.limits import NO_LIMITS, Limits
from policyd.throttle.settings.reactions import (
    BY_STANCE,
    DEFAULT_REACTIONS,
    DEFAULT_RETRY,
    Act,
    Reaction,
)

__all__ = [
    "DEFAULT_REACTIONS",
    "DEFAULT_RETRY",
    "NO_LIMITS",
    "Act",
    "Limits",
    "MailClass",
    "PacingSettings",
    "Reaction",
    "WindowSettings",
]


def _map(text: str, default: Mapping[str, Any], **more: float) -> Any:
    return field(
        default_factory=lambda: MappingProxyType(dict(default)), metadata={"doc": text, **more}
    )


@dataclass(frozen=True)
class MailClass:
    """A class of mail with a share of each receiver's tokens."""

    share: float = field(
        default=1.0,
        metadata={
            "doc": "weight beside the other classes that wait for the same receiver",
            "min": 0.001,
            "max": 1_000_000,
        },
    )
    senders: tuple[str, ...] = field(
        default=(), metadata={"doc": "sender domains (with their sub-domains) in this class"}
    )
    domains: tuple[str, ...] = field(
        default=(), metadata={"doc": "recipient domains in this class"}
    )

    def __post_init__(self) -> None:
        if self.share <= 0:
            raise ValueError("share must be positive")


@dataclass(frozen=True)
class WindowSettings:
    """Attempts in flight to a receiver whose limits are not known yet."""

    initial: int = field(
        default=6,
        metadata={"doc": "attempts in flight to a receiver never seen", "min": 1, "max": 100_000},
    )
    settled: int = field(
        default=40,
        metadata={
            "doc": "accepted attempts after which the window opens, one per acceptance; it opens "
            "from the first one where it would let fewer than 100 attempts a second through",
            "min": 0,
            "max": 1_000_000,
        },
    )
    largest: int = field(
        default=2000,
        metadata={"doc": "never more attempts in flight than this", "min": 1, "max": 100_000},
    )
    timeout: Duration = field(
        default=300.0,
        metadata={
            "doc": "an attempt whose end was not seen is over after this",
            "min": 1,
            "max": 86_400,
        },
    )

    def __post_init__(self) -> None:
        if self.initial > self.largest:
            raise ValueError("initial cannot be above largest")


@dataclass(frozen=True)
class PacingSettings:
    """Everything about pacing (`pacing:` in the configuration)."""

    shadow: bool = field(
        default=False, metadata={"doc": "hold nothing: only count what would have been held"}
    )
    receivers: Mapping[str, Limits] = _map("limits by receiver", {})
    reactions: Mapping[str, Reaction] = _map("reactions by category, `flow.*` for a family", {})
    retry: Mapping[str, Mapping[str, tuple[Duration, ...]]] = _map(
        "intervals between attempts, by receiver (or `any`) and category or socket error",
        {},
        min=0.1,
        max=2_592_000,
    )
    classes: Mapping[str, MailClass] = _map("classes of mail and their shares", {})
    window: WindowSettings = field(
        default_factory=WindowSettings, metadata={"doc": "attempts in flight before limits show"}
    )
    door: DoorSettings = field(
        default_factory=DoorSettings, metadata={"doc": "waiting for one's turn"}
    )
    court: CourtSettings = field(
        default_factory=CourtSettings, metadata={"doc": "who may stop a receiver"}
    )
    floor: float = field(
        default=1 / 120,
        metadata={
            "doc": "no lane is paced below this many messages a second",
            "min": 0.00001,
            "max": 100_000,
        },
    )
    ceiling: float = field(
        default=2000.0,
        metadata={
            "doc": "no lane is paced above this many messages a second",
            "min": 0.00001,
            "max": 1_000_000,
        },
    )
    shortest_hint: Duration = field(
        default=1.0, metadata={"doc": "shorter hints count as this long", "min": 0.1, "max": 86_400}
    )
    longest_hint: Duration = field(
        default=14400.0,
        metadata={"doc": "longer hints count as this long", "min": 1, "max": 2_592_000},
    )
    jitter: float = field(
        default=0.03,
        metadata={"doc": "hints and stops are lengthened by up to this share", "min": 0, "max": 1},
    )
    explore: Duration = field(
        default=20.0,
        metadata={
            "doc": "first wait before a learnt ceiling is tried again; it doubles",
            "min": 1,
            "max": 2_592_000,
        },
    )
    longest_explore: Duration = field(
        default=3600.0, metadata={"doc": "longest wait before that", "min": 1, "max": 2_592_000}
    )
    free_after: Duration = field(
        default=1800.0,
        metadata={
            "doc": "a lane that was not refused for this long is free again",
            "min": 1,
            "max": 2_592_000,
        },
    )
    grant: Duration = field(
        default=10.0,
        metadata={"doc": "a released message must be seen within this time", "min": 1, "max": 600},
    )
    longest_hold: Duration = field(
        default=14400.0,
        metadata={
            "doc": "after this long a held message gets a real attempt",
            "min": 1,
            "max": 2_592_000,
        },
    )
    queue_lifetime: Duration = field(
        default=432000.0,
        metadata={"doc": "Postfix's maximal_queue_lifetime", "min": 0, "max": 31_622_400},
    )
    last_chance: Duration = field(
        default=3600.0,
        metadata={
            "doc": "a real attempt at least this long before it expires",
            "min": 0,
            "max": 31_622_400,
        },
    )
    recipients: int = field(
        default=50,
        metadata={
            "doc": "recipients per transaction (default_destination_recipient_limit)",
            "min": 1,
            "max": 100_000,
        },
    )
    lanes: int = field(
        default=20_000,
        metadata={
            "doc": "lanes remembered at most; the longest idle goes first",
            "min": 10,
            "max": 10_000_000,
        },
    )
    messages: int = field(
        default=200_000,
        metadata={"doc": "held messages remembered at most", "min": 1, "max": 10_000_000},
    )

    def __post_init__(self) -> None:
        if not 0 < self.floor <= self.ceiling:
            raise ValueError("floor must be positive and not above ceiling")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter must lie within 0 and 1")
        if self.shortest_hint > self.longest_hint or self.explore > self.longest_explore:
            raise ValueError("shortest_hint and explore cannot be above what is the longest")

    def limits(self, receiver: str, now: float) -> Limits:
        """What is told about a receiver for this time of the day."""
        told = self.receivers.get(receiver)
        return told if told is not None and told.hold_at(now) else NO_LIMITS

    def reaction(self, category: str, stance: str = "none") -> Reaction | None:
        """The reaction to a category: its own, else its family's; the operator's before ours.

        What no table names goes by the verdict's stance.
        """
        family = category.partition(".")[0] + ".*"
        for table in (self.reactions, DEFAULT_REACTIONS):
            if found := table.get(category) or table.get(family):
                return found
        return BY_STANCE.get(stance)
