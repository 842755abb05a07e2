"""Kill the daemon's inside at random moments while its log grows and rotates; compare the totals.

    python -m bench.kills --kills 200 [--sources 3]

Contract: `run` starts a writer for each source (bench.kills_writer) and, again and again, a reader
(bench.kills_child) that is ended by SIGKILL. After each kill the state file must agree with itself;
after every `check_every` kills the writers pause, a reader reads to the end, and all totals must
be the writers'. Several sources are as many machines that give the same queue ids and process ids;
every other one has dated files, where a single one has them if the seed is odd. Any difference is
an `AssertionError` that names it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bench.kills_writer import RECEIVERS
from policyd.memory.reading import Past
from policyd.store import Saved, Store

__all__ = ["KillsOutcome", "run"]

RATE = 20_000  # lines a second, about


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


def run(
    folder: Path,
    kills: int,
    *,
    seed: int = 0,
    check_every: int = 1,
    sources: int = 1,
    rate: int = RATE,
) -> KillsOutcome:
    """So many kills, each time with the right totals."""
    pick, begun, checks, truth = Random(seed), time.monotonic(), 0, {}
    folders = [folder / f"mx{number}" for number in range(sources)] if sources > 1 else [folder]
    for place in folders:
        place.mkdir(exist_ok=True)
        (place / "mail.log").touch()
    _drain(folder, sources)  # a log never seen is read from its beginning: let it be seen
    with ExitStack() as stack:
        writers = [
            stack.enter_context(_writer(p, seed + n, rate // sources))
            for n, p in enumerate(folders)
        ]
        for number in range(1, kills + 1):
            _kill_one(folder, pick, sources)
            _agrees_with_itself(folder)
            if number % check_every == 0 or number == kills:
                truth = _sum([json.loads(_ask(writer, "pause")) for writer in writers])
                _drain(folder, sources)
                _equals(truth, _saved(folder))
                _remembers(truth, folder)
                checks += 1
                for writer in writers:
                    _tell(writer, "go")
        for writer in writers:
            writer.communicate()
    return KillsOutcome(
        kills=kills,
        checks=checks,
        lines=truth["lines"],
        recipients=sum(truth["deliveries"].values()),
        rotations=truth["rotations"],
        seconds=time.monotonic() - begun,
    )


def _writer(folder: Path, seed: int, rate: int) -> subprocess.Popen[str]:
    """They write as much together as a single one would."""
    host = folder.name if folder.name.startswith("mx") else "mx1"
    options = (f"--seed={seed}", f"--host={host}", f"--rate={rate}")
    words = ("bench.kills_writer", str(folder), *options)
    return _python(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _sum(truths: list[dict[str, Any]]) -> dict[str, Any]:
    """What all writers have written together."""
    total: dict[str, Any] = {"lines": 0, "rotations": 0}
    sums: dict[str, Counter[str]] = {
        name: Counter() for name in ("deliveries", "replies", "history")
    }
    for truth in truths:
        for name in ("lines", "rotations"):
            total[name] += truth[name]
        for name, found in sums.items():
            found.update(truth[name])
    return total | sums


def _kill_one(folder: Path, pick: Random, sources: int) -> None:
    """A reader that lives for a moment: sometimes it does not even get to the log."""
    words = ("bench.kills_child", str(folder), f"--sources={sources}")
    with _python(*words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if pick.random() < 0.9:
            child.stdout.readline()
        try:
            child.wait(pick.expovariate(1 / 0.2))
        except subprocess.TimeoutExpired:
            child.kill()
        assert child.wait() == -9, f"the reader ended by itself: {child.returncode}"


def _drain(folder: Path, sources: int) -> None:
    words = ("bench.kills_child", str(folder), "--drain", f"--sources={sources}")
    with _python(*words, stdout=subprocess.PIPE) as child:
        child.communicate(timeout=600)
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


def _remembers(truth: dict[str, Any], folder: Path) -> None:
    """The memory's minutes are the log's."""
    past, found = Past.open(folder / "state.db"), {}
    for receiver in RECEIVERS:
        for cell in past.cells(receiver, 0.0, time.time(), 60):
            for outcome in ("sent", "deferred", "bounced"):
                if count := cell.numbers.get(outcome):
                    found[f"{cell.time // 60} {receiver} {outcome}"] = count
    past.close()
    assert found == truth["history"], "the memory is not the log's"


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
    parser.add_argument("--sources", type=int, default=1)
    parser.add_argument("--rate", type=int, default=RATE, help="lines a second, about")
    parser.add_argument("--check-every", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        told = run(
            Path(name),
            options.kills,
            seed=options.seed,
            check_every=options.check_every,
            sources=options.sources,
            rate=options.rate,
        )
    print(
        f"{told.kills} kills, {told.checks} comparisons, all totals equal: {told.lines} lines,"
        f" {told.recipients} recipients, {told.rotations} rotations, {told.seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
