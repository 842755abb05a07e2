"""The daemon's way through the log: read, count, commit, and let others have their turn.

Contract: one `Follower` per source, which may be several logs. Blocks are read in a thread and
processed in the event loop, one at a time; a block is only as large as can be processed in about
`TURN` seconds, and that is what a policy answer may have to wait. Position, counters and documents
are taken between two blocks and
written in one transaction. `caught_up` is set as soon as the log was read to the end for the first
time: before that the numbers are older than those a scraper may have seen. Where nothing comes,
the thread alone waits for it, and the event loop sleeps. `run` ends after `stop`, with a last
commit. The clock is an argument.
Failure: what cannot be read or written is said once and tried again, ever more slowly up to half a
minute; meanwhile everything goes on in memory. A block that breaks the processing is logged and
counted as a gap: one bad line must not stop the daemon at every start.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from sqlite3 import Connection
from typing import NamedTuple, Protocol

from logparse.errors import LogError
from logparse.source import LIMIT, Block, Position, Source
from policyd.errors import StoreError
from policyd.store import Store
from policyd.store.sqlite import Change, Documents

__all__ = ["Counting", "Follower"]

_log = logging.getLogger(__name__)

TURN = 0.002  # seconds that processing a block may take, about
SMALLEST = 4096  # bytes of a block, however long that takes
SLOWEST = 30.0  # seconds between two attempts to read a log that gives errors
PATIENCE = 60.0  # seconds the thread waits for something new before it says that nothing came


class Counting(Protocol):
    """What the follower needs of the counters (`policyd.counting.counters.Counters`)."""

    gap_bytes: int

    def take(self) -> list[Change]:
        """What changed since the last time."""

    def put_back(self, changes: Iterable[Change]) -> None:
        """Not saved after all."""

    def dump(self) -> list[Change]:
        """Everything."""


class Noting(Protocol):
    """What is remembered beside the counters (`policyd.memory.memory.Memory`)."""

    def take(self) -> Callable[[Connection], None]:
        """What is to be written, and how."""

    def put_back(self) -> None:
        """What was taken last is not written after all."""


class _Nothing:
    """The memory of who has none."""

    def take(self) -> Callable[[Connection], None]:
        return lambda db: None

    def put_back(self) -> None:
        """Nothing was taken."""


class _Commit(NamedTuple):
    """What is written together; the event loop takes it, a thread writes it."""

    store: Store
    position: Position
    changes: list[Change]
    rows: list[Change]
    documents: dict[str, bytes]
    complete: bool
    notes: Callable[[Connection], None]

    def write(self) -> bool:
        try:
            self.store.commit(
                self.position,
                self.rows,
                self.documents,
                complete=self.complete,
                also=self.notes,
            )
        except StoreError:
            return False
        return True


class Follower:
    """See the module."""

    def __init__(
        self,
        source: Source,
        store: Store,
        counters: Counting,
        process: Callable[[bytes, float], None],
        *,
        clock: Callable[[], float],
        documents: Documents | None = None,
        interval: float = 1.0,
        poll: float = 0.05,
        report: Callable[[str | None], None] = lambda trouble: None,
        enter: Callable[[str, bool], None] = lambda source, fresh: None,
        memory: Noting | None = None,
    ) -> None:
        self.caught_up = False
        self.opened = False  # something, or the lack of it, was read once
        self.failures = 0  # blocks that broke the processing
        self.at_end = False  # nothing more stood in the log when it was looked at last
        self.gap = 0  # bytes lost since the start
        self.source = source
        self._error: str | None = None
        self._store = store
        self._counters = counters
        self._process = process
        self._clock = clock
        self._documents = documents or {}
        self._memory = memory or _Nothing()
        self._interval = interval
        self._poll = poll
        self._report = report  # told after each reading why there is no log, or None
        self._enter = enter  # told before a block of which log it is, and if it is quite new
        self._position = source.position
        self._begun = 0
        self._dirty = False
        self._limit = LIMIT
        self._kept: dict[str, bytes] = {}  # documents as last written
        self._stopping = False
        self._woken = threading.Event()  # the thread shall not wait any longer

    @property
    def trouble(self) -> str | None:
        """Why the log cannot be read at the moment: an error, or what the source waits for."""
        return self._error or getattr(self.source, "waiting", None)

    def touch(self) -> None:
        """A document has changed by other means than the log: commit it soon."""
        self._dirty = True
        self._woken.set()

    def hurry(self) -> None:
        """Somebody waits for what the log tells: look now."""
        self._woken.set()

    def stop(self) -> None:
        """End `run` soon, after a last commit."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Follow the log until `stop`."""
        loop = asyncio.get_running_loop()
        next_commit = loop.time() + self._interval
        rest, pause = 0.0, self._poll
        at_end = False
        with ThreadPoolExecutor(1, "mxheed-log") as thread:
            try:
                while not self._stopping:
                    self._woken.clear()
                    wait = max(0.0, next_commit - loop.time()) if self._dirty else PATIENCE
                    patience = wait if self.caught_up else 0.0
                    try:
                        block = await loop.run_in_executor(
                            thread, self._read, min(rest, wait), patience
                        )
                        self._say(None)
                        pause = self._poll
                    except (LogError, OSError) as error:
                        self._say(str(error))
                        block, pause = None, min(pause * 2, SLOWEST)
                    self.opened = self.opened or self.trouble is None
                    self._report(self.trouble)
                    if block is not None:
                        begun = loop.time()
                        fresh = block.fresh if block.source else at_end
                        self._enter(block.source, fresh and self.caught_up)
                        self._take(block)
                        self._adapt(len(block.data), loop.time() - begun)
                    else:
                        self._remember()
                    self.at_end = at_end = block is None or block.end
                    self.caught_up = self.caught_up or (at_end and self._error is None)
                    if self._dirty and loop.time() >= next_commit:
                        commit = self._commit()
                        self._written(commit, await loop.run_in_executor(thread, commit.write))
                        next_commit = loop.time() + self._interval
                    rest = pause if at_end else 0.0
            finally:
                thread.shutdown()
                self._commit().write()
                self.source.close()

    def _remember(self) -> None:
        """Nothing came: it matters where that was, if it is a log that was never read before."""
        begun = getattr(self.source, "begun", 0)
        if not self._position or begun != self._begun:
            self._begun, self._position = begun, self.source.position
            self._dirty = self._dirty or bool(self._position)

    def _read(self, rest: float, patience: float) -> Block | None:
        """In the thread: after a rest the next block; None: nothing came for so long."""
        self._woken.wait(rest)  # what is written meanwhile comes as one block, not line by line
        while True:
            block = self.source.read(self._limit)
            if block is not None or patience <= 0 or self._woken.wait(self._poll):
                return block
            patience -= self._poll

    def _take(self, block: Block) -> None:
        """Count one block; from here to the next `await` nothing else happens."""
        if block.data:
            try:
                self._process(block.data, self._clock())
            except Exception:  # whatever it is, the next start would meet it again
                self.failures += 1
                self._counters.gap_bytes += len(block.data)
                if not self.failures & (self.failures - 1):  # 1, 2, 4, 8…: it may be every block
                    _log.exception(
                        "%d bytes of the log could not be processed (failure %d)",
                        len(block.data),
                        self.failures,
                    )
        self._counters.gap_bytes += block.gap
        self.gap += block.gap
        self._position = block.position
        self._dirty = True

    def _adapt(self, size: int, spent: float) -> None:
        """Smaller blocks where they take too long, larger ones where full ones take little."""
        if spent > TURN:
            self._limit = max(SMALLEST, self._limit // 2)
        elif spent < TURN / 4 and size > self._limit // 2:
            self._limit = min(LIMIT, self._limit * 2)

    def _commit(self) -> _Commit:
        """A consistent state, taken now."""
        complete = self._store.wants_all
        notes = self._memory.take()
        changes = self._counters.take()
        documents = {name: take() for name, take in self._documents.items()}
        if not complete:
            documents = {n: v for n, v in documents.items() if self._kept.get(n) != v}
        rows = self._counters.dump() if complete else changes
        self._dirty = False
        return _Commit(self._store, self._position, changes, rows, documents, complete, notes)

    def _written(self, commit: _Commit, done: bool) -> None:
        if done:
            self._kept.update(commit.documents)
        else:  # the store said so; the next commit brings it all
            self._counters.put_back(commit.changes)
            self._memory.put_back()
            self._dirty = True

    def _say(self, error: str | None) -> None:
        if error == self._error:
            return
        if error is None:
            _log.info("the log can be read again")
        else:
            _log.error("the log cannot be read: %s; trying again", error)
        self._error = error
