"""Pacing beside receivers nobody tuned it for: limits, windows, penalties, latencies at random.

`python -m bench.pacing_survey [COUNT [SEED]]`: COUNT receivers of each kind in the simulator
(tests/policyd/sim.py), limits unknown. Prints for each kind the median, 90th percentile and worst
of time ÷ ideal and of refusals ÷ those of stock Postfix's first turn, and how many receivers meet
both aims. The ideal is that of a sender who knows the limit; a block it cannot know is part of it
only where one refusal too many brings a long block (kind "blocking").
Failure: none; a receiver at which mail was left over counts as infinitely slow.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.policyd.sim import (
    Blocking,
    Bucket,
    Concurrency,
    Extending,
    FixedWindow,
    Judge,
    Sliding,
    World,
)

__all__ = ["KINDS", "Drawn", "Figures", "draw", "main", "measure", "survey"]

TIME_AIM = 1.5  # times the ideal
REFUSED_AIM = 0.1  # of stock's
KINDS = ("fixed", "sliding", "bucket", "penalty", "extending", "blocking", "connections")
_START = 1_000_000.0


@dataclass(frozen=True)
class Drawn:
    """One receiver and the mail for it."""

    says: str
    make: Callable[[], Judge]
    messages: int
    ideal: float  # seconds
    latency: float
    seed: int


@dataclass(frozen=True)
class Figures:
    """What pacing came to."""

    time: float  # times the ideal
    refused: float  # of stock's

    @property
    def good(self) -> bool:
        """Whether both aims are met."""
        return self.time <= TIME_AIM and self.refused <= REFUSED_AIM


def draw(kind: str, rng: random.Random) -> Drawn:
    """A receiver of this kind: 0.3 to 40 messages a second, windows from half a second."""
    latency = _between(rng, 0.02, 0.4)
    seed = rng.randrange(1_000_000)
    if kind == "connections":
        number = round(_between(rng, 2, 20))
        count = round(number / (latency + 0.1) * _between(rng, 10, 60))
        count = min(max(count, 20 * number), 2000)
        # a place is empty while the next message is let go, looked up and connected
        ideal = count * (latency * 1.17 + 0.02) / number
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
    return Drawn(says, make, count, max(ideal, count / 100), latency, seed)


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


def measure(drawn: Drawn) -> Figures:
    """Play it with pacing and without."""
    start = _START + drawn.seed % 1000 / 37
    run = World(drawn.make(), drawn.messages, latency=drawn.latency, seed=drawn.seed,
                start=start).run(20_000)  # fmt: skip
    stock = World(drawn.make(), drawn.messages, latency=drawn.latency, seed=drawn.seed,
                  start=start, paced=False).run(250)  # fmt: skip
    took = run.took / drawn.ideal if run.accepted == drawn.messages else math.inf
    return Figures(took, run.refused / max(1, stock.refused))


def _quantiles(values: Sequence[float]) -> str:
    ordered = sorted(values)
    ninth = ordered[min(len(ordered) - 1, math.ceil(0.9 * len(ordered)) - 1)]
    return f"{ordered[len(ordered) // 2]:.2f} / {ninth:.2f} / {ordered[-1]:.2f}"


def survey(kind: str, count: int, seed: int) -> list[tuple[Drawn, Figures]]:
    """`count` receivers of a kind, measured on all cores."""
    drawn = [draw(kind, random.Random(f"{kind} {seed} {number}")) for number in range(count)]
    with ProcessPoolExecutor() as pool:
        jobs = [(kind, seed, number) for number in range(count)]
        return list(zip(drawn, pool.map(_play, jobs), strict=True))


def _play(job: tuple[str, int, int]) -> Figures:
    kind, seed, number = job
    return measure(draw(kind, random.Random(f"{kind} {seed} {number}")))


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    count = int(arguments[0]) if arguments else 60
    seed = int(arguments[1]) if arguments[1:] else 1
    print(
        "| kind | time ÷ ideal: median / 9 of 10 / worst | refused ÷ stock's | both aims met "
        "| slowest |\n|---|---|---|---|---|"
    )
    for kind in KINDS:
        found = survey(kind, count, seed)
        slowest = max(found, key=lambda pair: pair[1].time)[0]
        print(
            f"| {kind} | {_quantiles([figures.time for _, figures in found])} "
            f"| {_quantiles([figures.refused for _, figures in found])} "
            f"| {sum(figures.good for _, figures in found)} of {count} "
            f"| {slowest.says}, {slowest.messages} messages |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
