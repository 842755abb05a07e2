"""The SQLite file behind the store: opening, reading and writing it, and what damage looks like.

Contract: `open_database` gives a connection whose tables are those of this version; `transaction`
commits or rolls back. Values keep their types: whole numbers, or lists of them.
Failure: `sqlite3.Error`, in which `is_damage` tells damage from a disk that cannot be used, and
`StoreError` for a file that is not for us to touch.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from policyd.store.damage import Value
from policyd.store.schema import migrate

__all__ = [
    "Change",
    "Saved",
    "Value",
    "is_damage",
    "open_database",
    "stored",
    "transaction",
]

Change = tuple[str, tuple[str, ...], Value]  # family, labels, absolute value

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Saved(NamedTuple):
    """What the last commit left."""

    position: dict[str, Any]
    counters: list[Change]
    documents: dict[str, bytes]


def open_database(path: Path) -> sqlite3.Connection:
    os.close(
        os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    )  # not for everybody's eyes
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")  # what is forgotten stands in no free page
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            damage = sqlite3.DatabaseError(found)
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        migrate(db, str(path))
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def stored(value: Value) -> int | str:
    return value if isinstance(value, int) else str(value)  # a list of integers is JSON, too


def is_damage(error: Exception) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF in _DAMAGED
