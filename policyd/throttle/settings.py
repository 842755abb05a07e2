"""What an operator may say about pacing: limits, reactions, retry tables, classes of mail.

Contract: frozen dataclasses with shipped defaults; durations are seconds. `policyd.config` turns
YAML into them and reports mistakes; what no type can say is checked in `__post_init__`.
Failure: `ValueError` with words for a value that makes no sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import localtime
from types import MappingProxyType
from typing import Any, Literal

from policyd.throttle.doorsettings import DoorSettings
from policyd.units import Duration

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

# slow: stop shortly, then go on at the learnt rate · connections: fewer attempts at a time ·
# pause: stop, probe seldom · retry: only that message's own next attempt · none: nothing
Act = Literal["slow", "connections", "pause", "retry", "none"]


def _map(text: str, default: Mapping[str, Any]) -> Any:
    return field(default_factory=lambda: MappingProxyType(dict(default)), metadata={"doc": text})


@dataclass(frozen=True)
class Reaction:
    """What a category of refusals does to a receiver's lane."""

    act: Act = field(
        default="retry",
        metadata={"doc": "slow, connections, pause, retry (that message only) or none"},
    )
    count: int = field(default=1, metadata={"doc": "refused attempts within 10 s that trigger it"})
    ratio: float = field(
        default=0.01, metadata={"doc": "and their least share of the attempts in these 10 s"}
    )
    pause: Duration = field(
        default=2.0, metadata={"doc": "first stop when the reply names no time"}
    )
    factor: float = field(
        default=2.0, metadata={"doc": "each refused probe lengthens the stop by this"}
    )
    longest: Duration = field(default=900.0, metadata={"doc": "longest stop without a hint"})
    shadow: bool = field(default=False, metadata={"doc": "only count what it would have done"})

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.ratio <= 1:
            raise ValueError("count must be at least 1 and ratio within 0 and 1")
        if self.pause <= 0 or self.factor < 1 or self.longest < self.pause:
            raise ValueError("pause must be positive, factor at least 1, longest at least pause")


@dataclass(frozen=True)
class Limits:
    """What is told about one receiver; what is not told is learnt."""

    rate: float = field(default=0.0, metadata={"doc": "messages a second to start with; 0: learn"})
    burst: float = field(
        default=0.0, metadata={"doc": "messages at once; 0: a quarter second's worth, at least 1"}
    )
    floor: float = field(
        default=0.0,
        metadata={"doc": "never slower than this many messages a second; 0: the general floor"},
    )
    ceiling: float = field(
        default=0.0,
        metadata={"doc": "never faster than this many messages a second; 0: no ceiling"},
    )
    attempts: int = field(default=0, metadata={"doc": "attempts in flight at most; 0: learn"})
    connections: int = field(
        default=0, metadata={"doc": "process limit of the receiver's named transport; 0: none"}
    )
    messages_per_connection: int = field(
        default=0, metadata={"doc": "reuse limit proposed for the named transport; 0: none"}
    )
    recipients: int = field(
        default=0, metadata={"doc": "recipients per message; 0: learn, propose Postfix's own 50"}
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


@dataclass(frozen=True)
class MailClass:
    """A class of mail with a share of each receiver's tokens."""

    share: float = field(
        default=1.0,
        metadata={"doc": "weight beside the other classes that wait for the same receiver"},
    )
    senders: tuple[str, ...] = field(
        default=(), metadata={"doc": "sender domains (with their sub-domains) in this class"}
    )
    domains: tuple[str, ...] = field(
        default=(), metadata={"doc": "recipient domains in this class"}
    )
    closed: tuple[str, ...] = field(
        default=(), metadata={"doc": "receivers that take no mail of this class at submission"}
    )

    def __post_init__(self) -> None:
        if self.share <= 0:
            raise ValueError("share must be positive")


@dataclass(frozen=True)
class WindowSettings:
    """Attempts in flight to a receiver whose limits are not known yet."""

    initial: int = field(
        default=12, metadata={"doc": "attempts in flight to a receiver never seen"}
    )
    settled: int = field(
        default=40,
        metadata={
            "doc": "accepted attempts after which the window opens, one per acceptance; it opens "
            "from the first one where it would let fewer than 100 attempts a second through"
        },
    )
    largest: int = field(default=2000, metadata={"doc": "never more attempts in flight than this"})
    timeout: Duration = field(
        default=300.0, metadata={"doc": "an attempt whose end was not seen is over after this"}
    )


_RATE = Reaction("slow", pause=2.5)
_BLOCK = Reaction("pause", count=2, ratio=0.2, pause=10.0, factor=1.3, longest=1800.0)
_BUSY = Reaction("pause", count=3, ratio=0.3, pause=5.0, factor=1.6, longest=300.0)
_NET = Reaction("pause", count=4, ratio=0.8, pause=30.0, factor=2.0, longest=900.0)

DEFAULT_REACTIONS: Mapping[str, Reaction] = MappingProxyType(
    {
        "flow.rate": _RATE,
        # a stop as long as Postfix keeps idle sessions open: they count, too
        "flow.connections": Reaction("connections", pause=2.2, factor=1.5, longest=300.0),
        "flow.quota": Reaction("pause", pause=600.0, factor=2.0, longest=14400.0),
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


@dataclass(frozen=True)
class PacingSettings:
    """Everything about pacing (`pacing:` in the configuration)."""

    shadow: bool = field(
        default=False, metadata={"doc": "hold nothing: only count what would have been held"}
    )
    receivers: Mapping[str, Limits] = _map("limits by receiver", {})
    reactions: Mapping[str, Reaction] = _map("reactions by category, `flow.*` for a family", {})
    retry: Mapping[str, Mapping[str, tuple[Duration, ...]]] = _map(
        "intervals between attempts, by receiver (or `any`) and category or socket error", {}
    )
    classes: Mapping[str, MailClass] = _map("classes of mail and their shares", {})
    window: WindowSettings = field(
        default_factory=WindowSettings, metadata={"doc": "attempts in flight before limits show"}
    )
    door: DoorSettings = field(
        default_factory=DoorSettings, metadata={"doc": "waiting for one's turn"}
    )
    floor: float = field(
        default=1 / 120, metadata={"doc": "no lane is paced below this many messages a second"}
    )
    ceiling: float = field(
        default=2000.0, metadata={"doc": "no lane is paced above this many messages a second"}
    )
    shortest_hint: Duration = field(
        default=1.0, metadata={"doc": "shorter hints count as this long"}
    )
    longest_hint: Duration = field(
        default=14400.0, metadata={"doc": "longer hints count as this long"}
    )
    jitter: float = field(
        default=0.03, metadata={"doc": "hints and stops are lengthened by up to this share"}
    )
    explore: Duration = field(
        default=20.0,
        metadata={"doc": "first wait before a learnt ceiling is tried again; it doubles"},
    )
    longest_explore: Duration = field(default=3600.0, metadata={"doc": "longest wait before that"})
    free_after: Duration = field(
        default=1800.0, metadata={"doc": "a lane that was not refused for this long is free again"}
    )
    grant: Duration = field(
        default=10.0, metadata={"doc": "a released message must be seen within this time"}
    )
    longest_hold: Duration = field(
        default=14400.0, metadata={"doc": "after this long a held message gets a real attempt"}
    )
    queue_lifetime: Duration = field(
        default=432000.0, metadata={"doc": "Postfix's maximal_queue_lifetime"}
    )
    last_chance: Duration = field(
        default=3600.0, metadata={"doc": "a real attempt at least this long before it expires"}
    )
    recipients: int = field(
        default=50,
        metadata={"doc": "recipients per transaction (default_destination_recipient_limit)"},
    )
    lanes: int = field(
        default=20_000, metadata={"doc": "lanes remembered at most; the longest idle goes first"}
    )
    messages: int = field(default=200_000, metadata={"doc": "held messages remembered at most"})

    def __post_init__(self) -> None:
        if not 0 < self.floor <= self.ceiling:
            raise ValueError("floor must be positive and not above ceiling")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter must lie within 0 and 1")

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
        return {"slow": _RATE, "pause": _BLOCK}.get(stance)
