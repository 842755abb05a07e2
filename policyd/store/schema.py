"""The tables of the state file, and the way from each older version to this one.

Contract: `migrate` brings an open database to `VERSION` in one transaction; a new file is
version 0. Steps are only ever added at the end of `STEPS`.
Failure: `StoreError` for a file that is not ours or that a newer mxheed wrote; it is left alone.
"""

from __future__ import annotations

import sqlite3

from policyd.errors import StoreError

__all__ = ["APPLICATION", "STEPS", "VERSION", "migrate"]

APPLICATION = 0x6D786864  # "mxhd", in the header of the file (PRAGMA application_id)

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)",
        # `labels` is a JSON array; `value` a whole number, or a JSON array of them (histograms)
        "CREATE TABLE counters (family TEXT NOT NULL, labels TEXT NOT NULL, value NOT NULL,"
        " PRIMARY KEY (family, labels)) WITHOUT ROWID",
        "CREATE TABLE documents (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    ),
    (  # the memory (policyd.memory); the id of a cell is its time and its receiver's word in one
        "CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE)",
        "CREATE TABLE minutes (id INTEGER PRIMARY KEY, cell BLOB NOT NULL)",
        "CREATE TABLE hours (id INTEGER PRIMARY KEY, cell BLOB NOT NULL)",
        "CREATE TABLE transitions (id INTEGER PRIMARY KEY, time REAL NOT NULL, receiver TEXT,"
        " pool TEXT, before TEXT, after TEXT, cause TEXT, rule TEXT, category TEXT, reply TEXT,"
        " evidence TEXT)",
        "CREATE INDEX transitions_of ON transitions (receiver, id)",
        "CREATE TABLE samples (id INTEGER PRIMARY KEY, time REAL NOT NULL, receiver TEXT,"
        " rule TEXT, category TEXT, stage TEXT, host TEXT, reply TEXT)",
        "CREATE INDEX samples_of ON samples (receiver, rule, id)",
        "CREATE TABLE texts (id INTEGER PRIMARY KEY, first REAL NOT NULL, last REAL NOT NULL,"
        " heard INTEGER NOT NULL, receiver TEXT, rule TEXT, category TEXT, reply TEXT)",
        "CREATE INDEX texts_of ON texts (receiver, last)",
        "CREATE TABLE trails (id INTEGER PRIMARY KEY, queue_id TEXT, time REAL NOT NULL,"
        " event TEXT, receiver TEXT, recipient TEXT, host TEXT, category TEXT, rule TEXT,"
        " reply TEXT)",
        "CREATE INDEX trails_of ON trails (queue_id, id)",
        "CREATE TABLE ended (queue_id TEXT PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID",
    ),
    (  # hours of a day that is over, in one row of each receiver (policyd.memory.days)
        "CREATE TABLE days (id INTEGER PRIMARY KEY, cells BLOB NOT NULL)",
    ),
)
VERSION = len(STEPS)


def migrate(db: sqlite3.Connection, name: str) -> None:
    """Make the tables what this version expects; `name` is for the error message."""
    application = _pragma(db, "application_id")
    version = _pragma(db, "user_version")
    if application not in (0, APPLICATION) or (application == 0 and _has_tables(db)):
        raise StoreError(f"{name} is a database of another program; name another file")
    if version > VERSION:
        raise StoreError(
            f"{name} was written by a newer mxheed (schema {version}, this one knows {VERSION}):"
            " run that one, or move the file away to begin anew"
        )
    if version == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    for step in STEPS[version:]:
        for statement in step:
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _has_tables(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
