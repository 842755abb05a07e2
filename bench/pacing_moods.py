"""Pacing beside receivers that name times, change, greet slowly, or are many: in the simulator.

`python -m bench.pacing_moods [NAME…]` plays each row of `MOODS` five times (tests/policyd/sim.py),
limits unknown, and prints the median and the worst of time ÷ ideal, and the refusals, beside stock
Postfix's. The ideal is that of a sender who knows the limit and the block; where it is "stock's",
it is what stock Postfix needs at a receiver that refuses nothing, or until its own back-off ends.
Failure: a run in which mail is left over counts as infinitely slow.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.pacing_oracle import told
from tests.policyd.moody import Changing, ManyWorld, Quota, Saying, Slow
from tests.policyd.sim import Blocked, FixedWindow, Judge, Result, Sliding, Unlimited, World

__all__ = ["MOODS", "Mood", "main", "play"]

_START = 1_000_000.0
_RUNS = 5
_SLOW = 0.05
_LONGEST = 20_000.0


@dataclass(frozen=True)
class Mood:
    """One receiver, the mail for it, and how long that may take."""

    name: str
    says: str
    make: Callable[[float], Judge]  # at a start
    messages: int
    ideal: float  # seconds; 0.0: stock's
    aim: float  # times the ideal
    refused: float = math.inf  # refusals at most, of each run
    latency: float = _SLOW
    many: int = 0  # receivers
    arrivals: float = 0.0


@dataclass(frozen=True)
class Played:
    """What five runs came to."""

    times: tuple[float, ...]  # times the ideal, in order
    refused: tuple[int, ...]
    stock: int  # refusals of its first turn

    @property
    def median(self) -> float:
        """The middle one."""
        return self.times[len(self.times) // 2]


def _window(number: int, span: float, category: str = "", hint: float | None = None) -> Judge:
    return Saying(FixedWindow(number, span), category, hint)


def _small(number: int) -> Judge:
    """One to six in four seconds, any way to count."""
    rng = random.Random(number)
    limit = rng.randint(1, 6)
    return FixedWindow(limit, 4.0) if rng.random() < 0.5 else Sliding(limit, 4.0)


def _hinting(number: int) -> Mood:
    """A window and a hint that have nothing to do with each other; the ideal must learn, too."""
    rng = random.Random(f"hint {number}")
    span, hint = 10.0 ** rng.random(), 2.0 * 30.0 ** rng.random()
    return Mood(
        f"hint-drawn-{number}", f"20 in {span:.1f} s, says retry in {hint:.0f} s",
        lambda start: _window(20, span, hint=round(hint)), 300,
        told(20, span, round(hint), 300), 1.1,
    )  # fmt: skip


MOODS: tuple[Mood, ...] = (
    Mood("hint", "20 in 2 s, says retry in 10 s", lambda start: _window(20, 2, hint=10.0),
         300, 28.0, 1.75, refused=5),
    Mood("hint-none", "20 in 2 s, says nothing", lambda start: _window(20, 2), 300, 28.0, 1.21),
    Mood("hint-long", "20 in 2 s, says retry in 60 s; much mail",
         lambda start: _window(20, 2, hint=60.0), 1000, 98.0, 1.95),
    *(_hinting(number) for number in range(6)),
    Mood("changing", "20, then 5, then 40 in 2 s",
         lambda start: Changing(2.0, [(0, 20), (start + 30, 5), (start + 60, 40)]),
         700, 76.0, 1.4),
    Mood("busy", "20 in 2 s, calls it busy", lambda start: _window(20, 2, "flow.busy"),
         300, 30.0, 1.35),
    Mood("greets", "greets after 5 s, no limit", lambda start: Slow(Unlimited(), 5.0),
         500, 0.0, 1.1),
    Mood("greets-limit", "greets after 5 s, 20 in 2 s",
         lambda start: Slow(FixedWindow(20, 2), 5.0), 300, 33.0, 2.2),
    Mood("tarpit-limit", "greets after 10 s, 20 in 2 s",
         lambda start: Slow(FixedWindow(20, 2), 10.0), 300, 38.0, 2.2),
    *(
        Mood(f"unseen-{seconds:.0f}", f"blocked for {seconds:.0f} s from the first message on",
             lambda start, seconds=seconds: Blocked(start, start + seconds),
             200, seconds + 2.0, 1.5)
        for seconds in (20.0, 60.0, 150.0, 600.0)
    ),
    *(
        Mood(f"quota-{end:.0f}", f"30 messages, then a quota that ends after {end:.0f} s",
             lambda start, end=end: Quota(30, start + end), 100, 0.0, 1.0)
        for end in (100.0, 500.0, 1500.0)
    ),
    Mood("many", "200 receivers that take 1 to 6 in 4 s", lambda start: Unlimited(),
         4000, 76.0, 1.35, many=200),
)  # fmt: skip


def _world(mood: Mood, run: int, *, paced: bool) -> World:
    start = _START + 0.37 * run
    more: dict[str, Any] = {
        "latency": mood.latency, "seed": run, "start": start, "paced": paced,
        "arrivals": mood.arrivals,
    }  # fmt: skip
    if mood.many:
        return ManyWorld(_small, mood.messages, mood.many, **more)
    return World(mood.make(start), mood.messages, **more)


def _ideal(mood: Mood, run: int) -> float:
    return mood.ideal or _world(mood, run, paced=False).run(_LONGEST).took


def play(mood: Mood, times: int = _RUNS) -> Played:
    """Play it some times with pacing, and stock's first turn."""
    runs: list[Result] = [_world(mood, run, paced=True).run(_LONGEST) for run in range(times)]
    took = sorted(
        run.took / _ideal(mood, number) if run.accepted == mood.messages else math.inf
        for number, run in enumerate(runs)
    )
    stock = _world(mood, 0, paced=False).run(250).refused
    return Played(tuple(took), tuple(sorted(run.refused for run in runs)), stock)


def main(names: Sequence[str]) -> int:
    """Print the table."""
    print(
        "| receiver | messages | time ÷ ideal: median / worst | aim | refused: median / worst "
        "| stock |\n|---|---|---|---|---|---|"
    )
    for mood in MOODS:
        if names and not any(mood.name.startswith(name) for name in names):
            continue
        found = play(mood)
        print(
            f"| {mood.name}: {mood.says} | {mood.messages} "
            f"| {found.median:.2f} / {found.times[-1]:.2f} | {mood.aim:g} "
            f"| {found.refused[len(found.refused) // 2]} / {found.refused[-1]} | {found.stock} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
