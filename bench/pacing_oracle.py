"""The floor of learning: a sender that knows a receiver's kind and the prior, not its numbers.

Contract: pure; `floor(kind, drawn)` is the time it needs, in seconds; 0.0 where the limit shows
without being punished (buckets, connections); `told` the same for a receiver that names the stop.
It sends its messages at once until one is refused,
so it knows how many that are; how long they count is a posterior on a grid. Until mail is taken
again it probes at stops that grow by a factor, both chosen for the kind on receivers drawn apart.
Then a dynamic program picks the period of each round of messages: shorter saves time, too short
costs the stop and `PRICE`. It has no latency and no jitter. A window on the clock is played as one
that slides: what this says about windows is an upper bound of the floor.
Failure: none.
"""

from __future__ import annotations

import bisect
import math
import random
from functools import cache

from bench.pacing_drawn import Drawn, draw

__all__ = ["LEARNT", "PRICE", "floor", "plan", "told"]

LEARNT = ("fixed", "sliding", "penalty", "extending", "blocking")
PRICE = 1.0  # seconds that a refusal is worth besides its stop
_STEP = 1.08
_GRID = [0.45 * _STEP**number for number in range(65)]  # periods, to a minute and more
_ROUNDS = 30  # with more to come the choice is that of so many
_STOPS = [0.5 * 1.3**number for number in range(20)]  # what a refusal may cost
_BLOCK = 60.0
_SLOWEST, _FASTEST, _MOST = 0.3, 40.0, 300  # messages a second, and at once
_TRAINED = 80  # receivers on which the stops are chosen
Table = list[list[list[tuple[float, int]]]]


@cache
def _table(stop: int) -> Table:
    """Rounds left, proved too short, proved enough → seconds expected, the period to take."""
    size = len(_GRID)
    sums = [0.0, *_GRID]
    for at in range(1, size + 1):
        sums[at] += sums[at - 1]
    table: Table = [[[(0.0, high) for high in range(size)] for _ in range(size)]]
    for _ in range(_ROUNDS):
        table.append(_more(table[-1], sums, _STOPS[stop] if stop >= 0 else 0.0, size))
    return table


def _more(
    less: list[list[tuple[float, int]]], sums: list[float], stop: float, size: int
) -> list[list[tuple[float, int]]]:
    found = [[(0.0, high) for high in range(size)] for _ in range(size)]
    for low in range(size - 1):
        row, rest = found[low], less[low]
        for high in range(low + 1, size):
            room = high - low
            best, at = _GRID[high] + rest[high][0], high
            for middle in range(low + 1, high):
                passed = (middle - low) / room
                mean = (sums[high + 1] - sums[middle + 1]) / (high - middle)
                lost = stop or mean - _GRID[middle]
                expected = (
                    _GRID[middle]
                    + passed * rest[middle][0]
                    + (1 - passed) * (lost + PRICE + less[middle][high][0])
                )
                if expected < best:
                    best, at = expected, middle
            row[high] = best, at
    return found


def plan(low: float, high: float, rounds: int, span: float, stop: float) -> float:
    """Seconds for so many rounds at a true `span` within the bracket; `stop` 0.0: costs no stop."""
    table = _table(min(bisect.bisect_left(_STOPS, stop), len(_STOPS) - 1) if stop else -1)
    below = max(0, bisect.bisect_left(_GRID, low) - 1)
    above = min(bisect.bisect_left(_GRID, high), len(_GRID) - 1)
    took, longest = 0.0, high
    while rounds > 0:
        at = table[min(rounds, _ROUNDS)][below][above][1] if above > below else above
        period = min(_GRID[at], longest)
        took, rounds = took + period, rounds - 1
        if period >= span:
            above, longest = at, period
        else:
            took += max(stop, span - period)
            below = at
    return took


def floor(kind: str, drawn: Drawn) -> float:
    """What the oracle needs for all of it."""
    if kind not in LEARNT:
        return 0.0
    return _played(kind, drawn, *_stops(kind))


def told(number: int, span: float, hint: float, messages: int) -> float:
    """The same where windows of half a second to ten are the prior, and a refusal names `hint`."""
    now, low = hint, 0.5
    while now < span:
        low, now = now, now + hint
    rounds = max(1, math.ceil(messages / number) - 1)
    return now + plan(low, min(now, 10.0), rounds - 1, span, hint)


@cache
def _stops(kind: str) -> tuple[float, float]:
    """The first stop, as a share of the prior's middle, and its growth."""
    receivers = [draw(kind, random.Random(f"{kind} oracle {one}")) for one in range(_TRAINED)]

    def mean(choice: tuple[float, float]) -> float:
        return sum(_played(kind, one, *choice) / one.ideal for one in receivers)

    choices = [(first, growth) for first in (0.25, 0.5, 0.8, 1.2) for growth in (1.15, 1.4, 1.8)]
    return min(choices, key=mean) if kind != "blocking" else (1.0, 1.0)


def _played(kind: str, drawn: Drawn, first: float, growth: float) -> float:
    number, span = drawn.number, drawn.span
    low = max(0.5, (number - 0.5) / _FASTEST)
    high = min(60.0, (number + 0.5) / _SLOWEST) if number < _MOST else 60.0
    rounds = max(1, math.ceil(drawn.messages / number) - 1)
    if kind == "blocking":
        return _BLOCK + plan(low, high, rounds, span, _BLOCK)
    stop = first * math.sqrt(low * high)
    now, blocked = stop, _until(kind, 0.0, 0.0, drawn)
    while now < max(span, blocked):
        blocked = _until(kind, now, blocked, drawn)
        low = max(low, now) if kind in ("fixed", "sliding") else low
        stop *= growth
        now += stop
    costs = stop if kind in ("penalty", "extending") else 0.0
    return now + plan(low, min(high, now), rounds - 1, span, costs)


def _until(kind: str, now: float, blocked: float, drawn: Drawn) -> float:
    """Until when a refusal blocks."""
    if kind == "penalty":
        return now + drawn.penalty
    if kind == "extending":
        return min(max(blocked, now) + min(drawn.penalty, 3.0), now + 60.0)
    return 0.0
