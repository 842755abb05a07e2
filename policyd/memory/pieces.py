"""Cuts a block of log lines where another minute begins, so that each is counted in its own.

Contract: pure. `pieces` yields (minute, lines) with the stamp's bytes that tell the minute; the
pieces are the block. Lines are taken to be in the order of time: a line that is not is counted
with its neighbours. A block without stamps at its lines' beginning is one piece.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logparse.stamps import OWN, STAMP, minute

__all__ = ["pieces"]

_STAMP = re.compile(rb"(?:<[0-9]{1,3}>)?(" + STAMP + rb"|" + OWN + rb")")


def pieces(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The block, minute by minute."""
    start, last = 0, _line(block, len(block) - 1)
    newest = _minute(block, last)
    while (first := _minute(block, start)) != newest and newest and first:
        end = _end(block, start, first)
        if end >= len(block):
            break
        yield first, block[start:end]
        start = end
    yield first or newest, block[start:] if start else block


def _end(block: bytes, start: int, first: bytes) -> int:
    """Where the lines of this minute end, found by halving."""
    low, high = start, len(block)  # a line of it begins at `low`, none does at `high`
    while True:
        middle = _line(block, (low + high) // 2)
        if middle <= low:
            following = block.find(b"\n", low) + 1 or len(block)
            if following >= high or _minute(block, following) not in (first, b""):
                return following
            middle = following
        if _minute(block, middle) in (first, b""):
            low = middle
        else:
            high = middle


def _line(block: bytes, at: int) -> int:
    """Where the line begins that this byte is of."""
    return block.rfind(b"\n", 0, max(at, 0)) + 1


def _minute(block: bytes, start: int) -> bytes:
    found = _STAMP.match(block, start)
    return minute(block, found.start(1)) if found else b""
