"""The report's table of machines.

Contract: pure. Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policyd.report.rows import MachineRow
from policyd.report.tally import Tally

__all__ = ["machine_rows", "outcomes_of"]


def outcomes_of(tally: Tally) -> dict[str, int]:
    """Recipients of all receivers, by outcome."""
    outcomes: dict[str, int] = {}
    for row in tally.receivers.values():
        for outcome, count in row.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    return outcomes


def machine_rows(machines: Mapping[str, Tally]) -> tuple[MachineRow, ...]:
    """Several machines, the busiest first; one needs no table, nor do lines that name none."""
    rows = [
        MachineRow(name, t.lines, t.first, t.last, MappingProxyType(outcomes_of(t)))
        for name, t in machines.items()
        if t.receivers
    ]
    if len(rows) < 2:
        return ()
    return tuple(sorted(rows, key=lambda row: (-sum(row.outcomes.values()), row.host)))
