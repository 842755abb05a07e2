"""Pacing beside receivers nobody tuned it for: limits, windows, penalties, latencies at random.

`python -m bench.pacing_survey [COUNT [SEED [KIND…]]]`: COUNT receivers of each kind, drawn by
`bench.pacing_drawn`, in the simulator (tests/policyd/sim.py), limits unknown. Prints for each kind
the median, 90th percentile and worst of time ÷ ideal, of the refusals and their share of stock
Postfix's first turn, how many receivers meet both aims, and the regret: our time ÷ that of
`bench.pacing_oracle`, receiver by receiver.
Failure: none; a receiver at which mail was left over counts as infinitely slow.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from bench.pacing_drawn import KINDS, Drawn, draw
from bench.pacing_oracle import floor
from tests.policyd.sim import World

__all__ = ["Figures", "main", "measure", "survey"]

TIME_AIM = 1.5  # times the ideal
REFUSED_AIM = 0.1  # of stock's
_START = 1_000_000.0


@dataclass(frozen=True)
class Figures:
    """What pacing came to."""

    time: float  # times the ideal
    refused: float  # of stock's
    refusals: int
    regret: float  # times the oracle's time; 0.0: there is no oracle

    @property
    def good(self) -> bool:
        """Whether both aims are met."""
        return self.time <= TIME_AIM and self.refused <= REFUSED_AIM


def measure(drawn: Drawn, least: float = 0.0) -> Figures:
    """Play it with pacing and without; `least`: the oracle's seconds."""
    start = _START + drawn.seed % 1000 / 37
    run = World(drawn.make(), drawn.messages, latency=drawn.latency, seed=drawn.seed,
                start=start).run(20_000)  # fmt: skip
    stock = World(drawn.make(), drawn.messages, latency=drawn.latency, seed=drawn.seed,
                  start=start, paced=False).run(250)  # fmt: skip
    took = run.took if run.accepted == drawn.messages else math.inf
    regret = took / max(least, drawn.messages / 100) if least else 0.0
    return Figures(took / drawn.ideal, run.refused / max(1, stock.refused), run.refused, regret)


def _quantiles(values: Sequence[float], digits: int = 2) -> str:
    ordered = sorted(values)
    ninth = ordered[min(len(ordered) - 1, math.ceil(0.9 * len(ordered)) - 1)]
    shown = (ordered[len(ordered) // 2], ninth, ordered[-1])
    return " / ".join(f"{value:.{digits}f}" for value in shown) if ordered[-1] else "–"


def survey(kind: str, count: int, seed: int) -> list[tuple[Drawn, Figures]]:
    """`count` receivers of a kind, measured on all cores."""
    drawn = [draw(kind, random.Random(f"{kind} {seed} {number}")) for number in range(count)]
    with ProcessPoolExecutor() as pool:
        jobs = [(kind, seed, number) for number in range(count)]
        return list(zip(drawn, pool.map(_play, jobs), strict=True))


def _play(job: tuple[str, int, int]) -> Figures:
    kind, seed, number = job
    drawn = draw(kind, random.Random(f"{kind} {seed} {number}"))
    return measure(drawn, floor(kind, drawn))


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    count = int(arguments[0]) if arguments else 60
    seed = int(arguments[1]) if arguments[1:] else 1
    print(
        "| kind | time ÷ ideal: median / 9 of 10 / worst | refusals | ÷ stock's | both aims met "
        "| time ÷ oracle's | slowest |\n|---|---|---|---|---|---|---|"
    )
    for kind in arguments[2:] or KINDS:
        found = survey(kind, count, seed)
        slowest = max(found, key=lambda pair: pair[1].time)[0]
        print(
            f"| {kind} | {_quantiles([figures.time for _, figures in found])} "
            f"| {_quantiles([figures.refusals for _, figures in found], 0)} "
            f"| {_quantiles([figures.refused for _, figures in found])} "
            f"| {sum(figures.good for _, figures in found)} of {count} "
            f"| {_quantiles([figures.regret for _, figures in found])} "
            f"| {slowest.says}, {slowest.messages} messages |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
