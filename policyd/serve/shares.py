"""Who may have how many descriptors, so that pages never take those of the hooks.

Contract: pure. `need` is how many files the process should be allowed; `share` divides what it is
allowed if that is less: two thirds of a small number, `OTHER` of a large one, is for the log, the
state and children; pages and control get their small part; the rest is divided among the hooks'
kinds of sockets (TCP and unix count apart), each at most what the settings say.
Failure: none; nobody gets less than one.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Shares", "need", "share"]

OTHER = 256  # the log, the state, children, what was accepted but has no place yet
CONTROL = 16


class Shares(NamedTuple):
    """Connections at a time."""

    hook: int = 4096  # for each hook over TCP, and for each over unix sockets
    http: int = 64
    control: int = CONTROL


def need(hook: int, http: int, kinds: int) -> int:
    """Open files for all that the settings allow."""
    return kinds * hook + http + CONTROL + OTHER


def share(files: int, hook: int, http: int, kinds: int) -> Shares:
    """The parts of so many open files."""
    if files >= need(hook, http, kinds):
        return Shares(hook, http)
    room = files - min(OTHER, 2 * files // 3)
    control = max(1, min(CONTROL, room // 16))
    pages = max(1, min(http, room // 8))
    left = (room - control - pages) // max(1, kinds)
    return Shares(max(1, min(hook, left)), pages, control)
