"""Receivers drawn at random for the survey: limits, windows, penalties, latencies.

Contract: pure; `draw` makes one of a kind from a generator of random numbers. The ideal is that of
a sender who knows the limit; a block it cannot know is part of it only where one refusal too many
brings a long block (kind "blocking"). Failure: none.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.policyd.sim import Blocking, Bucket, Concurrency, Extending, FixedWindow, Judge, Sliding

__all__ = ["KINDS", "Drawn", "draw"]

KINDS = ("fixed", "sliding", "bucket", "penalty", "extending", "blocking", "connections")
_HAND = 100.0  # releases a second, at most


@dataclass(frozen=True)
class Drawn:
    """One receiver and the mail for it."""

    says: str
    make: Callable[[], Judge]
    messages: int
    ideal: float  # seconds
    latency: float
    seed: int
    number: int = 0  # messages at once
    span: float = 0.0  # seconds
    penalty: float = 0.0  # seconds, as the kind has it


def draw(kind: str, rng: random.Random) -> Drawn:
    """A receiver of this kind: 0.3 to 40 messages a second, windows from half a second."""
    latency = _between(rng, 0.02, 0.4)
    seed = rng.randrange(1_000_000)
    if kind == "connections":
        number = round(_between(rng, 2, 20))
        count = round(number / (latency + 0.1) * _between(rng, 10, 60))
        count = min(max(count, 20 * number), 2000)
        # a place is empty while the next message is let go, looked up and connected
        ideal = max(count * (latency * 1.17 + 0.02) / number, count / _HAND)
        return Drawn(
            f"{number} at a time", lambda: Concurrency(number), count, ideal, latency, seed
        )
    rate, span = _between(rng, 0.3, 40), _between(rng, 0.5, 60)
    number = min(max(1, round(rate * span)), 300)
    windows = max(_between(rng, 6, 40), 10 / span)
    count = min(max(round(number * windows), 200), 2500)
    ideal = max(1, math.ceil(count / number) - 1) * span
    penalty = min(_between(rng, 0.3, 4) * span, 20.0)
    says, make = _limited(kind, number, span, penalty)
    if kind == "blocking":
        ideal += 60.0
    ideal = max(ideal, count / _HAND)
    return Drawn(says, make, count, ideal, latency, seed, number, span, penalty)


def _limited(
    kind: str, number: int, span: float, penalty: float
) -> tuple[str, Callable[[], Judge]]:
    says = f"{number} in {span:.1f} s"
    if kind == "fixed":
        return says, lambda: FixedWindow(number, span)
    if kind == "sliding":
        return f"any {says}", lambda: Sliding(number, span)
    if kind == "bucket":
        return f"{number} at once, {number / span:.2f} a second", lambda: Bucket(number, span)
    if kind == "penalty":
        return f"any {says}, {penalty:.1f} s anew", lambda: Sliding(number, span, penalty)
    if kind == "extending":
        more = min(penalty, 3.0)
        return f"any {says}, {more:.1f} s more", lambda: Extending(number, span, more)
    return f"{says} or a minute", lambda: Blocking(number, span, 60.0)


def _between(rng: random.Random, low: float, high: float) -> float:
    return low * (high / low) ** rng.random()
