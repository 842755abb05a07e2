"""Hazard: rotation is at work at the very moment we look."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from bench.kills_writer import GrowingLog
from logparse.tail import Tail
from tests.logparse.tailing import Reader, append, copytruncate, lines, rename

ROTATIONS = 120


@pytest.fixture
def _often() -> Iterator[None]:
    """Threads that take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("restarts", [False, True], ids=["one reader", "many readers"])
@pytest.mark.parametrize("seed", [2, 3], ids=["numbered files", "dated files"])
def test_no_line_is_lost_or_read_twice(tmp_path: Path, seed: int, restarts: bool) -> None:
    """A writer that does nothing but write a little and rotate, in all ways, and a reader."""
    path, chance = tmp_path / "mail.log", Random(seed)
    path.touch()
    tail, log = Tail(path), GrowingLog(tmp_path, seed)
    tail.read()

    def write() -> None:
        for _ in range(ROTATIONS):
            log.write(chance.randint(1, 20))
            log.rotate()

    writer = threading.Thread(target=write)
    writer.start()
    found, gap, pick = b"", 0, Random(seed)
    while True:
        finished = not writer.is_alive()
        block = tail.read(pick.choice((200, 5000, 65536)))
        if block is None:
            if finished:
                break
            continue
        found, gap = found + block.data, gap + block.gap
        if restarts and pick.random() < 0.1:
            position = json.loads(json.dumps(block.position))
            tail.close()
            tail = Tail(path, position)
    writer.join()
    tail.close()
    assert gap == 0
    assert found.count(b"\n") == log.truth.lines
    lines = [line for line in found.splitlines() if b"removed" in line]
    assert len(set(lines)) == len(lines)


def test_a_file_filled_anew_before_it_was_renamed(log: Path, ours: Reader) -> None:
    """Between the look at its end and the look for the next one, a file lives a second life."""
    live, moves = ours.tail._chain.live, [True]

    def looked() -> os.stat_result | None:
        if moves and moves.pop():
            copytruncate(log, "mail.log.2")
            append(log, 6, 40)
            rename(log)
            append(log, 41, 41)
        return live()

    ours.tail._chain.live = looked  # type: ignore[method-assign]
    found = ours.lines() + ours.lines()
    assert found == lines(6, 41)
    assert ours.gap == 0
