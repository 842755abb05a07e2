"""A histogram of delays that is one integer: a field for each bucket, and the sum above them.

So counting a delay is one addition, of what `single` gives for it, and adding up histograms is one
too. Delays are whole microseconds: sums are exact and do not depend on the order of adding.

Contract: pure. `single(seconds)` is the histogram of one delay; what claims to be longer than
`LONGEST` counts as that. `spread` gives the counts of the buckets (not cumulative; the last one is
beyond all bounds) and then the sum in microseconds; `gather` is the way back; `shown` is for
Prometheus: fewer buckets, at `SHOWN_BOUNDS`, and the sum in seconds.
Failure: ValueError from `gather` for what is no list of `FIELDS` such numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from struct import Struct, error
from typing import NamedTuple

__all__ = [
    "DELAY_BOUNDS",
    "FIELDS",
    "LONGEST",
    "SHOWN_BOUNDS",
    "Histogram",
    "gather",
    "shown",
    "single",
    "spread",
]

# seconds: from a fast local receiver to a message that waits for hours
DELAY_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0)
# each bucket is a series of each part of each receiver: those that somebody decides by
SHOWN_BOUNDS = (0.5, 2.5, 10.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0)
FIELDS = len(DELAY_BOUNDS) + 2
LONGEST = 1e9  # seconds

_BOUNDS_US = tuple(round(bound * 1_000_000) for bound in DELAY_BOUNDS)
_COUNTS = Struct(f"<{len(DELAY_BOUNDS) + 1}Q")  # 64 bits for each: no log fills them
_SUM = 8 * _COUNTS.size  # where the sum begins: it has no end
_BELOW = (1 << _SUM) - 1
_ENDS = [DELAY_BOUNDS.index(bound) + 1 for bound in SHOWN_BOUNDS] + [len(DELAY_BOUNDS) + 1]
_GROUPS = tuple(slice(*ends) for ends in pairwise([0, *_ENDS]))


class Histogram(NamedTuple):
    """How many fell into each bucket, and their sum."""

    counts: Sequence[int]  # not cumulative; one more than the bounds: the last is beyond them all
    total: float


def single(seconds: float) -> int:
    """The histogram of one delay."""
    microseconds = round(min(seconds, LONGEST) * 1_000_000)
    return (1 << 64 * bisect_left(_BOUNDS_US, microseconds)) + (microseconds << _SUM)


def spread(histogram: int) -> list[int]:
    """The counts, and the sum in microseconds."""
    counts = _COUNTS.unpack((histogram & _BELOW).to_bytes(_COUNTS.size, "little"))
    return [*counts, histogram >> _SUM]


def shown(histogram: int) -> Histogram:
    """The counts between the bounds that are shown, and the sum in seconds."""
    *counts, microseconds = spread(histogram)
    return Histogram([sum(counts[group]) for group in _GROUPS], microseconds / 1_000_000)


def gather(fields: Sequence[int]) -> int:
    """The histogram of these counts and this sum; ValueError if no histogram has such ones."""
    *counts, total = fields
    try:
        packed = _COUNTS.pack(*counts)
    except error as fault:
        raise ValueError(f"no counts: {counts}") from fault
    return int.from_bytes(packed, "little") + (total << _SUM)
