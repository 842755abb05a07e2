"""Writes what was taken of the memory, in the transaction of the counters; runs in a thread.

Contract: `Writing.write` adds cells to those that are stored, and rows to the tables, masked;
then `trim` forgets what is too old, some at a time. A cell that cannot be read begins anew.
Failure: `sqlite3.Error`; the whole transaction is then rolled back by its owner.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from sqlite3 import Connection
from typing import NamedTuple

from policyd.memory.cell import add, pack, unpack
from policyd.memory.cells import Key, TakenCells
from policyd.memory.news import new_replies
from policyd.memory.notes import KEPT_SAMPLES, Heard, HeardText, TakenNotes
from policyd.memory.settings import MemorySettings
from policyd.memory.trimming import trim
from rules.masks import masked

__all__ = [
    "KEPT_STEPS",
    "KEPT_TEXTS",
    "WORDS",
    "Writing",
    "add_cells",
    "cell_of",
    "clean",
    "word_ids",
]

WORDS = 1 << 16  # words at most: an id is the lower half of a cell's own id
KEPT_TEXTS = 300  # of each receiver: who says something new each time costs nobody else's
KEPT_STEPS = 200  # of each message
_OTHER = "other"
_LONGEST = 300
_VARYING = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]*[0-9][0-9A-Za-z]*")

_TRANSITION = (
    "INSERT INTO transitions (time, receiver, pool, before, after, cause, rule, category, reply,"
    " evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SAMPLE = (
    "INSERT INTO samples (time, receiver, rule, category, stage, host, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_OLD_SAMPLES = (
    "DELETE FROM samples WHERE receiver = ? AND rule = ? AND id <= (SELECT id FROM samples"
    " WHERE receiver = ? AND rule = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"
)
_TEXT = (
    "INSERT INTO texts (id, first, last, heard, receiver, rule, category, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
    " SET last = max(last, excluded.last), heard = heard + excluded.heard"
)
_STEP = (
    "INSERT INTO trails (queue_id, time, event, receiver, recipient, host, category, rule, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OLD_TEXTS = (
    "DELETE FROM texts WHERE receiver = ? AND id IN (SELECT id FROM texts WHERE receiver = ?"
    " ORDER BY last DESC LIMIT -1 OFFSET ?)"
)
_OLD_STEPS = (
    "DELETE FROM trails WHERE queue_id = ? AND id <= (SELECT id FROM trails"
    " WHERE queue_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"
)


class Writing(NamedTuple):
    """One commit's share of the memory."""

    cells: TakenCells
    notes: TakenNotes
    settings: MemorySettings
    now: float
    trims: bool = True
    tell: Callable[[dict[str, int]], None] = lambda news: None  # what is said in new words

    def write(self, db: Connection) -> None:
        """Write it."""
        add_cells(db, "minutes", self.cells.minutes)
        add_cells(db, "hours", self.cells.hours)
        notes = self.notes
        db.executemany(
            _TRANSITION, [_row(t._replace(reply=_said(t.reply))) for t in notes.transitions]
        )
        _write_samples(db, notes.samples)
        _write_texts(db, notes.texts)
        db.executemany(_STEP, [_row(s._replace(reply=_said(s.reply))) for s in notes.steps])
        touched = {clean(step.queue_id) for step in notes.steps}
        db.executemany(_OLD_STEPS, [(one, one, KEPT_STEPS) for one in touched])
        db.executemany("INSERT OR REPLACE INTO ended VALUES (?, ?)", notes.ended.items())
        if self.trims:
            trim(db, self.settings, self.now)
            self.tell(new_replies(db, self.now))


def add_cells(db: Connection, table: str, cells: Mapping[Key, Mapping[str, int]]) -> None:
    """Put these cells on top of the stored ones."""
    if not cells:
        return
    names = {name for _, name in cells}
    words = {word for cell in cells.values() for word in cell}
    ids = word_ids(db, words) | word_ids(db, names)  # words first: short ids are short cells
    (newest,) = db.execute(f"SELECT max(id) FROM {table}").fetchone()
    rows = []
    for (time, name), cell in cells.items():
        key = time * WORDS + ids[name]
        numbers = cell_of(db, table, key) if key <= (newest or 0) else {}
        add(numbers, {ids[word]: number for word, number in cell.items()})
        rows.append((key, pack(numbers)))
    db.executemany(f"INSERT OR REPLACE INTO {table} (id, cell) VALUES (?, ?)", rows)


def cell_of(db: Connection, table: str, key: int) -> dict[int, int]:
    """A stored cell; empty where there is none that can be read."""
    found = db.execute(f"SELECT cell FROM {table} WHERE id = ?", (key,)).fetchone()
    try:
        return unpack(found[0]) if found else {}
    except (ValueError, TypeError):
        return {}


def word_ids(db: Connection, words: Iterable[str]) -> dict[str, int]:
    """The ids of words, given to those that have none; when all are gone, that of "other"."""
    known = {word: number for number, word in db.execute("SELECT id, word FROM words")}
    ids = {}
    for word in sorted(words):
        number = known.get(clean(word))
        if number is None:
            if len(known) >= WORDS - 2 and word != _OTHER:
                number = word_ids(db, [_OTHER])[_OTHER]
            else:
                added = db.execute("INSERT INTO words (word) VALUES (?)", (clean(word),))
                number = known[clean(word)] = int(added.lastrowid or 0)
        ids[word] = number
    return ids


def clean(text: str) -> str:
    """Half a surrogate pair cannot be written."""
    return text.encode("utf-8", "replace").decode()[:_LONGEST]


def _said(reply: str) -> str:
    return masked(reply)


def _row(values: Iterable[object]) -> tuple[object, ...]:
    return tuple(clean(value) if isinstance(value, str) else value for value in values)


def _write_samples(db: Connection, samples: Iterable[Heard]) -> None:
    rows = [_row(heard._replace(reply=_said(heard.reply))) for heard in samples]
    db.executemany(_SAMPLE, rows)
    touched = {(row[1], row[2]) for row in rows}
    db.executemany(_OLD_SAMPLES, [(*pair, *pair, KEPT_SAMPLES) for pair in touched])


def _write_texts(db: Connection, texts: Mapping[tuple[str, str, str], HeardText]) -> None:
    rows = []
    for (receiver, rule, _), (times, heard, last) in texts.items():
        said = clean(_said(heard.reply))
        form = "\0".join((clean(receiver), rule, _VARYING.sub("0", said)))
        number = int.from_bytes(hashlib.blake2b(form.encode(), digest_size=8).digest(), "big") >> 1
        rows.append((number, heard.time, last, times, clean(receiver), rule, heard.category, said))
    db.executemany(_TEXT, rows)
    touched = {receiver for receiver, _, _ in texts}
    db.executemany(_OLD_TEXTS, [(clean(one), clean(one), KEPT_TEXTS) for one in touched])
