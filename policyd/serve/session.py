"""One connection of one client process, and what has been counted over all of them.

Contract: a client process of Postfix (smtp(8), smtpd(8)) keeps one connection per endpoint, so a
`Session` is the memory shared by the questions of one process. `Asked` counts one kind of question
on the way of each answer: a few additions. Values only, no I/O.
Failure: none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ANSWER_BOUNDS", "Asked", "HookCounts", "Session", "how_often", "last_asked"]

# seconds: from memory, behind a page that is made, at the door, as long as Postfix may wait
ANSWER_BOUNDS = (0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 1.0, 10.0)
_AT_ONCE = ANSWER_BOUNDS[0]  # as nearly all are


class Session:
    """What a handler may remember between two questions on the same connection."""

    __slots__ = ("memory", "peer", "pid", "serial")

    def __init__(self, serial: int = 0, peer: str = "", pid: int = 0) -> None:
        self.serial = serial
        self.pid = pid  # of the client process, 0: not known
        self.peer = peer  # for log lines only: "127.0.0.1:4711", "unix"
        self.memory: Any = None  # belongs to the handler, which alone knows its type


class Asked:
    """One map, or the policy service: how often it answered what, when, and how long that took."""

    __slots__ = ("answers", "last", "took", "total")

    def __init__(self) -> None:
        self.answers: dict[str, int] = {}  # by first word
        self.last: float | None = None  # when the question came that was answered last
        self.took = [0] * (len(ANSWER_BOUNDS) + 1)  # not cumulative; the last is beyond them all
        self.total = 0.0  # seconds

    def answered(self, word: str | None, began: float, now: float) -> None:
        """A question that came when it `began` is answered now; None: that counts as a fault."""
        if word is not None:
            self.answers[word] = self.answers.get(word, 0) + 1
        self.last = began
        seconds = now - began
        self.took[0 if seconds <= _AT_ONCE else bisect_left(ANSWER_BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class HookCounts:
    """What one hook ("socketmap", "policy") has been asked, answered and suffered."""

    # what to add to the times of questions to have the daemon's
    behind: Callable[[], float] = lambda: 0.0
    asked: dict[str, Asked] = field(default_factory=dict)  # by the map's name, "policy"
    faults: Counter[str] = field(default_factory=Counter)  # by kind: "framing", "handler"…
    connections: int = 0  # open now
    opened: int = 0  # ever

    def of(self, asked: str) -> Asked:
        """The counts of one kind of question, made if it is new."""
        return self.asked.setdefault(asked, Asked())

    @property
    def answers(self) -> Counter[tuple[str, str]]:
        """By what was asked and the first word of the answer."""
        return Counter(
            {(what, word): n for what, one in self.asked.items() for word, n in one.answers.items()}
        )

    @property
    def last(self) -> dict[str, float]:
        """When each was asked last."""
        behind = self.behind()
        return {what: one.last + behind for what, one in self.asked.items() if one.last is not None}


def last_asked(hooks: Mapping[str, HookCounts]) -> dict[str, float]:
    """When each was asked last."""
    return {what: when for counts in hooks.values() for what, when in counts.last.items()}


def how_often(hooks: Mapping[str, HookCounts], asked: str) -> int:
    """How often one of them was answered."""
    found = (counts.asked.get(asked) for counts in hooks.values())
    return sum(sum(one.answers.values()) for one in found if one is not None)
