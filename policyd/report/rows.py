"""The rows of the report: frozen, so that any form of output can print them.

Contract: values only. Times are POSIX seconds; shares are of attempts that were really made.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from policyd.report.tally import ATTEMPTS

__all__ = [
    "DomainsBehind",
    "MachineRow",
    "Pain",
    "ReceiverRow",
    "RefusalRow",
    "Settings",
    "SlowRow",
    "Summary",
    "TextRow",
]


@dataclass(frozen=True)
class Settings:
    """How much of everything is told."""

    top: int = 8
    receivers: int = 14
    columns: int = 24  # of the heat line, at most
    domains: bool = False
    zone: tzinfo | None = None  # where a day begins; None: here


@dataclass(frozen=True)
class Pain:
    """A receiver and the one reason it refuses most for: a line of "who refuses, and why"."""

    receiver: str
    outcome: str
    category: str
    count: int
    share: float  # of the receiver's attempts
    rule: str
    first: float
    last: float
    ongoing: bool


@dataclass(frozen=True)
class ReceiverRow:
    """One receiver: outcomes, rates, reasons, and the share refused in each slot of time."""

    receiver: str
    attempts: int
    outcomes: Mapping[str, int]
    deferred_share: float
    rejected_share: float
    reasons: tuple[tuple[str, str, int, float], ...]  # outcome, category, count, share
    heat: tuple[tuple[int, int, int], ...]  # per slot: sent, deferred, bounced; () if not kept
    domains: int


@dataclass(frozen=True)
class RefusalRow:
    """One reason of one receiver with the rule that knows it and a sample."""

    receiver: str
    outcome: str
    category: str
    rule: str
    stage: str
    recipients: int
    replies: int
    first: float
    last: float
    sample: str


@dataclass(frozen=True)
class SlowRow:
    """Where the time goes on the way to one receiver: (median, 95th percentile) per part."""

    receiver: str
    deliveries: int
    delays: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class TextRow:
    """A text of a refusal without its changing parts."""

    receiver: str  # the first to say it
    receivers: int  # how many say it, 50 at most
    category: str
    rule: str
    count: int
    first: float
    last: float
    text: str
    sample: str


@dataclass(frozen=True)
class DomainsBehind:
    """Which domains sit behind a receiver, the busiest first."""

    receiver: str
    total: int
    names: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class MachineRow:
    """What became of one machine's mail."""

    host: str  # "": its lines name none
    lines: int
    first: float
    last: float
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class Summary:
    """The whole report."""

    sources: tuple[str, ...]
    lines: int
    bytes: int
    unparsed: int
    undated: int
    gap: int
    first: float
    last: float
    outcomes: Mapping[str, int]
    pains: tuple[Pain, ...]
    receivers: tuple[ReceiverRow, ...]
    rest: ReceiverRow | None  # the receivers left out, as one
    refusals: tuple[RefusalRow, ...]
    slowest: tuple[SlowRow, ...]
    newest: tuple[TextRow, ...]
    unclassified: tuple[TextRow, ...]
    domains: tuple[DomainsBehind, ...]
    slots: tuple[float, ...]  # when each slot of the heat lines begins
    slot_hours: int
    machines: tuple[MachineRow, ...] = ()  # that wrote the lines, where there are several
    left: Mapping[str, int] = field(default_factory=dict)
    spilled: Mapping[str, int] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """Attempts that were really made."""
        return sum(self.outcomes.get(outcome, 0) for outcome in ATTEMPTS)
