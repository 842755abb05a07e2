"""What became of each machine's mail, under a bounded number of names.

Contract: `Names.label(machine)` is the name a machine is told by: its own while there are few, else
"other"; a name that was given stays. `add` sums counts up. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policyd.counting.counters import OTHER

__all__ = ["NAMED", "MachineNames", "add"]

NAMED = 100  # machines that are told by name


class MachineNames:
    """See the module."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self.past: dict[str, dict[str, int]] = {}  # counts of machines that were forgotten

    def give(self, machine: str) -> None:
        """A machine speaks: it gets a name while there is one."""
        if len(self._names) < NAMED:
            self._names[machine] = None

    def label(self, machine: str) -> str:
        """The name it is told by."""
        return machine if machine in self._names else OTHER

    def forget(self, machine: str, counts: Mapping[str, int] | None) -> None:
        """A machine is forgotten, but not what became of its mail."""
        add(self.past.setdefault(self.label(machine), {}), counts)

    def sums(
        self, now: Iterable[tuple[str, Mapping[str, int] | None]]
    ) -> dict[tuple[str, ...], float]:
        """Counts by (machine, outcome): what was, and what is counted `now`."""
        found: dict[str, dict[str, int]] = {name: dict(old) for name, old in self.past.items()}
        for machine, counts in now:
            add(found.setdefault(self.label(machine), {}), counts)
        return {(name, what): n for name, counts in found.items() for what, n in counts.items()}

    def snapshot(self) -> dict[str, object]:
        """What must outlive a restart."""
        return {"names": list(self._names), "past": self.past}

    def restore(self, saved: Mapping[str, object]) -> None:
        """Takes a snapshot back."""
        names, past = saved.get("names"), saved.get("past")
        self._names = dict.fromkeys(map(str, names if isinstance(names, list) else ()))
        self.past = {}
        for name, counts in (past if isinstance(past, dict) else {}).items():
            add(self.past.setdefault(str(name), {}), counts)


def add(counts: dict[str, int], more: Mapping[str, int] | None) -> None:
    """Adds counts to counts."""
    for name, count in (more or {}).items():
        counts[str(name)] = counts.get(name, 0) + int(count)
