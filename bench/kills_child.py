"""The daemon's inside as a process that may be killed: follower, pipeline, counters and store.

    python -m bench.kills_child FOLDER [--drain] [--sources N]

Contract: follows FOLDER/mail.log with its state in FOLDER/state.db, and says "following" once. With
several sources it follows FOLDER/mx*/mail.log, two of which are found by a glob.
`--drain` ends cleanly at the end of the log. Replies are judged by a rule of thumb: what the rules
say is not what is shown here, and they would take longer to load than the process may live.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

from logparse.auto import AutoParser
from logparse.source import Position, Source
from logparse.tail import Tail
from policyd.counting.counters import Counters
from policyd.counting.here import Here, Role
from policyd.counting.machines import Machines
from policyd.counting.pipeline import Pipeline
from policyd.memory.memory import Memory
from policyd.memory.pieces import pieces
from policyd.memory.settings import MemorySettings
from policyd.reading.follow import Follower
from policyd.reading.sources import choose
from policyd.store import Store
from rules.verdict import Verdict


def judge(reply: str, **_: Any) -> Verdict:
    """One of two categories."""
    stance, category = ("slow", "rate") if reply[:1] == "4" else ("stop", "gone")
    return Verdict(category, "thumb", None, "receiver", stance, False)  # type: ignore[arg-type]


def receiver(host: str | None, address: str | None, domain: str) -> str:
    """The domain behind the host."""
    return (host or domain).removeprefix("mx.")


def machines(counters: Counters) -> Machines:
    """Each source is a machine's, and they count alike."""

    def make(role: Role, machine: str) -> Pipeline:
        return Pipeline(judge, receiver, counters)

    return Machines(make, AutoParser, Here(lambda: ("mx0",)), by_host=True)


def source_of(folder: Path, sources: int, position: Position) -> Source:
    """One log, or several."""
    if sources == 1:
        return Tail(folder / "mail.log", position)
    chosen = choose((f"{folder}/mx0/mail.log", f"{folder}/mx[1-9]*/mail.log"), clock=time.time)
    return chosen.open(position)


async def follow(folder: Path, drain: bool, sources: int = 1) -> None:
    """Until killed, or to the end of the log."""
    store = Store.open(folder / "state.db")
    saved = store.load()
    counters = Counters()
    counters.load(saved.counters)
    pipeline = machines(counters)
    memory = Memory(counters, MemorySettings(), time.time, time.time)
    memory.begin((), store)

    def process(block: bytes, now: float) -> None:
        for minute, lines in pieces(block):
            memory.minute(pipeline.source, minute)
            pipeline.process(lines, now)
            memory.reached(pipeline.reached)

    if "pipeline" in saved.documents:
        pipeline.restore(json.loads(saved.documents["pipeline"]))
    follower = Follower(
        source_of(folder, sources, saved.position),
        store,
        counters,
        process,
        clock=time.time,
        enter=pipeline.enter,
        documents={
            "pipeline": lambda: b"".join(pipeline.snapshot()),
            "lines": lambda: str(counters.lines).encode(),  # must be what the counters say
        },
        interval=0.02,
        poll=0.005,
        memory=memory,
    )
    print("following", flush=True)
    running = asyncio.create_task(follower.run())
    while drain and not follower.caught_up:
        await asyncio.sleep(0.01)
    if drain:
        follower.stop()
    await running
    store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--drain", action="store_true")
    parser.add_argument("--sources", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(follow(options.folder, options.drain, options.sources))
