"""Takes an address out of the state file, so that no byte of it is left there.

Contract: `forget` deletes the trails' steps of this recipient, and every sample, text and change
that still holds the address, whatever its case, and masks it in the snapshots; then it writes the
file anew (VACUUM) and empties the write-ahead log. It works beside a running daemon, which notes
what it hears until its next commit: so it is done twice, `pause` between. Given is how many rows
there were.
Failure: `StoreError` where the file cannot be written, or somebody reads it for too long.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

from policyd.errors import StoreError
from policyd.store.database import is_damage, open_database, transaction

__all__ = ["forget"]

_COLUMNS = {
    "trails": ("recipient", "reply"),
    "samples": ("reply",),
    "texts": ("reply",),
    "transitions": ("reply",),
    "damaged": ("name", "value"),
}


def forget(path: Path, address: str, pause: Callable[[], None]) -> int:
    """Rows that are gone."""
    if not path.exists():
        raise StoreError(f"there is no state file {path}; name it with --state")
    try:
        db = open_database(path)
        try:
            db.execute("PRAGMA busy_timeout = 10000")
            gone = _delete(db, address)
            pause()
            gone += _delete(db, address)
            db.execute("VACUUM")
            (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            db.close()
    except sqlite3.Error as error:
        advice = "; a start of the daemon puts it aside" if is_damage(error) else ""
        raise StoreError(f"{path} cannot be written: {error}{advice}") from error
    if busy:
        raise StoreError(f"{gone} rows are gone, but {path}-wal is in use: say it again")
    return gone


def _delete(db: sqlite3.Connection, address: str) -> int:
    gone = 0
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    with transaction(db):
        for table, columns in _COLUMNS.items():
            if table in tables:
                for column in columns:
                    found = db.execute(
                        f"DELETE FROM {table} WHERE instr(lower(CAST({column} AS TEXT)), lower(?))",
                        (address,),
                    )
                    gone += found.rowcount
        gone += _mask_documents(db, address)
    return gone


def _mask_documents(db: sqlite3.Connection, address: str) -> int:
    """Snapshots are bytes that somebody will read again: only the address itself is changed."""
    told = re.compile(re.escape(address.encode()), re.IGNORECASE)
    changed = [
        (told.sub(b"x@x.x", value), name)
        for name, value in db.execute("SELECT name, value FROM documents")
        if isinstance(value, bytes) and told.search(value)
    ]
    db.executemany("UPDATE documents SET value = ? WHERE name = ?", changed)
    return len(changed)
