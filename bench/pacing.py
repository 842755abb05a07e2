"""The proving ground: stock Postfix beside Postfix with mxheed, which is told no limit.

`python -m bench.pacing [SCENARIO…]`, as root. Stock and mxheed play the same limited receiver at
the same time, each in a lab of its own. Quiet scenarios, a few messages a second, are played three
at a time; busy ones alone. Receivers without a limit are measured in interleaved pairs, one after
the other, alone. Prints each row and the tables; without arguments they are also written to
bench/README.md, section "Pacing".
Failure: a lab that does not start ends it with its words; what was measured before is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.ground import SCENARIOS
from bench.pacing_run import play
from bench.pacing_table import Pair, State, free, limited, publish, table
from bench.scenario import Scenario

__all__ = ["main"]

_PAIRS = 3
_BESIDE = 3  # quiet scenarios at a time


def main(names: Sequence[str]) -> int:
    """Play what was asked for, or everything."""
    wanted = [one for one in SCENARIOS if not names or one.name in names]
    if unknown := set(names) - {one.name for one in wanted}:
        print(f"no scenario {', '.join(sorted(unknown))}", file=sys.stderr)
        print(f"there are: {', '.join(one.name for one in SCENARIOS)}", file=sys.stderr)
        return 2
    rows: dict[str, str] = {}
    begin = State.now()
    try:
        _all(wanted, rows)
    finally:
        of = [one for one in wanted if one.name in rows]
        text = begin.told(State.now()) + table(
            [rows[one.name] for one in of if one.ideal],
            [rows[one.name] for one in of if not one.ideal],
            _PAIRS,
        )
        print(f"\n{text}")
    if not names:
        publish(text)
    return 0


def _all(wanted: Sequence[Scenario], rows: dict[str, str]) -> None:
    """Play everything; the rows appear as they are done."""

    def one(scenario: Scenario) -> None:
        if scenario.ideal:
            row = limited(scenario, _together(scenario))
        else:
            row = free(scenario, [_apart(scenario) for _ in range(_PAIRS)])
        rows[scenario.name] = row
        print(row, end="", flush=True)

    # the longest first, so that no one of them is waited for in the end
    quiet = sorted((one for one in wanted if one.quiet), key=lambda one: -one.ideal)
    with ThreadPoolExecutor(_BESIDE) as pool:
        list(pool.map(one, quiet))
    for scenario in wanted:
        if not scenario.quiet:
            one(scenario)


def _together(scenario: Scenario) -> Pair:
    with ThreadPoolExecutor(2) as pool:
        stock = pool.submit(play, scenario, False)
        mxheed = pool.submit(play, scenario, True)
        return Pair(stock.result(), mxheed.result())


def _apart(scenario: Scenario) -> Pair:
    return Pair(play(scenario, False), play(scenario, True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
