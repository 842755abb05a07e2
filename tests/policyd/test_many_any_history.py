"""Several logs, each with a history of its own: every line counted once, whoever is killed when."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bench.genlog import Exim, Postfix
from logparse.source import Position, Source
from logparse.tail import Tail
from policyd.counting.pipeline import Pipeline
from policyd.reading.many import RESCAN, Many
from policyd.settings.logs import AskedLog, asked
from tests.policyd.test_machines import NOW, machines, numbers
from tests.policyd.test_pipeline import classify, receiver_of

# queue ids and process ids are the same everywhere; a relay's file holds two machines, one of which
# runs both mail systems, and the lines of an Exim that writes no machine's name
POSTFIX = [line for line in islice(Postfix(3, "rfc3339").lines(), 4000) if b"/smtp[" in line]
EXIM = [line for line in islice(Exim(3).lines(), 3000) if b" => " in line or b" == " in line]
HOST = b" " + POSTFIX[0].split()[1] + b" "
LOGS = {
    "one.log": ("mx1",),
    "two.log": ("mx2", "mx3", "own"),
    "mainlog": ("",),
    "hosts/a.log": ("a",),
}


def lines_of(machine: str) -> list[bytes]:
    """A machine's log."""
    if machine in ("", "own"):
        return EXIM
    name = machine.encode()
    mine = [line.replace(HOST, b" " + name + b" ", 1) for line in POSTFIX]
    framed = b"2026-11-02T06:00:00.000000+00:00 " + name + b" exim[7]: "
    every = iter([framed + line for line in EXIM] if machine == "mx3" else [])
    return [line for own in mine for line in (own, *islice(every, len(own) % 2))]


class ManyHistories(RuleBasedStateMachine):
    """Four logs with six machines, and one reader that may be killed."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="many-"))
        (self.folder / "hosts").mkdir()
        self.left = {
            name: list(reversed(lines_of(name))) for name in ("mx1", "mx2", "mx3", "own", "", "a")
        }
        self.written: dict[str, list[bytes]] = {name: [] for name in self.left}
        self.rotations = 0
        self.now = 1000.0
        for name in ("one.log", "two.log", "mainlog"):
            (self.folder / name).touch()
        self.saved: tuple[str, str, Any] = ("{}", "", [])
        self.start()
        self.commit()

    def start(self) -> None:
        """A reader, from what was committed last."""
        position, snapshot, rows = self.saved
        self.machines = machines()
        self.counters = self.machines.counters  # type: ignore[attr-defined]
        self.counters.load(rows)
        if snapshot:
            self.machines.restore(json.loads(snapshot))
        texts = ["one.log", "two.log", "mainlog", "hosts/*.log"]
        logs = [asked(f"{self.folder}/{text}") for text in texts]
        self.many = Many(logs, json.loads(position), self.open, lambda: self.now)
        self.position: Position = self.many.position

    @staticmethod
    def open(log: AskedLog, position: Position) -> Source:
        return Tail(log.path, position)

    def teardown(self) -> None:
        if not hasattr(self, "many"):
            return
        try:
            self.read_all()
            self.judge()
        finally:
            self.many.close()
            shutil.rmtree(self.folder)

    def judge(self) -> None:
        """The numbers are those of each machine's lines, read by themselves."""
        expected: Counter[tuple[Any, ...]] = Counter()
        for lines in self.written.values():
            expected += self.alone(lines)
        assert numbers(self.counters) == expected

    @staticmethod
    def alone(lines: list[bytes]) -> Any:
        counters = machines().counters  # type: ignore[attr-defined]
        if lines:
            Pipeline(classify, receiver_of, counters).process(b"".join(lines), NOW)
        return numbers(counters)

    @rule(log=st.sampled_from(sorted(LOGS)), count=st.integers(1, 25), first=st.booleans())
    def append(self, log: str, count: int, first: bool) -> None:
        """Its machines write in turns."""
        names = LOGS[log] if first else LOGS[log][::-1]
        with (self.folder / log).open("ab") as file:
            for number in range(count):
                name = names[number % len(names)]
                if self.left[name]:
                    line = self.left[name].pop()
                    self.written[name].append(line)
                    file.write(line)

    @rule(log=st.sampled_from(sorted(LOGS)), dated=st.booleans())
    def rotate(self, log: str, dated: bool) -> None:
        path = self.folder / log
        if not path.exists() or not path.stat().st_size:
            return
        if str(path) not in json.loads(self.saved[0]).get("sources", {}):
            return  # it came and went between two looks: that leaves no trace
        self.rotations += 1
        os.rename(
            path,
            f"{path}-{1_795_000_000 + self.rotations}"
            if dated
            else f"{path}.{99 - self.rotations}",
        )
        path.touch()

    @rule(limit=st.integers(1, 3000))
    def read(self, limit: int) -> None:
        block = self.many.read(limit)
        if block is None:
            self.now += 1.0
            return
        assert not block.gap
        self.machines.enter(block.source, block.fresh)
        self.machines.process(block.data, NOW)
        self.position = block.position

    @rule()
    def read_all(self) -> None:
        quiet = 0
        while quiet < RESCAN + 4:
            before = self.position
            self.read(65536)
            quiet = quiet + 1 if self.position is before else 0
        self.position = self.many.position

    @rule()
    def commit(self) -> None:
        position = self.position or self.many.position
        saved = b"".join(self.machines.snapshot()).decode()
        self.saved = (json.dumps(position), saved, self.counters.dump())

    @rule()
    def kill(self) -> None:
        self.many.close()
        self.start()


ManyHistories.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestManyHistories = ManyHistories.TestCase
