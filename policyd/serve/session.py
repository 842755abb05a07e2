"""One connection of one client process, and what has been counted over all of them.

Contract: a client process of Postfix (smtp(8), smtpd(8)) keeps one connection per endpoint, so a
`Session` is the memory shared by the questions of one process. Values only, no I/O.
Failure: none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["HookCounts", "Session"]


class Session:
    """What a handler may remember between two questions on the same connection."""

    __slots__ = ("memory", "peer", "pid", "serial")

    def __init__(self, serial: int = 0, peer: str = "", pid: int = 0) -> None:
        self.serial = serial
        self.pid = pid  # of the client process, 0: not known
        self.peer = peer  # for log lines only: "127.0.0.1:4711", "unix"
        self.memory: Any = None  # belongs to the handler, which alone knows its type


@dataclass(slots=True)
class HookCounts:
    """What one hook ("socketmap", "policy") has been asked, answered and suffered."""

    # by what was asked (the map's name, "policy") and the first word of the answer
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)  # by kind: "framing", "handler"…
    connections: int = 0  # open now
    opened: int = 0  # ever
