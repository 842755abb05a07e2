"""What of the state file cannot be read: told apart row by row, and kept for whoever wants to look.

Contract: `read_rows` gives what can be understood and a `Damage` for each row that cannot, whatever
bytes it holds. `keep` writes damages to the table `damaged`, which holds the latest `_KEPT` and of
each value the first `_LONGEST` bytes. The table is made when it is first needed and belongs to no
version of the schema: an older mxheed does not mind it.
Failure: `sqlite3.Error` where the file itself cannot be read or written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["NOWHERE", "Damage", "SavedRows", "Value", "keep", "read_rows"]

Value = int | list[int]

# A position that no log knows: reading goes on at the log's end, and a gap is told. Beginning anew
# would count everything twice, which nobody could see.
NOWHERE: dict[str, Any] = {"files": [None]}

_KEPT = 1000
_LONGEST = 1 << 20
_MAKE = (
    "CREATE TABLE IF NOT EXISTS damaged (id INTEGER PRIMARY KEY, found TEXT NOT NULL,"
    " place TEXT NOT NULL, name BLOB, value BLOB, why TEXT NOT NULL)"
)
_KEEP = "INSERT INTO damaged (found, place, name, value, why) VALUES (datetime(), ?, ?, ?, ?)"
_TRIM = "DELETE FROM damaged WHERE id <= (SELECT max(id) FROM damaged) - ?"


class Damage(NamedTuple):
    """One entry that cannot be read."""

    place: str  # the table
    name: object
    value: object
    why: str


class SavedRows(NamedTuple):
    """All that a state file holds."""

    position: dict[str, Any]
    counters: list[tuple[str, tuple[str, ...], Value]]
    documents: dict[str, bytes]
    damaged: list[Damage]


def read_rows(db: sqlite3.Connection) -> SavedRows:
    """Everything; texts are read as bytes, for what is no UTF-8 is no reason to stop."""
    before, db.text_factory = db.text_factory, bytes
    try:
        places = db.execute("SELECT value FROM position LIMIT 1").fetchall()
        rows = db.execute("SELECT family, labels, value FROM counters").fetchall()
        texts = db.execute("SELECT name, value FROM documents").fetchall()
    finally:
        db.text_factory = before
    found = SavedRows({}, [], {}, [])
    for (value,) in places:
        _read(found, "position", None, value, lambda v=value: found.position.update(_place(v)))
    for family, labels, value in rows:
        _read(
            found, "counters", _words(family) + b" " + _words(labels), value,
            lambda f=family, n=labels, v=value: found.counters.append(_counter(f, n, v)),
        )  # fmt: skip
    for name, value in texts:
        _read(
            found, "documents", name, value,
            lambda n=name, v=value: found.documents.__setitem__(_text(n), _bytes(v)),
        )  # fmt: skip
    if any(one.place == "position" for one in found.damaged):
        found.position.update(NOWHERE)
    return found


def _read(found: SavedRows, place: str, name: object, value: object, take: Any) -> None:
    try:
        take()
    except (ValueError, TypeError, RecursionError) as wrong:
        found.damaged.append(Damage(place, name, value, str(wrong)[:200] or type(wrong).__name__))


def _place(value: object) -> dict[str, Any]:
    place = json.loads(_bytes(value))
    if not isinstance(place, dict):
        raise ValueError("a position must be an object")
    json.dumps(place).encode()
    return place


def _counter(family: object, labels: object, value: object) -> tuple[str, tuple[str, ...], Value]:
    names = json.loads(_bytes(labels))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("labels must be an array of texts")
    for name in names:
        name.encode()  # half a surrogate pair could not be written again
    number = value if isinstance(value, int) else json.loads(_bytes(value))
    many = number if isinstance(number, list) else [number]  # a histogram's sum has no end
    if not all(type(one) is int and one >= 0 for one in many):
        raise ValueError("a counter must be made of whole numbers")
    return _text(family), tuple(names), number


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"a text or bytes are needed, not {type(value).__name__}")
    return value


def _text(value: object) -> str:
    return _bytes(value).decode()


def _words(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def keep(db: sqlite3.Connection, damages: Iterable[Damage]) -> None:
    """Write damages down; the caller's transaction."""
    db.execute(_MAKE)
    rows = [(d.place, _cut(d.name), _cut(d.value), d.why) for d in damages]
    db.executemany(_KEEP, rows[-_KEPT:])
    db.execute(_TRIM, (_KEPT,))


def _cut(value: object) -> bytes | None:
    if value is None:
        return None
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    return data[:_LONGEST]
