"""What the status page and /api/state show: one frozen tree, without markup.

Contract: values only, times in POSIX seconds. Texts from remote servers are in here as they came;
the template escapes them, JSON quotes them. Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from policyd.counting.lately import HealthView

__all__ = [
    "HealthView",
    "LaneView",
    "LogView",
    "LogsView",
    "Page",
    "ReasonView",
    "ReceiverView",
    "SourceView",
    "Totals",
]


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One kind of refusal that a state rests on."""

    category: str
    rule: str | None
    reply: str
    count: int
    first: float
    last: float
    host: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class LaneView:
    """What is done about one receiver from one address pool."""

    state: str  # free, slowed, suspended, probing
    pool: str = ""
    sender: str = ""  # the sender's domain that the receiver blames, where it is about that one
    since: float = 0.0  # when it was free last
    stops: int = 0  # suspensions since then
    changed: float = 0.0  # when this state began
    until: float | None = None  # the end of a suspension or of a pin
    rate: float | None = None  # attempts a second
    window: float | None = None
    in_flight: int = 0
    held: int = 0  # parts of messages that wait because we hold them
    deferred: int = 0  # and because the receiver deferred them
    oldest: float | None = None  # since when the oldest held one waits
    pinned: bool = False
    off: bool = False  # after `mxheed off` no state has an effect
    shadow: bool = False  # nor has it in the shadow
    why: str = ""  # a sentence
    next: str = ""  # a sentence
    reasons: tuple[ReasonView, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverView:
    """One receiver: what became of the mail, what it says, what is done about it."""

    id: str
    name: str = ""
    outcomes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    categories: tuple[tuple[str, int], ...] = ()  # refusals, the most frequent first
    unclassified: int = 0
    lanes: tuple[LaneView, ...] = ()
    health: HealthView = field(default_factory=HealthView)


@dataclass(frozen=True, slots=True)
class SourceView:
    """One log: how it is read."""

    name: str
    kind: str = "file"
    trouble: str = ""  # why it cannot be read
    frame: str = ""  # of the newest lines
    offset_seconds: float = 0.0  # that its stamps are behind, which is allowed for
    offset_kind: str = "none"  # none, zone, clock
    behind_bytes: int = 0  # not read yet
    newest: float | None = None  # the stamp of the newest line
    age_seconds: float | None = None  # of that line
    lines: int = 0  # since the start
    lines_per_second: float = 0.0  # over the last minute
    deliveries_per_second: float = 0.0
    gap_bytes: int = 0  # lost since the start
    unparsed: int = 0  # since the start
    samples: tuple[str, ...] = ()  # the last of these lines, without the names of mailboxes


@dataclass(frozen=True, slots=True)
class LogsView:
    """The logs, those with a trouble first; of many only some are shown."""

    followed: int = 0
    sources: tuple[SourceView, ...] = ()


@dataclass(frozen=True, slots=True)
class LogView:
    """How far the log is read."""

    source: str = ""
    caught_up: bool = False
    last: float | None = None  # the stamp of the newest line
    lines: int = 0
    unparsed: int = 0
    logs: LogsView = LogsView()


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all receivers, also those that are not among the rows."""

    outcomes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    unclassified: int = 0
    held: int = 0  # messages of which a part waits because we hold it
    deferred: int = 0  # messages that wait because a receiver deferred them
    receivers: int = 0
    troubled: int = 0  # lanes that are not free, or for which something waits


@dataclass(frozen=True, slots=True)
class Page:
    """Everything at one moment."""

    now: float
    started: float
    version: str
    host: str = ""
    mode: str = "on"  # what is done about it: on, shadow, off, safe
    active: bool = True  # False after `mxheed off`
    asked: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # hooks: when
    safe: str = ""  # why every hook gives its safe answer; "": they answer from what was learnt
    log: LogView = LogView()
    troubles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ours: str = ""  # a mistake of ours that receivers name; "": none
    remedy: str = ""
    totals: Totals = Totals()
    receivers: tuple[ReceiverView, ...] = ()  # in trouble, bad, with much mail: first
