"""A cell: what was counted of one receiver in one minute or hour, as numbers by word.

The words: an outcome ("sent", "deferred", "held", …), "reply CATEGORY", "delay N" (bucket N of
`policyd.counting.histogram`), "delay sum" in microseconds, "seconds STATE".
Contract: pure. `add` puts one cell on top of another, so that minutes make hours and the order does
not matter. `pack` writes numbers by the words' ids, a few bytes each; `unpack` is the way back.
Failure: ValueError from `unpack` for bytes that are no cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from policyd.counting.histogram import DELAY_BOUNDS, spread

__all__ = ["DELAY", "DELAY_SUM", "REPLY", "SECONDS", "add", "pack", "spelled", "unpack"]

REPLY, SECONDS, DELAY, DELAY_SUM = "reply ", "seconds ", "delay ", "delay sum"
_LONGEST = 10  # bytes of a number
_BUCKETS = tuple(f"{DELAY}{number}" for number in range(len(DELAY_BOUNDS) + 1))

Word = TypeVar("Word", int, str)


def add(cell: dict[Word, int], other: Mapping[Word, int]) -> None:
    """Put the numbers of another cell on top."""
    for word, number in other.items():
        cell[word] = cell.get(word, 0) + number


def spelled(delays: int) -> Iterator[tuple[str, int]]:
    """A histogram as words and numbers."""
    *counts, total = spread(delays)
    for word, count in zip(_BUCKETS, counts, strict=True):
        if count:
            yield word, count
    if total:
        yield DELAY_SUM, total


def pack(cell: Mapping[int, int]) -> bytes:
    """Ids and numbers, seven bits a byte."""
    out = bytearray()
    for item in sorted(cell.items()):
        for number in item:
            while number > 127:
                out.append(number & 127 | 128)
                number >>= 7
            out.append(number)
    return bytes(out)


def unpack(data: bytes) -> dict[int, int]:
    """The way back."""
    numbers = list(_numbers(data))
    if len(numbers) % 2:
        raise ValueError("a word without its number")
    return dict(zip(numbers[::2], numbers[1::2], strict=True))


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
        elif shift >= 7 * _LONGEST:
            raise ValueError("a number without end")
    if shift:
        raise ValueError("the end is missing")
