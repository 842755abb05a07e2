"""One connection of one client process, and what has been counted over all of them.

Contract: a client process of Postfix (smtp(8), smtpd(8)) keeps one connection per endpoint, so a
`Session` is the memory shared by the questions of one process. Values only, no I/O.
Failure: none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ANSWER_BOUNDS", "AnswerTimes", "HookCounts", "Session", "how_often", "last_asked"]

# seconds: from memory, behind a page that is made, at the door, as long as Postfix may wait
ANSWER_BOUNDS = (0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 1.0, 10.0)


class Session:
    """What a handler may remember between two questions on the same connection."""

    __slots__ = ("memory", "peer", "pid", "serial")

    def __init__(self, serial: int = 0, peer: str = "", pid: int = 0) -> None:
        self.serial = serial
        self.pid = pid  # of the client process, 0: not known
        self.peer = peer  # for log lines only: "127.0.0.1:4711", "unix"
        self.memory: Any = None  # belongs to the handler, which alone knows its type


class AnswerTimes:
    """How long answers took."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(ANSWER_BOUNDS) + 1)  # not cumulative; the last is beyond them all
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """One answer more."""
        self.counts[bisect_left(ANSWER_BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class HookCounts:
    """What one hook ("socketmap", "policy") has been asked, answered and suffered."""

    # by what was asked (the map's name, "policy") and the first word of the answer
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    last: dict[str, float] = field(default_factory=dict)  # when it was asked last, by what
    took: dict[str, AnswerTimes] = field(default_factory=dict)  # how long the answers took
    faults: Counter[str] = field(default_factory=Counter)  # by kind: "framing", "handler"…
    connections: int = 0  # open now
    opened: int = 0  # ever

    def answered(self, asked: str, began: float, now: float) -> None:
        """A question that came when it `began` is answered now."""
        self.last[asked] = began
        took = self.took.get(asked)
        if took is None:
            took = self.took[asked] = AnswerTimes()
        took.add(now - began)


def last_asked(hooks: Mapping[str, HookCounts]) -> dict[str, float]:
    """When each was asked last."""
    return {what: when for counts in hooks.values() for what, when in counts.last.items()}


def how_often(hooks: Mapping[str, HookCounts], asked: str) -> int:
    """How often one of them was answered."""
    return sum(
        count
        for counts in hooks.values()
        for (what, _), count in counts.answers.items()
        if what == asked
    )
