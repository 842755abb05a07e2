"""How fast logs are read, beside the programs people use for it today.

    python -m bench.logs_bench [--lines 1000000] [--exim-lines 300000] [--runs 3] [--part NAME]

Writes its logs into a temporary directory, runs every program that is installed on the same files,
in turns, and prints CPU seconds (the median), lines per CPU second, peak memory, and our speed as a
multiple of theirs (the median over the turns, for neighbours in time share the machine's noise).
CPU time, not elapsed time, because benchmarks share their machine; of whole processes, from their
start to their end. Of mxheed the reading alone, without modules and rules, is told apart.
Failure: a peer that is not installed or ends with an error is left out and named.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.genlog import Exim, Postfix
from bench.logs_peers import PEERS_EXIM, PEERS_POSTFIX, LogsPeer, Usage, usage_of
from bench.logs_worst import KINDS, worst_case

__all__ = ["main"]

_READER = "bench.logs_reader"


class Log(NamedTuple):
    """A file to read."""

    name: str
    path: Path
    lines: int

    @property
    def megabytes(self) -> float:
        return self.path.stat().st_size / 1e6


def write(path: Path, lines: Iterator[bytes], count: int) -> Log:
    """The first `count` lines in a file."""
    with path.open("wb") as file:
        file.writelines(islice(lines, count))
    return Log(path.stem, path, count)


def ours(log: Log, *options: str) -> tuple[Usage, float]:
    """mxheed's reader on one log: what the process used, and CPU seconds of reading alone."""
    command = [sys.executable, "-m", _READER, *options, str(log.path)]
    usage = usage_of(command)
    return usage, float(usage.output.split()[-1])


def compare(log: Log, peers: tuple[LogsPeer, ...], runs: int) -> None:
    """One table: we and the peers, in turns, on one log."""
    print(f"\n{log.name}: {log.lines:,} lines, {log.megabytes:.0f} MB")
    print(f"{'':38}{'CPU s':>8}{'lines/s':>12}{'peak MB':>9}{'we are':>9}")
    rows: dict[str, list[tuple[float, Usage]]] = {}  # with what we used in the same turn
    for _ in range(runs):
        usage, reading = ours(log)
        rows.setdefault("mxheed", []).append((usage.seconds, usage))
        rows.setdefault("  reading alone", []).append((reading, usage._replace(seconds=reading)))
        for peer in peers:
            found = _try(lambda peer=peer: peer.run(log.path))  # type: ignore[misc]
            if found is not None:
                rows.setdefault(peer.name, []).append((usage.seconds, found))
    for name, turns in rows.items():
        seconds = median(found.seconds for _, found in turns)
        peak = max(found.megabytes for _, found in turns)
        times = median(found.seconds / own for own, found in turns)
        print(f"{name:38}{seconds:8.2f}{log.lines / seconds:12,.0f}{peak:9.0f}{times:8.2f}×")


def _try(run: Callable[[], Usage]) -> Usage | None:
    try:
        return run()
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        print(f"  left out: {error}", file=sys.stderr)
        return None


def postfix(directory: Path, options: argparse.Namespace) -> None:
    """An ordinary log of Postfix, and once more with every value handed out."""
    log = write(directory / "postfix.log", Postfix(1).lines(), options.lines)
    compare(log, PEERS_POSTFIX, options.runs)
    usage, _ = ours(log, "--listen")
    print(f"{'  with every value handed out':38}{usage.seconds:8.2f}")


def rfc3339(directory: Path, options: argparse.Namespace) -> None:
    """The same with stamps of the newer form."""
    log = write(directory / "postfix-rfc3339.log", Postfix(1, "rfc3339").lines(), options.lines)
    compare(log, PEERS_POSTFIX[:1], options.runs)


def exim(directory: Path, options: argparse.Namespace) -> None:
    """Exim's log; Debian 12's eximstats does not know the longer message ids of Exim 4.97."""
    log = write(directory / "exim.log", Exim(1, "old").lines(), options.exim_lines)
    compare(log, PEERS_EXIM, options.runs)


def hostile(directory: Path, options: argparse.Namespace) -> None:
    """Bytes per second on lines made to be slow, against an ordinary log."""
    normal = write(directory / "usual.log", Postfix(1).lines(), options.lines)
    usual = normal.megabytes / ours(normal)[1]
    print(f"\nlines of 2,000 bytes full of false fields (an ordinary log: {usual:.0f} MB/s)")
    for kind in KINDS:
        log = write(directory / "worst.log", worst_case(kind), 20_000)
        speed = log.megabytes / ours(log)[1]
        print(f"{kind:38}{speed:8.0f} MB/s {speed / usual:6.2f} of normal")


def memory(directory: Path, options: argparse.Namespace) -> None:
    """Peak memory for logs of growing size."""
    print("\npeak memory by size of the log")
    for factor in (1, 4):
        log = write(directory / "size.log", Postfix(3).lines(), options.lines * factor // 4)
        usage, _ = ours(log)
        print(f"{log.lines:12,} lines {log.megabytes:8.0f} MB log {usage.megabytes:6.0f} MB memory")


PARTS = {part.__name__: part for part in (postfix, rfc3339, exim, hostile, memory)}


def main() -> None:
    """Runs everything, or one part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--exim-lines", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--part", choices=PARTS)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mxheed-bench-") as name:
        for part in [options.part] if options.part else PARTS:
            PARTS[part](Path(name), options)
    print(f"whole run: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
