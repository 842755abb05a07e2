"""A cell: what was counted of one receiver in one minute or hour, as numbers by word.

The words: an outcome ("sent", "deferred", "held", …), "reply CATEGORY", "delay N" (bucket N of
`policyd.counting.histogram`), "delay sum" in microseconds, "seconds STATE"; "part PART", the sum of
a part of the delays in milliseconds (finer than Postfix logs unless it is told to: the file is
small for it), and "part count", of how many deliveries the log tells parts.
Contract: pure. `add` puts one cell on top of another, so that minutes make hours and the order does
not matter. `pack` writes numbers by the words' ids, a few bytes each; `unpack` is the way back.
Failure: ValueError from `unpack` for bytes that are no cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from policyd.counting.histogram import DELAY_BOUNDS, spread
from policyd.counting.receivercounts import DELAY_PARTS

__all__ = [
    "DELAY",
    "DELAY_SUM",
    "PART",
    "PART_COUNT",
    "REPLY",
    "SECONDS",
    "add",
    "pack",
    "pack_numbers",
    "parted",
    "spelled",
    "unpack",
    "unpack_numbers",
]

REPLY, SECONDS, DELAY, DELAY_SUM = "reply ", "seconds ", "delay ", "delay sum"
PART, PART_COUNT = "part ", "part count"
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


def parted(delays: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The histograms of the parts, and of the whole, as the sums of the parts."""
    *counts, _ = spread(delays[0])  # a log tells all parts of a delivery, or none
    if told := sum(counts):
        yield PART_COUNT, told
        for part, histogram in zip(DELAY_PARTS[:-1], delays, strict=False):
            if total := round(spread(histogram)[-1] / 1000):
                yield PART + part, total


def pack(cell: Mapping[int, int]) -> bytes:
    """Ids and numbers."""
    return pack_numbers(number for item in sorted(cell.items()) for number in item)


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Seven bits a byte."""
    out = bytearray()
    for number in numbers:
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


def unpack(data: bytes) -> dict[int, int]:
    """The way back."""
    numbers = list(unpack_numbers(data))
    if len(numbers) % 2:
        raise ValueError("a word without its number")
    return dict(zip(numbers[::2], numbers[1::2], strict=True))


def unpack_numbers(data: bytes) -> Iterator[int]:
    """The way back."""
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
