"""A log whose file system hangs stands still by itself: the others are read, and commits go on.

What hangs is real: another process holds a lease on the file, so that the kernel keeps whoever
opens it waiting, up to 45 seconds, as it does where the server of a network file system is gone.
"""

from __future__ import annotations

import asyncio
import fcntl
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from logparse.source import Block, Position, Source
from logparse.tail import Tail
from policyd.counting.counters import Counters
from policyd.reading.alone import Alone
from policyd.reading.errand import STANDS, Errands
from policyd.reading.follow import Follower
from policyd.reading.many import Many
from policyd.settings.logs import AskedLog, asked
from policyd.store import Store

LINE = b"2026-11-28T10:00:00+00:00 mx1 postfix/qmgr[1]: 4D00000001: removed " + b"." * 60 + b"\n"
SOON = 20.0  # seconds that no machine needs, and fewer than a lease lasts


def _hold(path: Path, pipe: Connection) -> None:
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel asks for the lease: it is kept
    fd = os.open(path, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    pipe.send("held")
    pipe.recv()


@contextmanager
def hung(path: Path) -> Iterator[Callable[[], None]]:
    """Whoever opens this file waits; what is given ends that."""
    here, there = multiprocessing.Pipe()
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(path, there))
    holder.start()
    try:
        assert here.recv() == "held"
        yield lambda: here.send("enough")
    finally:
        holder.kill()
        holder.join()


def _open(log: AskedLog, position: Position) -> Source:
    with open(log.path, "rb"):  # waits, as `Tail` would for a server: leases it asks politely
        return Tail(log.path, position)


def until(source: Source, wanted: int) -> list[Block]:
    """So many blocks, within a time that a lease outlasts."""
    found: list[Block] = []
    end = time.monotonic() + SOON
    while len(found) < wanted and time.monotonic() < end:
        block = source.read()
        if block is None:
            time.sleep(0.02)
        else:
            found.append(block)
    return found


@pytest.fixture
def logs(tmp_path: Path) -> tuple[Path, Path]:
    """Two logs with a line each."""
    for name in ("hung.log", "well.log"):
        (tmp_path / name).write_bytes(LINE)
    return tmp_path / "hung.log", tmp_path / "well.log"


def test_a_log_that_hangs_stops_no_other(logs: tuple[Path, Path]) -> None:
    """The other log is read again and again; the one that hangs goes on when it answers."""
    bad, well = logs
    source = Many([asked(str(bad)), asked(str(well))], {}, _open, time.monotonic, 0.1)
    with hung(bad) as answer:
        assert [block.source for block in until(source, 1)] == [str(well)]
        with well.open("ab") as file:
            file.write(LINE)
        assert [block.source for block in until(source, 1)] == [str(well)]
        answer()
        assert [block.source for block in until(source, 1)] == [str(bad)]
    source.close()


def test_a_log_that_hangs_is_told(logs: tuple[Path, Path]) -> None:
    """Its status says so, and that there is something to read is no reason to wait for it."""
    bad, well = logs
    late = 0.0
    source = Many(
        [asked(str(bad)), asked(str(well))], {}, _open, lambda: time.monotonic() + late, 0.1
    )
    with hung(bad):
        assert len(until(source, 1)) == 1
        late = STANDS
        assert source.read() is None
        trouble = {status.name: status.trouble for status in source.status()}
        assert "no answer" in trouble[str(bad)]
        assert trouble[str(well)] == ""
        source.close()


def test_a_glob_that_hangs_stops_no_other(logs: tuple[Path, Path], tmp_path: Path) -> None:
    """Files of other globs are found and read while one glob's file cannot even be opened."""
    bad, _ = logs
    (tmp_path / "others").mkdir()
    (tmp_path / "others/mx1.log").write_bytes(LINE.replace(b"mx1", b"mx2"))
    globs = [asked(f"{tmp_path}/h*.log"), asked(f"{tmp_path}/others/*.log")]
    source = Many(globs, {}, _open, time.monotonic, 0.1)
    with hung(bad) as answer:
        assert [block.source for block in until(source, 1)] == [f"{tmp_path}/others/mx1.log"]
        answer()
        assert [block.source for block in until(source, 1)] == [str(bad)]
    source.close()


def test_who_follows_a_log_that_hangs_can_end(logs: tuple[Path, Path], tmp_path: Path) -> None:
    """What became of documents is committed and the daemon ends, though its only log hangs."""
    bad, _ = logs
    store = Store.open(tmp_path / "state.db")

    async def run() -> float:
        follower = Follower(
            Alone(asked(str(bad)), {}, _open, time.monotonic, 0.1),
            store,
            Counters(),
            lambda block, now: None,
            clock=time.time,
            documents={"note": lambda: b"kept"},
            interval=0.05,
        )
        running = asyncio.create_task(follower.run())
        follower.touch()
        while "note" not in store.load().documents:
            await asyncio.sleep(0.02)
        begun = time.monotonic()
        follower.stop()
        await running
        return time.monotonic() - begun

    with hung(bad):
        assert asyncio.run(asyncio.wait_for(run(), SOON)) < SOON
    store.close()


def test_logs_that_hang_are_let_go_of_together(tmp_path: Path) -> None:
    """A stop waits for the first of them only, however many there are (a lease keeps no close)."""
    answer, closed = threading.Event(), threading.Semaphore(0)

    class Stuck(Tail):
        def close(self) -> None:
            answer.wait(SOON)
            super().close()
            closed.release()

    paths = [tmp_path / f"{number}.log" for number in range(8)]
    for path in paths:
        path.write_bytes(LINE)
    source = Many(
        [asked(str(path)) for path in paths],
        {},
        lambda log, position: Stuck(log.path, position),
        time.monotonic,
        1.0,
    )
    assert len(until(source, 8)) == 8
    began = time.monotonic()
    source.close()
    took = time.monotonic() - began
    answer.set()
    assert took < 4.0
    assert all(closed.acquire(timeout=SOON) for _ in paths)


def test_the_only_log_is_read_on_when_it_answers(logs: tuple[Path, Path]) -> None:
    """Nothing is lost, and meanwhile it is told what is waited for."""
    bad, _ = logs
    late = 0.0
    source = Alone(asked(str(bad)), {}, _open, lambda: time.monotonic() + late, 0.1)
    with hung(bad) as answer:
        assert source.read() is None
        assert source.waiting is None
        late = STANDS
        assert source.read() is None
        assert source.waiting is not None
        answer()
        assert [block.data for block in until(source, 1)] == [LINE]
    assert source.waiting is None
    source.close()


def test_an_error_nobody_thought_of_stops_no_other(logs: tuple[Path, Path]) -> None:
    """A mistake in reading one log is that log's trouble."""
    bad, well = logs

    def open_one(log: AskedLog, position: Position) -> Source:
        if log.path == str(bad):
            raise ZeroDivisionError("a mistake")
        return Tail(log.path, position)

    source = Many([asked(str(bad)), asked(str(well))], {}, open_one, time.monotonic)
    assert [block.source for block in until(source, 1)] == [str(well)]
    assert "a mistake" in source.status()[0].trouble
    source.close()


def test_an_errand_that_does_not_come_back_costs_a_thread() -> None:
    """The next one has a thread of its own; what was raised is raised where the result is taken."""
    errands, door = Errands(), threading.Event()
    first = errands.send(door.wait, 0.05)
    assert not first.done
    second = errands.send(lambda: 1 // 0, SOON)
    assert second.done
    with pytest.raises(ZeroDivisionError):
        second.result()
    door.set()
    assert first.wait(SOON)
    errands.close()
