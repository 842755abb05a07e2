"""CPU seconds used inside a lab: by Postfix and by mxheed, with all that they started.

Contract: `used` reads the lab's /proc; differences of two readings are what was used between, also
by processes that ended meanwhile. Failure: `LabError` where Postfix does not run.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from tests.lab import Lab, LabError

__all__ = ["Cpu", "used"]

_TICKS = os.sysconf("SC_CLK_TCK")


class Cpu(NamedTuple):
    """Seconds, user and system."""

    mxheed: float  # with the postqueue commands it runs
    postfix: float

    def since(self, earlier: Cpu) -> Cpu:
        """What was used after an earlier reading."""
        return Cpu(self.mxheed - earlier.mxheed, self.postfix - earlier.postfix)


class _Process(NamedTuple):
    name: str
    parent: int
    seconds: float  # its own, and of children that have ended


def used(lab: Lab) -> Cpu:
    """What has been used until now."""
    table = dict(map(_process, lab.check("sh", "-c", "cat /proc/[0-9]*/stat; true").splitlines()))
    master = next((pid for pid, one in table.items() if one.name == "master"), None)
    if master is None:
        raise LabError("Postfix does not run")
    return Cpu(_family(table, lab.mxheed.pid), _family(table, master))


def _process(line: str) -> tuple[int, _Process]:
    """One line of /proc/PID/stat; the name stands in parentheses and may hold blanks."""
    head, _, tail = line.rpartition(") ")
    pid, _, name = head.partition(" (")
    fields = tail.split()  # from the third on: state, parent, …; times are 14 to 17
    return int(pid), _Process(name, int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)


def _family(table: dict[int, _Process], head: int) -> float:
    """A process and all that descend from it."""
    if head not in table:
        return 0.0
    children = (pid for pid, one in table.items() if one.parent == head)
    return table[head].seconds + sum(_family(table, pid) for pid in children)
