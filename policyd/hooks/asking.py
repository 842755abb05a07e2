"""The attempt a delivery agent is making: what it asked and what it was told.

Contract: a record of the gate's (policyd.hooks.mxgate), one for each attempt, kept with the agent's
connection. Failure: none.
"""

from __future__ import annotations

from typing import Any, Protocol

from policyd.hooks.questions import Questions
from policyd.throttle.book.door import Waiter
from policyd.throttle.book.queueid import Locked
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.window import Attempt

__all__ = ["Asking", "HasMemory"]


class HasMemory(Protocol):
    """The part of a connection's session that the gate uses."""

    memory: Any


class Asking:
    """See the module."""

    __slots__ = (
        "asker", "at", "attempt", "behind", "beside", "best", "checked", "ended", "first", "four",
        "good", "lane", "left", "message", "offered", "part", "pool", "questions", "seen", "shut",
        "tells", "waiter",
    )  # fmt: skip

    def __init__(self, questions: Questions, before: Asking | None) -> None:
        self.questions = questions
        self.lane: LaneState | None = None
        self.attempt: Attempt | None = None
        self.waiter: Waiter | None = None  # at the door
        self.checked = -1  # the preference that was kept last
        self.shut = False  # an address was dropped: so is what follows
        # whether the status filter speaks on this connection
        self.tells: bool = before is not None and before.tells
        self.ended = False  # it told this attempt's end
        self.beside = False  # it has turned to another next-hop
        self.behind = b""  # the next-hop behind which this one is a known fallback
        self.first = before is None  # on this connection
        self.part = False  # whoever was asked before us may have been asked for its beginning
        self.pool: str | None = None  # by which it goes, once an address was asked for
        self.message: object = None  # whose attempt it is, where that must be known,
        self.asker: Locked | None = None  # its queue file, where a sender is blamed
        self.seen = False  # and was seen to be still
        self.at = b"", b""  # the exchanger and the address that are asked for
        self.good = -1  # the preference at which an address that answers was kept last
        self.four = -1  # the preference at which an IPv4 address without trouble was kept last
        self.best = -1  # the preference of the first address that was kept
        self.left = -1  # the preference at which an address was left out
        self.offered: list[str] = []  # the addresses of that preference that were

    @property
    def bereft(self) -> bool:
        """Whether each address so far was left out, for an equal one that was not asked for yet."""
        return self.left >= 0 and self.best < 0 and not self.shut

    def is_equal(self, host: bytes | None) -> bool:
        """Whether this exchanger is an equal of the one that was left out."""
        return host is not None and self.questions.hosts[host] == self.left
