"""Reads the memory: the one way in for pages and commands, beside the daemon that writes it.

Contract: `Past.open` looks at a state file without changing it; all values are frozen. Cells come
oldest first, joined to spans of the length that was asked for; where minutes have become hours
already, the span is an hour at least. Times are POSIX seconds. `texts` are those that were heard
for the first time after a moment.
Failure: `StoreError` with words where there is no such file, or no memory in it yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from policyd.errors import StoreError
from policyd.memory.cell import add, unpack
from policyd.memory.days import unpack_day
from policyd.memory.notes import Heard, Step
from policyd.memory.states import Transition
from policyd.memory.trimming import size_of
from policyd.memory.writing import WORDS, clean

__all__ = ["Past", "PastCell", "PastText", "trailed"]

_SINCE_MEMORY = 3  # the schema's version: since then days are rows of their own
_AT_A_TIME = 500
_Cells = Iterator[tuple[int, dict[int, int]]]
_TRANSITIONS = (
    "SELECT time, receiver, pool, before, after, cause, rule, category, reply, evidence"
    " FROM transitions WHERE receiver = ? AND time >= ? ORDER BY id"
)
_SAMPLES = (
    "SELECT time, receiver, rule, category, stage, host, reply FROM samples"
    " WHERE receiver = ?1 AND (?2 IS NULL OR rule = ?2) ORDER BY id"
)
_TEXTS = (
    "SELECT first, last, heard, receiver, rule, category, reply FROM texts"
    " WHERE first >= ? ORDER BY first, id"
)
_TRAIL = (
    "SELECT queue_id, time, event, receiver, recipient, host, category, rule, reply FROM trails"
    " WHERE queue_id = ? ORDER BY id"
)


class PastCell(NamedTuple):
    """What was counted of a receiver from `time` on, for `span` seconds."""

    time: int
    span: int
    numbers: Mapping[str, int]  # by the words of `policyd.memory.cell`

    def some(self, prefix: str) -> dict[str, int]:
        """The numbers whose word begins so, by the rest of it."""
        return {w.removeprefix(prefix): n for w, n in self.numbers.items() if w.startswith(prefix)}


class PastText(NamedTuple):
    """A reply of one form: when it was heard first and last, and how often."""

    first: float
    last: float
    heard: int
    receiver: str
    rule: str
    category: str
    reply: str


class Past:
    """See the module."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, path: Path) -> Past:
        """The memory in a state file."""
        if not path.exists():
            raise StoreError(f"there is no state file {path}; name it with --state")
        wrong: Exception | None = None
        for how in ("mode=ro", "mode=ro&immutable=1"):  # who may not lock reads what is there
            db = None
            try:
                db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
                (version,) = db.execute("PRAGMA user_version").fetchone()
            except sqlite3.Error as error:
                wrong = error
                if db is not None:
                    db.close()
                continue
            if version < _SINCE_MEMORY:
                db.close()
                raise StoreError(f"{path} is of an older mxheed: a start of the daemon updates it")
            return cls(db)
        raise StoreError(f"{path} cannot be read: {wrong}") from wrong

    def close(self) -> None:
        """Let go of the file; so does who forgets this."""
        self._db.close()

    __del__ = close

    def size(self) -> int:
        """The bytes that are in use."""
        return size_of(self._db)

    def cells(self, receiver: str, since: float, until: float, span: int = 3600) -> list[PastCell]:
        """Everything between two moments, joined to spans."""
        words = dict(self._rows("SELECT id, word FROM words"))
        name = next((n for n, word in words.items() if word == clean(receiver)), None)
        if name is None:
            return []
        found: dict[tuple[int, int], dict[str, int]] = {}
        for length, stored in ((3600, self._days), (3600, self._hours), (60, self._minutes)):
            width = max(span, length)
            for time, numbers in stored(name, since, until):
                into = found.setdefault((time // width * width, width), {})
                add(into, {words.get(n, "?"): number for n, number in numbers.items()})
        return [PastCell(*key, numbers) for key, numbers in sorted(found.items())]

    def transitions(self, receiver: str, since: float = 0.0) -> list[Transition]:
        """The changes of a receiver's lanes."""
        rows = self._rows(_TRANSITIONS, clean(receiver), since)
        return [Transition(*row) for row in rows]

    def samples(self, receiver: str, rule: str | None = None) -> list[Heard]:
        """The latest replies, of each rule or of one."""
        return [Heard(*row) for row in self._rows(_SAMPLES, clean(receiver), rule)]

    def texts(self, since: float) -> list[PastText]:
        """What was heard for the first time since then."""
        return [PastText(*row) for row in self._rows(_TEXTS, since)]

    def trail(self, queue_id: str) -> list[Step]:
        """What became of a message."""
        return [Step(*row) for row in self._rows(_TRAIL, clean(queue_id))]

    def ended(self, queue_id: str) -> float | None:
        """When a message left the queue."""
        rows = self._rows("SELECT time FROM ended WHERE queue_id = ?", clean(queue_id))
        return float(rows[0][0]) if rows else None

    def _days(self, name: int, since: float, until: float) -> _Cells:
        for time, data in self._stored("days", 86_400, name, since, until):
            for hour, numbers in sorted(_day(data).items()):
                at = time + hour * 3600
                if since // 3600 * 3600 <= at <= until:
                    yield at, numbers

    def _hours(self, name: int, since: float, until: float) -> _Cells:
        for time, data in self._stored("hours", 3600, name, since, until):
            yield time, _numbers(data)

    def _minutes(self, name: int, since: float, until: float) -> _Cells:
        for time, data in self._stored("minutes", 60, name, since, until):
            yield time, _numbers(data)

    def _stored(
        self, table: str, length: int, name: int, since: float, until: float
    ) -> Iterator[tuple[int, bytes]]:
        """One receiver's cells: ids are known, so nothing is searched."""
        (first, last), *_ = self._rows(f"SELECT min(id), max(id) FROM {table}")
        if first is None:
            return
        begin = max(int(since // length), first // WORDS)
        end = min(int(until // length), last // WORDS)
        for start in range(begin, end + 1, _AT_A_TIME):
            times = range(start, min(start + _AT_A_TIME, end + 1))
            marks = ", ".join(str(time * WORDS + name) for time in times)
            for key, data in self._rows(f"SELECT * FROM {table} WHERE id IN ({marks}) ORDER BY id"):
                yield key // WORDS * length, data

    def _rows(self, statement: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the memory cannot be read: {error}") from error


def trailed(db: sqlite3.Connection) -> list[str]:
    """The messages that have a trail and were not seen to end."""
    statement = (
        "SELECT DISTINCT queue_id FROM trails WHERE queue_id NOT IN (SELECT queue_id FROM ended)"
    )
    return [str(queue_id) for (queue_id,) in db.execute(statement)]


def _numbers(data: bytes) -> dict[int, int]:
    try:
        return unpack(data)
    except (ValueError, TypeError):
        return {}


def _day(data: bytes) -> dict[int, dict[int, int]]:
    try:
        return unpack_day(data)
    except (ValueError, TypeError):
        return {}
