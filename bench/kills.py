"""Kill the daemon's inside at random moments while its log grows and rotates; compare the totals.

    python -m bench.kills --kills 200

Contract: `run` starts a writer (bench.kills_writer) and, again and again, a reader
(bench.kills_child) that is ended by SIGKILL. After each kill the state file must agree with itself;
after every `check_every` kills the writer pauses, a reader reads to the end, and all totals must
be the writer's. Any difference is an `AssertionError` that names it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from policyd.store import Saved, Store

__all__ = ["KillsOutcome", "run"]


class KillsOutcome(NamedTuple):
    """What was shown."""

    kills: int
    checks: int
    lines: int
    recipients: int
    rotations: int
    seconds: float


def _python(module: str, *words: str, **pipes: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", module, *words], text=True, **pipes)


def run(folder: Path, kills: int, *, seed: int = 0, check_every: int = 1) -> KillsOutcome:
    """So many kills, each time with the right totals."""
    pick, begun, checks, truth = Random(seed), time.monotonic(), 0, {}
    pipe = subprocess.PIPE
    (folder / "mail.log").touch()
    _drain(folder)  # a log never seen is read from its beginning: let it be seen
    with _python(
        "bench.kills_writer", str(folder), "--seed", str(seed), stdin=pipe, stdout=pipe
    ) as writer:
        for number in range(1, kills + 1):
            _kill_one(folder, pick)
            _agrees_with_itself(folder)
            if number % check_every == 0 or number == kills:
                truth = json.loads(_ask(writer, "pause"))
                _drain(folder)
                _equals(truth, _saved(folder))
                checks += 1
                _tell(writer, "go")
        writer.communicate()
    return KillsOutcome(
        kills=kills,
        checks=checks,
        lines=truth["lines"],
        recipients=sum(truth["deliveries"].values()),
        rotations=truth["rotations"],
        seconds=time.monotonic() - begun,
    )


def _kill_one(folder: Path, pick: Random) -> None:
    """A reader that lives for a moment: sometimes it does not even get to the log."""
    with _python("bench.kills_child", str(folder), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if pick.random() < 0.9:
            child.stdout.readline()
        try:
            child.wait(pick.expovariate(1 / 0.2))
        except subprocess.TimeoutExpired:
            child.kill()
        assert child.wait() == -9, f"the reader ended by itself: {child.returncode}"


def _drain(folder: Path) -> None:
    with _python("bench.kills_child", str(folder), "--drain", stdout=subprocess.PIPE) as child:
        child.communicate(timeout=120)
    assert child.returncode == 0


def _saved(folder: Path) -> Saved:
    store = Store.open(folder / "state.db")
    try:
        return store.load()
    finally:
        store.close()


def _total(saved: Saved, name: str) -> Any:
    return {labels: value for family, labels, value in saved.counters if family == "total"}.get(
        (name,), 0
    )


def _agrees_with_itself(folder: Path) -> None:
    saved = _saved(folder)
    lines = int(saved.documents.get("lines", b"0"))
    assert _total(saved, "lines") == lines, "counters and documents are of different moments"


def _equals(truth: dict[str, Any], saved: Saved) -> None:
    deliveries, replies = {}, Counter[str]()
    for family, labels, value in saved.counters:
        assert isinstance(value, int) or family == "delay"
        if family == "deliveries":
            deliveries[" ".join(labels)] = value
        elif family == "replies" and isinstance(value, int):
            replies[labels[0]] += value
    assert _total(saved, "gap_bytes") == 0, "a gap where nothing was lost"
    assert _total(saved, "lines") == truth["lines"], (_total(saved, "lines"), truth["lines"])
    assert deliveries == truth["deliveries"]
    assert replies == truth["replies"]


def _ask(process: subprocess.Popen[str], word: str) -> str:
    _tell(process, word)
    assert process.stdout is not None
    return process.stdout.readline()


def _tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="kill -9 at random moments; totals must be exact")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check-every", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        told = run(Path(name), options.kills, seed=options.seed, check_every=options.check_every)
    print(
        f"{told.kills} kills, {told.checks} comparisons, all totals equal: {told.lines} lines,"
        f" {told.recipients} recipients, {told.rotations} rotations, {told.seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
