"""The follower: nothing lost between source, counters and store, and nobody kept waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from logparse.errors import LogError
from logparse.source import LIMIT, Block, Position
from logparse.tail import Tail
from policyd.errors import StoreError
from policyd.reading.follow import Follower
from policyd.store import Store
from policyd.store.sqlite import Change


class Counters:
    """Counts lines, as simply as can be."""

    def __init__(self) -> None:
        self.lines = 0
        self.gap_bytes = 0
        self.saved = (0, 0)

    def process(self, block: bytes, now: float) -> None:
        if b"poison" in block:
            raise ValueError("a bug")
        self.lines += block.count(b"\n")

    def dump(self) -> list[Change]:
        return [("lines", (), self.lines), ("gap", (), self.gap_bytes)]

    def take(self) -> list[Change]:
        rows = self.dump() if self.saved != (self.lines, self.gap_bytes) else []
        self.saved = (self.lines, self.gap_bytes)
        return rows

    def put_back(self, changes: Iterable[Change]) -> None:
        self.saved = (0, 0)


class Script:
    """A source that plays a list of blocks, errors and silences."""

    def __init__(self, *steps: Block | Exception | None) -> None:
        self.steps = list(steps)
        self.closed = False
        self.position: Position = {}

    def read(self, limit: int = LIMIT) -> Block | None:
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            self.position = step.position
        return step

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store in a file."""
    opened = Store.open(tmp_path / "mxheed.db")
    yield opened
    opened.close()


def follow(
    source: Script | Tail,
    store: Store,
    counters: Counters,
    until: Callable[[Follower], bool] = lambda follower: follower.caught_up,
    **options: object,
) -> Follower:
    """Run a follower until something is true of it."""

    async def run() -> Follower:
        follower = Follower(
            source,
            store,
            counters,
            counters.process,
            clock=lambda: 0.0,
            poll=0.001,
            **options,  # type: ignore[arg-type]
        )
        task = asyncio.create_task(follower.run())
        async with asyncio.timeout(20):
            while not until(follower) and not task.done():
                await asyncio.sleep(0)
        follower.stop()
        await task
        return follower

    return asyncio.run(run())


def block(number: int, data: bytes = b"line\n", gap: int = 0, end: bool = False) -> Block:
    return Block(data, {"at": number}, gap, end)


def test_a_clean_stop_commits_everything(store: Store) -> None:
    """Position, counters and documents of the last block are on disk."""
    counters = Counters()
    source = Script(block(1), block(2, b"a\nb\n", gap=7), block(3))
    follow(source, store, counters, documents={"lines": lambda: b"%d" % counters.lines})
    saved = store.load()
    assert saved.position == {"at": 3}
    assert sorted(saved.counters) == [("gap", (), 7), ("lines", (), 4)]
    assert saved.documents == {"lines": b"4"}
    assert source.closed


def test_caught_up_means_read_to_the_end(store: Store) -> None:
    """Before the end of the log was seen once, the numbers are older than those known."""
    counters = Counters()
    seen: list[tuple[int, bool]] = []

    def until(follower: Follower) -> bool:
        seen.append((counters.lines, follower.caught_up))
        return follower.caught_up

    follow(
        Script(*[block(number) for number in range(9)], block(9, end=True)), store, counters, until
    )
    assert (10, True) in seen
    assert all(not caught_up for lines, caught_up in seen if lines < 10)


def test_an_error_is_no_end(store: Store) -> None:
    """A log that cannot be read was not read to its end."""
    source = Script(block(1), LogError("no"), LogError("no"), block(2), None)
    follower = follow(source, store, Counters())
    assert follower.caught_up
    assert store.load().position == {"at": 2}


def test_errors_are_said_once_and_back_off(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The same error again and again is one line in our own log, and ever rarer attempts."""
    errors = [OSError(5, "broken disk")] * 6
    follow(Script(*errors, block(1), None), store, Counters())
    assert caplog.text.count("cannot be read") == 1
    assert caplog.text.count("broken disk") == 1


def test_a_missing_log_is_trouble_and_no_obstacle(tmp_path: Path, store: Store) -> None:
    """Whoever looks at the daemon sees what it waits for; its numbers are as new as can be."""
    follower = follow(Tail(tmp_path / "mail.log"), store, Counters())
    assert follower.caught_up
    assert "mail.log: No such file" in (follower.trouble or "")


def test_what_cannot_be_written_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed commit loses nothing: the next one brings it."""
    commit, failures = store.commit, [3]

    def fail(*args: object, **options: object) -> None:
        if failures[0]:
            failures[0] -= 1
            raise StoreError("no")
        commit(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "commit", fail)
    counters = Counters()
    steps = [item for number in range(1, 9) for item in (block(number), None)]
    follow(
        Script(*steps),
        store,
        counters,
        until=lambda _: counters.lines == 8 and not failures[0],
        interval=0.0,
        documents={"lines": lambda: b"%d" % counters.lines},
    )
    saved = store.load()
    assert saved.position == {"at": 8}
    assert ("lines", (), 8) in saved.counters
    assert saved.documents == {"lines": b"8"}


def test_a_store_begun_anew_gets_everything(store: Store) -> None:
    """Where the store lost what it had, all rows are written and not only the new ones."""
    counters = Counters()
    counters.lines, counters.saved = 100, (100, 0)
    store.wants_all = True
    follow(Script(None), store, counters)
    assert ("lines", (), 100) in store.load().counters
    assert not store.wants_all


def test_a_block_that_breaks_the_processing_is_a_gap(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad block is logged and counted; the next start does not fall over it again."""
    counters = Counters()
    follower = follow(Script(block(1), block(2, b"poison\n"), block(3)), store, counters)
    assert (counters.lines, counters.gap_bytes, follower.failures) == (2, 7, 1)
    assert "a bug" in caplog.text
    assert store.load().position == {"at": 3}


def test_a_document_changed_by_others_is_committed(store: Store) -> None:
    """What an operator pinned survives kill -9 on a quiet machine."""
    pins = [b"none"]
    committed: list[bytes] = []

    def until(follower: Follower) -> bool:
        if follower.caught_up and pins == [b"none"]:
            pins[0] = b"google"
            follower.touch()
        committed.append(store.load().documents.get("pins", b""))
        return committed[-1] == b"google"

    follow(Script(), store, Counters(), until, interval=0.0, documents={"pins": lambda: pins[0]})
    assert committed[-1] == b"google"


def test_the_first_position_is_committed_before_any_line(tmp_path: Path, store: Store) -> None:
    """A log that was empty at the first start and rotated during the second is read whole."""
    log = tmp_path / "mail.log"
    log.touch()
    counters = Counters()
    follow(Tail(log), store, counters)
    log.write_bytes(b"1\n2\n")
    log.rename(tmp_path / "mail.log.1")
    log.write_bytes(b"3\n")
    follow(Tail(log, store.load().position), store, counters)
    assert counters.lines == 3


def test_slow_work_is_done_in_small_pieces(store: Store) -> None:
    """Where a block takes long, the next ones are smaller; where there is time, larger again."""
    limits: list[int] = []

    class Source(Script):
        def read(self, limit: int = LIMIT) -> Block | None:
            limits.append(limit)
            return super().read(limit)

    counters = Counters()
    spin = counters.process

    def process(data: bytes, now: float) -> None:
        end = time.perf_counter() + (0.003 if len(limits) < 8 else 0.0)
        while time.perf_counter() < end:
            pass
        spin(data, now)

    counters.process = process  # type: ignore[method-assign, assignment]
    blocks = [block(number, b"line\n" * 13_000) for number in range(40)]
    follow(Source(*blocks), store, counters)
    assert limits[0] == LIMIT
    assert min(limits) == 4096
    assert max(limits[20:]) > 4096


def test_others_have_their_turn_during_a_backlog(tmp_path: Path, store: Store) -> None:
    """While a long log is read, other tasks wait for a few milliseconds of its work, not for more.

    Its work is the loop's CPU time: how long that takes by the clock says what else runs here.
    """
    log = tmp_path / "mail.log"
    log.write_bytes(b"a line of a mail log, somewhat shorter than most of them are\n" * 300_000)
    counters, waits = Counters(), [0.0]
    last = [time.thread_time()]

    def until(follower: Follower) -> bool:
        now = time.thread_time()
        waits.append(now - last[0])
        last[0] = now
        return follower.caught_up

    follow(Tail(log), store, counters, until)
    assert counters.lines == 300_000
    assert len(waits) > 280  # at least one turn a block
    waits.sort()
    assert waits[len(waits) * 95 // 100] < 0.01


def test_a_quiet_log_wakes_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing comes, the thread looks at the log again and again and the loop sleeps."""
    looks, turns = [0], [0]

    class Quiet(Script):
        def read(self, limit: int = LIMIT) -> Block | None:
            looks[0] += 1
            return None

    submit = ThreadPoolExecutor.submit

    def counted(self: ThreadPoolExecutor, *job: object) -> object:
        turns[0] += 1
        return submit(self, *job)  # type: ignore[arg-type]

    monkeypatch.setattr(ThreadPoolExecutor, "submit", counted)
    follow(Quiet(), store, Counters(), lambda _: looks[0] >= 50)
    assert turns[0] <= 3
