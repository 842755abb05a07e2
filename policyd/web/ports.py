"""What the sockets need from the rest of the daemon, as small shapes.

Contract: `Services` is filled in by `policyd.daemon`; everything in it answers from memory, at once
or in steps.
Failure: what a service raises is caught where its socket is served, and answered safely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from policyd.serve.policy import Handler as PolicyHandler
from policyd.serve.readsocket import GO, EximHandler
from policyd.serve.session import Session
from policyd.serve.socketmap import Handler as MapHandler
from policyd.serve.turns import Steps
from policyd.web.view import LogsView, Page

__all__ = ["Control", "Services"]


class Control(Protocol):
    """What an operator may do to the throttle. Refusals are `ControlError`s with words.

    A lane is told as the fields of `LaneView`.
    """

    def overview(self) -> dict[str, Any]:
        """{"active", "mode", "lanes"}: every lane with something to tell (and its "receiver")."""

    def explain(self, receiver: str, pool: str | None) -> dict[str, Any]:
        """{"receiver", "lanes"}: with evidence and what is next; no lanes before the first mail."""

    def change(self, verb: str, receiver: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Obey, and return the receiver as `explain` does. All take "pool" (missing: all pools).

        pin: "state", "seconds", "rate" (a second; slowed only) · cancel · extend: "seconds" ·
        set: "rate".
        """

    def switch(self, on: bool) -> dict[str, Any]:
        """off: let everything go and step aside; on: pace again. Returns {"active", "held"}."""

    async def release(self) -> dict[str, Any]:
        """Try whether held messages can be let go: {"enabled", "trouble": words, counts}."""

    async def reload(self) -> dict[str, Any]:
        """Read the configuration anew; one with mistakes is refused with its mistakes."""


@dataclass(frozen=True, slots=True)
class Services:
    """Who answers what."""

    clock: Callable[[], float]
    maps: Mapping[str, MapHandler]
    policy: PolicyHandler
    metrics: Callable[[], Steps[Sequence[bytes] | None]]  # None: the log is not caught up with yet
    troubles: Callable[[], Mapping[str, str]]  # what is not well, and why; empty: healthy
    page: Callable[[int | None], Steps[Page]]  # of so many receivers at most
    control: Control | None = None
    closed: Callable[[Session], None] | None = None  # a socketmap connection has ended
    logs: Callable[[], LogsView] = LogsView  # how each log is read
    exim: EximHandler = lambda question, session: GO
    wall: Callable[[], float] | None = None  # POSIX seconds, where `clock` is something else
