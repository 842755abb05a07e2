"""What the memory forgets: what is too old, too much, or beyond the size of the file.

Contract: `trim` is called every few seconds and does a little each time (`_SLICE` rows of a table):
it never makes a commit long. Minutes older than a day become hours, hours of a day that is over a
row of `policyd.memory.days`, and are kept `HOURS`; tables
of texts have a time of the operator's and a number of rows. The size is what the file's pages hold.
Failure: `sqlite3.Error`, the owner's transaction.
"""

from __future__ import annotations

from sqlite3 import Connection

from policyd.memory.cell import add, pack, unpack
from policyd.memory.cells import DAY
from policyd.memory.days import fold
from policyd.memory.settings import MemorySettings

__all__ = ["HOURS", "ROWS", "size_of", "trim"]

HOURS = 90 * 24
ROWS = {"transitions": 10_000, "samples": 10_000, "texts": 5_000, "trails": 20_000}
_SLICE = 500
_UNHEARD = 7 * 86400.0  # seconds after which a message whose end was not seen has no trail
_WORDS = 1 << 16
_BY = {"transitions": "time", "samples": "time", "texts": "last", "trails": "time"}


def trim(db: Connection, settings: MemorySettings, now: float) -> None:
    """Forget a little."""
    minute = int(now // 60)
    _roll_up(db, (minute - DAY) * _WORDS)
    fold(db, minute // 60)
    _oldest(db, "days", f"id < {(minute // 60 - HOURS) // 24 * _WORDS}")
    for table, kept in (("transitions", settings.transitions), ("samples", settings.samples),
                        ("texts", settings.samples)):  # fmt: skip
        _oldest(db, table, f"{_BY[table]} < {now - kept!r}")
    _end_trails(db, settings, now)
    for table, most in ROWS.items():
        (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        if rows > most:
            _drop(db, table, rows - most)
    if size_of(db) > settings.size * 1_000_000:
        _make_room(db)


def size_of(db: Connection) -> int:
    """The bytes that are in use."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _roll_up(db: Connection, before: int) -> None:
    """Minutes that are older than a day become hours."""
    rows = db.execute(
        "SELECT id, cell FROM minutes WHERE id < ? ORDER BY id LIMIT ?", (before, _SLICE)
    ).fetchall()
    hours: dict[int, dict[int, int]] = {}
    for key, data in rows:
        minute, name = divmod(key, _WORDS)
        hour = minute // 60 * _WORDS + name
        if hour not in hours:
            hours[hour] = _unpacked(
                *db.execute("SELECT cell FROM hours WHERE id = ?", (hour,)).fetchone() or (b"",)
            )
        add(hours[hour], _unpacked(data))
    written = [(key, pack(cell)) for key, cell in hours.items()]
    db.executemany("INSERT OR REPLACE INTO hours (id, cell) VALUES (?, ?)", written)
    db.executemany("DELETE FROM minutes WHERE id = ?", [(key,) for key, _ in rows])


def _unpacked(data: bytes) -> dict[int, int]:
    try:
        return unpack(data)
    except (ValueError, TypeError):
        return {}


def _oldest(db: Connection, table: str, which: str) -> None:
    db.execute(
        f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {which}"
        f" ORDER BY id LIMIT {_SLICE})"
    )


def _drop(db: Connection, table: str, rows: int) -> None:
    order = _BY[table]
    db.execute(
        f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY {order}, id"
        f" LIMIT {min(rows, _SLICE)})"
    )


def _end_trails(db: Connection, settings: MemorySettings, now: float) -> None:
    """Of messages that left the queue long enough ago, and of those nobody hears of any more."""
    over = [
        queue_id
        for (queue_id,) in db.execute(
            "SELECT queue_id FROM ended WHERE time < ? LIMIT ?", (now - settings.trails, _SLICE)
        )
    ]
    unheard = now - max(_UNHEARD, settings.trails)
    over += [
        queue_id
        for (queue_id,) in db.execute(
            "SELECT queue_id FROM (SELECT DISTINCT queue_id FROM (SELECT queue_id FROM trails"
            " ORDER BY id LIMIT ?)) AS some WHERE (SELECT max(time) FROM trails AS all_"
            " WHERE all_.queue_id = some.queue_id) < ?",
            (_SLICE, unheard),
        )
    ]
    if not settings.trails:
        over += [one for (one,) in db.execute("SELECT queue_id FROM trails LIMIT ?", (_SLICE,))]
    gone = [(queue_id,) for queue_id in over]
    db.executemany("DELETE FROM trails WHERE queue_id = ?", gone)
    db.executemany("DELETE FROM ended WHERE queue_id = ?", gone)


def _make_room(db: Connection) -> None:
    """The oldest days go; where there are none, the oldest hours, then minutes, then texts."""
    left = 8 * _SLICE
    for table, worth in (("days", 24), ("hours", 1), ("minutes", 1)):
        gone = db.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT ?)",
            (left // worth,),
        )
        left -= max(gone.rowcount, 0) * worth
        if left < 24:
            return
    for table in ROWS:
        _drop(db, table, _SLICE)
