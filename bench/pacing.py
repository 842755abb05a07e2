"""The proving ground: stock Postfix beside Postfix with mxheed, which is told no limit.

`python -m bench.pacing [SCENARIO…]`, as root. Both play the same scenario at the same time, each in
a lab of its own; receivers without a limit are measured in interleaved pairs, one after the other.
Prints a table; without arguments it is also written to bench/README.md, section "Pacing".
Failure: a lab that does not start ends it with its words; what was measured before is printed.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bench.ground import SCENARIOS, Scenario
from bench.pacing_run import Outcome, play

__all__ = ["main"]

_README = Path(__file__).with_name("README.md")
_PAIRS = 3
_BACKOFF = 300.0  # Postfix's minimal_backoff_time and queue_run_delay
_HEAD = (
    "| receiver | ideal | stock: delivered, time | refused | mxheed: delivered, time | ÷ ideal "
    "| refused | of stock's | connections a message, stock → mxheed "
    "| bounced, stock → mxheed |\n|---|---|---|---|---|---|---|---|---|---|\n"
)


class Pair(NamedTuple):
    """Both ways to play one scenario."""

    stock: Outcome
    mxheed: Outcome


def main(names: Sequence[str]) -> int:
    """Play what was asked for, or everything."""
    wanted = [one for one in SCENARIOS if not names or one.name in names]
    limited, free = [], []
    try:
        for scenario in wanted:
            if scenario.ideal:
                limited.append(_row(scenario, _together(scenario)))
                print(limited[-1], end="", flush=True)
            else:
                free.append(_free(scenario, [_apart(scenario) for _ in range(_PAIRS)]))
                print(free[-1], end="", flush=True)
    finally:
        text = _table(limited, free)
        print(f"\n{text}")
    if not names:
        _write(text)
    return 0


def _together(scenario: Scenario) -> Pair:
    with ThreadPoolExecutor(2) as pool:
        stock = pool.submit(play, scenario, False)
        mxheed = pool.submit(play, scenario, True)
        return Pair(stock.result(), mxheed.result())


def _apart(scenario: Scenario) -> Pair:
    return Pair(play(scenario, False), play(scenario, True))


def _row(scenario: Scenario, pair: Pair) -> str:
    stock, mxheed = pair
    share = f"{mxheed.refusals / stock.refusals:.1%}" if stock.refusals else "–"
    return (
        f"| {scenario.name}: {scenario.says} | {scenario.ideal:.0f} s "
        f"| {_delivered(scenario, stock)}{_later(scenario, stock)} | {stock.refusals} "
        f"| {_delivered(scenario, mxheed)} | {mxheed.seconds / scenario.ideal:.2f} "
        f"| {mxheed.refusals} | {share} "
        f"| {stock.connections_per_message:.2f} → {mxheed.connections_per_message:.2f} "
        f"| {stock.bounced} → {mxheed.bounced} |\n"
    )


def _delivered(scenario: Scenario, outcome: Outcome) -> str:
    whole = "all" if outcome.delivered >= scenario.recipients else f"{outcome.delivered}"
    return f"{whole} of {scenario.recipients}, {outcome.seconds:.1f} s"


def _later(scenario: Scenario, stock: Outcome) -> str:
    """What is left waits for Postfix's back-off: how long at least, if each turn takes as much."""
    left = scenario.recipients - stock.delivered - stock.bounced
    if left <= 0:
        return ""
    if not stock.delivered:
        return f"; the rest ≥ {_BACKOFF:.0f} s"
    return f"; the rest ≥ {math.ceil(left / stock.delivered) * _BACKOFF:.0f} s"


def _free(scenario: Scenario, pairs: Sequence[Pair]) -> str:
    def rate(outcomes: Iterable[Outcome]) -> float:
        return statistics.median(one.delivered / one.seconds for one in outcomes)

    stock, mxheed = [pair.stock for pair in pairs], [pair.mxheed for pair in pairs]
    loss = statistics.median(1 - rate([pair.mxheed]) / rate([pair.stock]) for pair in pairs)
    used = [
        statistics.median(one.connections_per_message for one in outcomes)
        for outcomes in (stock, mxheed)
    ]
    return (
        f"| {scenario.name}: {scenario.says} | {scenario.recipients} | {rate(stock):.0f}/s "
        f"| {rate(mxheed):.0f}/s | {loss:+.1%} | {used[0]:.2f} → {used[1]:.2f} "
        f"| {max(one.bounced for one in mxheed)} |\n"
    )


def _table(limited: Sequence[str], free: Sequence[str]) -> str:
    text = ""
    if limited:
        text += _HEAD + "".join(limited)
    if free:
        text += (
            f"\nReceivers that do not limit, {_PAIRS} interleaved pairs, medians:\n\n"
            "| receiver | messages | stock | mxheed | speed lost (median of pairs) "
            "| connections a message, stock → mxheed | bounced |\n|---|---|---|---|---|---|---|\n"
        ) + "".join(free)
    return text


def _write(text: str) -> None:
    """Put the table between its marks in the README."""
    begin, end = "<!-- pacing: begin -->\n", "<!-- pacing: end -->\n"
    readme = _README.read_text() if _README.exists() else "# Measurements\n"
    if begin not in readme:
        readme += f"\n## Pacing\n\n{begin}{end}"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    _README.write_text(re.sub(pattern, lambda _: begin + text + end, readme, flags=re.S))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
