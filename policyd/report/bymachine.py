"""The machines of one log, each tallied by itself.

Contract: `read` takes blocks of a log and counts each machine's lines with a pipeline of its own,
so that their messages never meet. `tallies` is what each did, under its name; of more than `MOST`
machines the rest is "other". `settle` comes before anybody looks at them. Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from logparse.auto import AutoParser
from logparse.machines import machine_name
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Classify, Pipeline, ReceiverOf
from policyd.report.glance import Glance
from policyd.report.tally import OTHER, Tally

__all__ = ["MOST", "ByMachine"]

MOST = 200


class _MachineTally:
    """One machine."""

    def __init__(self, tally: Tally, glance: Glance, pipeline: Pipeline) -> None:
        self.tally, self.glance, self.pipeline = tally, glance, pipeline


class ByMachine:
    """See the module."""

    def __init__(
        self,
        classify: Classify,
        receiver_of: ReceiverOf,
        teach: Callable[[str, str], object],
        zone: tzinfo | None,
        now: float,
    ) -> None:
        self._classify, self._receiver_of, self._teach = classify, receiver_of, teach
        self._zone, self._now = zone, now
        self._front = AutoParser(zone, removed=False, neighbours=True)
        self._found: dict[bytes, _MachineTally] = {}

    def read(self, block: bytes) -> None:
        """Counts whole lines."""
        parts = self._front.parts(block, self._now).parts
        for part in parts:
            found = self._of(part.machine)
            found.pipeline.read(part, self._now)
            found.tally.bytes += len(part.text)
        first = self._of(parts[0].machine)
        first.pipeline.unread(self._front.unread())
        first.pipeline.counters.undated += self._front.take_undated()
        first.tally.bytes += len(block) - sum(len(part.text) for part in parts)  # of frames

    def settle(self) -> None:
        """Everything is in the tallies."""
        for found in self._found.values():
            found.glance.settle()
            counters, tally = found.pipeline.counters, found.tally
            tally.lines, tally.unparsed = counters.lines, counters.unparsed
            tally.undated = counters.undated

    def tallies(self) -> dict[str, Tally]:
        """What each machine did; names that differ only in their writing are one."""
        named: dict[str, Tally] = {}
        for machine, found in self._found.items():
            name = machine_name(machine)
            if name in named:
                named[name].merge(found.tally)
            else:
                named[name] = found.tally
        return named

    def _of(self, machine: bytes) -> _MachineTally:
        found = self._found.get(machine)
        if found is None and len(self._found) >= MOST:
            machine = OTHER.encode()
            found = self._found.get(machine)
        if found is None:
            tally = Tally()
            glance = Glance(tally, self._now, self._zone, self._teach)
            pipeline = Pipeline(
                self._classify,
                self._receiver_of,
                Counters(),
                on_attempt=tally.add,
                zone=self._zone,
                quick=glance,
                quick_exim=glance,
                neighbours=True,
            )
            found = self._found[machine] = _MachineTally(tally, glance, pipeline)
        return found
