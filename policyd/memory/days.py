"""A day's hours of one receiver in one row, word by word: half the room of a row for each hour.

A row of its own costs each hour its key, and each number its word. Numbers of one word lie side by
side here, so both are there once a day; they take the bits they need, and zlib finds what is alike.

Contract: `pack_day` and `unpack_day` are pure, the way there and back; `fold` takes some hours of
the oldest day that is over out of "hours" and adds them to their rows in "days". What comes late
for such a day is an hour again, and is folded on top: who reads adds both up.
Failure: ValueError from `unpack_day` for bytes that are no day; a day that cannot be read begins
anew, as cells do.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from sqlite3 import Connection

from policyd.memory.cell import add, pack_numbers, unpack, unpack_numbers

__all__ = ["day_of", "fold", "pack_day", "unpack_day"]

_WORDS = 1 << 16
_AT_ONCE = 20  # receivers: so many times 24 rows make no commit long
_OPEN = 25  # hours: until then minutes of a day may still become hours
_LONGEST = 1 << 18  # bytes of a day before zlib: a thousand words, each with 24 numbers
_WIDEST = 70  # bits of a number, as in a cell


def pack_day(hours: Mapping[int, Mapping[int, int]]) -> bytes:
    """Cells by hour of the day: for each word its id, its hours as bits, and how wide a number is;
    then all numbers, each as wide as the widest of its word."""
    head: list[int] = []
    body = at = 0
    for word in sorted({word for cell in hours.values() for word in cell}):
        its = [hour for hour in sorted(hours) if word in hours[hour]]
        width = max(hours[hour][word] for hour in its).bit_length()
        head += [word, sum(1 << hour for hour in its), width]
        for hour in its:
            body |= hours[hour][word] << at
            at += width
    known = pack_numbers(head)
    numbers = body.to_bytes((at + 7) // 8, "little")
    return zlib.compress(pack_numbers([len(known)]) + known + numbers, 9)


def unpack_day(data: bytes) -> dict[int, dict[int, int]]:
    """The way back."""
    stream = zlib.decompressobj()
    try:
        whole = stream.decompress(data, _LONGEST)
    except zlib.error as wrong:
        raise ValueError(f"no day: {wrong}") from wrong
    if not stream.eof:
        raise ValueError("a day without its end")
    size = next(unpack_numbers(whole), 0)
    begin = len(pack_numbers([size]))
    head = list(unpack_numbers(whole[begin : begin + size]))
    body = int.from_bytes(whole[begin + size :], "little")
    hours: dict[int, dict[int, int]] = {}
    for word, bits, width in zip(head[::3], head[1::3], head[2::3], strict=True):
        if bits >> 24 or width > _WIDEST:
            raise ValueError("no hours of a day")
        for hour in range(24):
            if bits >> hour & 1:
                hours.setdefault(hour, {})[word] = body & (1 << width) - 1
                body >>= width
    return hours


def day_of(db: Connection, key: int) -> dict[int, dict[int, int]]:
    """A stored day; empty where there is none that can be read."""
    found = db.execute("SELECT cells FROM days WHERE id = ?", (key,)).fetchone()
    try:
        return unpack_day(found[0]) if found else {}
    except (ValueError, TypeError):
        return {}


def fold(db: Connection, hour: int) -> None:
    """Some receivers' hours of the oldest day become a row each; `hour` is the present one."""
    (first,) = db.execute("SELECT min(id) FROM hours").fetchone()
    if first is None:
        return
    day = first // _WORDS // 24
    if (day + 1) * 24 > hour - _OPEN:
        return
    names = db.execute(
        "SELECT DISTINCT id & 65535 FROM hours WHERE id >= ? AND id < ? LIMIT ?",
        (day * 24 * _WORDS, (day + 1) * 24 * _WORDS, _AT_ONCE),
    ).fetchall()
    for (name,) in names:
        _fold_one(db, day, name)


def _fold_one(db: Connection, day: int, name: int) -> None:
    into = day_of(db, day * _WORDS + name)
    keys = [(day * 24 + hour) * _WORDS + name for hour in range(24)]
    which = f"id IN ({', '.join(map(str, keys))})"
    for key, data in db.execute(f"SELECT id, cell FROM hours WHERE {which}").fetchall():
        try:
            add(into.setdefault(key // _WORDS % 24, {}), unpack(data))
        except (ValueError, TypeError):
            continue
    row = (day * _WORDS + name, pack_day(into))
    db.execute("INSERT OR REPLACE INTO days (id, cells) VALUES (?, ?)", row)
    db.execute(f"DELETE FROM hours WHERE {which}")
