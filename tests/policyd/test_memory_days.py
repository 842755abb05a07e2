"""Hours of a day that is over are a row of their own: nothing is lost, and nothing shows of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.errors import StoreError
from policyd.memory.cell import pack
from policyd.memory.cells import TakenCells
from policyd.memory.days import fold, pack_day, unpack_day
from policyd.memory.notes import Notes
from policyd.memory.reading import Past
from policyd.memory.settings import MemorySettings
from policyd.memory.writing import WORDS, Writing, add_cells
from policyd.store import Store

CELLS = st.dictionaries(st.integers(0, 2**16), st.integers(0, 2**60), min_size=1, max_size=8)
DAYS = st.dictionaries(st.integers(0, 23), CELLS)
BEGIN = 500_016  # an hour that a day begins with
OVER = BEGIN + 24 + 25  # the first hour at which that day is over
NUMBERS = {"sent": 5, "delay 2": 5, "delay sum": 1_500_000}
SCHEMA_2 = (  # what a daemon of that version left, without its tables of texts
    "CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)",
    "CREATE TABLE counters (family TEXT NOT NULL, labels TEXT NOT NULL, value NOT NULL,"
    " PRIMARY KEY (family, labels)) WITHOUT ROWID",
    "CREATE TABLE documents (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE)",
    "CREATE TABLE minutes (id INTEGER PRIMARY KEY, cell BLOB NOT NULL)",
    "CREATE TABLE hours (id INTEGER PRIMARY KEY, cell BLOB NOT NULL)",
    "CREATE TABLE transitions (id INTEGER PRIMARY KEY, time REAL NOT NULL, receiver TEXT,"
    " pool TEXT, before TEXT, after TEXT, cause TEXT, rule TEXT, category TEXT, reply TEXT,"
    " evidence TEXT)",
    "CREATE TABLE samples (id INTEGER PRIMARY KEY, time REAL NOT NULL, receiver TEXT,"
    " rule TEXT, category TEXT, stage TEXT, host TEXT, reply TEXT)",
    "CREATE TABLE texts (id INTEGER PRIMARY KEY, first REAL NOT NULL, last REAL NOT NULL,"
    " heard INTEGER NOT NULL, receiver TEXT, rule TEXT, category TEXT, reply TEXT)",
    "CREATE TABLE trails (id INTEGER PRIMARY KEY, queue_id TEXT, time REAL NOT NULL,"
    " event TEXT, receiver TEXT, recipient TEXT, host TEXT, category TEXT, rule TEXT,"
    " reply TEXT)",
    "CREATE TABLE ended (queue_id TEXT PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID",
    "INSERT INTO position VALUES (1, '{\"at\": 7}')",
    "INSERT INTO words VALUES (1, 'google'), (2, 'sent'), (3, 'delay 2'), (4, 'delay sum')",
    "PRAGMA application_id = 1836607588",
    "PRAGMA user_version = 2",
)


@given(DAYS)
def test_a_day_comes_back_from_its_bytes(hours: dict[int, dict[int, int]]) -> None:
    """Whatever its hours hold."""
    assert unpack_day(pack_day(hours)) == hours


@given(st.binary(max_size=60) | DAYS.map(pack_day), st.integers(0, 80), st.integers(0, 255))
def test_bytes_that_are_no_day_are_an_error_or_a_day(data: bytes, at: int, byte: int) -> None:
    """A damaged file breaks nothing: ValueError is all that comes."""
    for broken in (data[:at], data[:at] + bytes([byte]) + data[at + 1 :]):
        try:
            hours = unpack_day(broken)
        except ValueError:
            continue
        assert all(0 <= hour < 24 for hour in hours)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A state file's inside."""
    store = Store.open(tmp_path / "mxheed.db")
    assert store._db is not None
    yield store._db
    store.close()


def put(db: sqlite3.Connection, hours: range, *receivers: str) -> None:
    add_cells(db, "hours", {(hour, name): dict(NUMBERS) for hour in hours for name in receivers})


def rows(db: sqlite3.Connection) -> tuple[int, int]:
    return tuple(db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("hours", "days"))


def test_folding_changes_nothing_that_is_read(db: sqlite3.Connection, tmp_path: Path) -> None:
    """By hours or days, of a whole past or a part of it; and what comes late is added."""
    names = [f"r{number}" for number in range(45)]
    put(db, range(BEGIN - 3, BEGIN + 60), *names)
    past = Past.open(tmp_path / "mxheed.db")
    asked = [
        (name, (BEGIN + since) * 3600 + 60, (BEGIN + until) * 3600.0, span)
        for name in ("r0", "r44")
        for since, until in ((-9, 99), (5, 17), (23, 24), (-2, 30))
        for span in (60, 3600, 86_400)
    ]
    before = [past.cells(*one) for one in asked]
    for _ in range(10):
        fold(db, OVER)
    assert rows(db) == (36 * 45, 2 * 45)
    assert [past.cells(*one) for one in asked] == before
    put(db, range(BEGIN + 3, BEGIN + 4), "r0")
    late = past.cells("r0", BEGIN * 3600, BEGIN * 3600 + 86_399)
    assert [cell.numbers["sent"] for cell in late] == [5] * 3 + [10] + [5] * 20
    fold(db, OVER)
    assert rows(db) == (36 * 45, 2 * 45)
    assert past.cells("r0", BEGIN * 3600, BEGIN * 3600 + 86_399) == late


def test_a_day_is_folded_when_no_minute_of_it_is_left(db: sqlite3.Connection) -> None:
    """Before, its hours would be unpacked for each of them."""
    put(db, range(BEGIN, BEGIN + 24), "google")
    fold(db, OVER - 1)
    assert rows(db) == (24, 0)
    fold(db, OVER)
    assert rows(db) == (0, 1)


def test_a_day_that_is_damaged_begins_anew(db: sqlite3.Connection, tmp_path: Path) -> None:
    """It costs its own numbers, not the commit and no other day."""
    put(db, range(BEGIN, BEGIN + 48), "google")
    for _ in range(2):
        fold(db, OVER + 24)
    db.execute("UPDATE days SET cells = x'ff' WHERE id < ?", ((BEGIN // 24 + 1) * WORDS,))
    put(db, range(BEGIN, BEGIN + 1), "google")
    fold(db, OVER)
    found = Past.open(tmp_path / "mxheed.db").cells("google", 0, (BEGIN + 48) * 3600.0, 86_400)
    assert [cell.numbers["sent"] for cell in found] == [5, 24 * 5]


def test_a_file_of_schema_2_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its hours and minutes are there at once, and become days by and by."""
    path, old = tmp_path / "mxheed.db", pack({2: 5, 3: 5, 4: 1_500_000})
    with sqlite3.connect(path, isolation_level=None) as db:
        for statement in SCHEMA_2:
            db.execute(statement)
        hours = [(hour * WORDS + 1, old) for hour in range(BEGIN, BEGIN + 24)]
        db.executemany("INSERT INTO hours VALUES (?, ?)", hours)
        db.execute("INSERT INTO minutes VALUES (?, ?)", ((BEGIN + 30) * 60 * WORDS + 1, old))
    db.close()
    with pytest.raises(StoreError, match="older mxheed"):
        Past.open(path)
    store = Store.open(path)
    assert store.load().position == {"at": 7}
    past, until = Past.open(path), (BEGIN + 99) * 3600.0
    before = past.cells("google", 0, until)
    assert [(cell.time // 3600 - BEGIN, dict(cell.numbers)) for cell in before] == [
        (hour, NUMBERS) for hour in [*range(24), 30]
    ]
    taken = TakenCells({}, {(BEGIN + 40, "google"): {"part count": 1, "part send": 300_000}})
    settings = MemorySettings()
    for _ in range(2):
        writing = Writing(taken, Notes(settings).take(), settings, (OVER + 1) * 3600.0)
        store.commit({}, [], {}, also=writing.write)
        taken = TakenCells({}, {})
    assert store._db is not None
    assert rows(store._db) == (1, 1)
    found = past.cells("google", 0, until)
    assert found[:-1] == before
    assert found[-1].numbers == {"part count": 1, "part send": 300_000}
    store.close()
