"""The memory of a running daemon: it notes what happens, and hands it over at each commit.

Contract: `begin` once the counters, the lanes and the file of an earlier run are there; `hosts` is
what became of each machine's mail, which has cells of its own, named "host:NAME"; `minute`
before lines of another minute of the log are counted; `heard`, `gone` and `changed` as things
happen. `take` is what the next commit writes, `put_back` undoes it. Nothing here waits for a disk.
Failure: none; bounds are those of its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from sqlite3 import Connection

from policyd.counting.counters import Counters
from policyd.memory.cells import Cells, TakenCells
from policyd.memory.notes import Notes, TakenNotes
from policyd.memory.reading import trailed
from policyd.memory.settings import MemorySettings
from policyd.memory.states import States
from policyd.memory.writing import Writing
from policyd.store import Store
from policyd.throttle.evidence import Evidence
from policyd.throttle.lane.state import LaneState, State

__all__ = ["HOST", "Memory"]

HOST = "host:"  # so begin the names of cells that are a machine's

_QUIET = 600.0
_TRIMMED = 10.0  # seconds between two times that what is old is forgotten


class Memory:
    """See the module."""

    def __init__(
        self,
        counters: Counters,
        settings: MemorySettings,
        steady: Callable[[], float],
        wall: Callable[[], float],
        posix: Callable[[float], float] = float,
    ) -> None:
        self.cells, self.notes = Cells(), Notes(settings)
        self.states = States(self._put, self.notes.transition, posix)
        self._news: tuple[float, dict[str, int]] = (0.0, {})
        # what became of each machine's mail, where machines are told apart
        self.hosts: Callable[[], Mapping[tuple[str, ...], float]] = dict
        self._hosts: dict[tuple[str, ...], float] = {}
        self._counters = counters
        self._steady, self._wall = steady, wall
        self._key = ("", b"")
        self._time = 0  # of the lines that were counted and not looked at yet
        self._next = float("-inf")
        self._taken: tuple[TakenCells, TakenNotes] | None = None

    def use(self, settings: MemorySettings) -> None:
        """Keep things for so long from now on."""
        self.notes.settings = settings

    def begin(self, lanes: Iterable[LaneState], store: Store) -> None:
        """What an earlier run counted is remembered already."""
        self.cells.begin(self._counters.tallies)
        self._hosts = dict(self.hosts())
        self.states.begin(lanes, self._steady())
        self.notes.begin(store.look(trailed, []))

    def minute(self, source: str, stamp: bytes) -> None:
        """Lines of this log that bear this minute come next."""
        if (source, stamp) != self._key:
            self._key = (source, stamp)
            self._sweep()

    def reached(self, time: int) -> None:
        """That is the time of the lines that were counted last."""
        self._time = time

    def heard(self, evidence: Evidence, time: float) -> None:
        """What became of a recipient, at a time of the log."""
        self.notes.heard(evidence, self._counters.row_name(evidence.receiver), time)

    def gone(self, queue_id: str) -> None:
        """A message left the queue."""
        self.notes.gone(queue_id, self._wall())

    def changed(self, lane: LaneState, before: State, now: float) -> None:
        """A lane's state is another one."""
        self.states.changed(lane, before, now)

    def take(self) -> Callable[[Connection], None]:
        """What the next commit writes."""
        self._sweep()
        self.states.account(self._steady())
        now = self._wall()
        cells, notes = self.cells.take(int(now // 60)), self.notes.take()
        self._taken = (cells, notes)
        trims = self._steady() >= self._next
        if trims:
            self._next = self._steady() + _TRIMMED
        return Writing(cells, notes, self.notes.settings, now, trims, self._tell).write

    def _tell(self, news: dict[str, int]) -> None:
        self._news = (self._steady(), news)

    @property
    def news(self) -> dict[str, int]:
        """Replies in words that are new, by receiver; none where nothing is heard at all."""
        told, news = self._news
        return news if self._steady() - told < _QUIET else {}

    def put_back(self) -> None:
        """That could not be written."""
        if self._taken is not None:
            self.cells.put_back(self._taken[0])
            self.notes.put_back(self._taken[1])
            self._taken = None

    def _sweep(self) -> None:
        minute = self._time // 60
        self.cells.sweep(self._counters.tallies, minute)
        for (host, outcome), count in self.hosts().items():
            more = int(count - self._hosts.get((host, outcome), 0))
            if more > 0:
                self.cells.put(minute, HOST + host, outcome, more)
                self._hosts[host, outcome] = count

    def _put(self, minute: int, receiver: str, word: str, number: int) -> None:
        self.cells.put(minute, self._counters.row_name(receiver), word, number)
