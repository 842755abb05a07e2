"""Shapes live in one place: who changes it there changes it for every reader of lines."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from bench.genlog import Exim, Postfix

POSTFIX = b"".join(islice(Postfix(7).lines(), 1500)).replace(b"postfix/", b"mail/")
EXIM = b"".join(islice(Exim(7).lines(), 500))

# Runs in a process of its own, whose modules are read with some words replaced
READER = """
import importlib.abc, importlib.machinery, json, sys
from pathlib import Path

name, swaps, log = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]).read_bytes()

class Changed(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        source = Path(self.path).read_text()
        for old, new in swaps:
            assert old in source, old
            source = source.replace(old, new)
        return compile(source, self.path, "exec")

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname != name or not swaps:
            return None
        place = str(Path(path[0]) / (fullname.rpartition(".")[2] + ".py"))
        return importlib.util.spec_from_loader(fullname, Changed(fullname, place))

import importlib.util
sys.meta_path.insert(0, Finder())
from logparse.auto import AutoParser, recognise
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Pipeline
from policyd.counting.fastpath import Delays, FastPath
from policyd.counting.fastpath_live import LiveFastPath
from policyd.report import Tally
from policyd.report.glance import Glance
from policyd.counting.sessions import Sessions
from rules.verdict import Verdict

NOW = 1_795_500_000.0
BUSY = Verdict("flow.busy", "generic.busy", None, "receiver", "retry", False)
judge = lambda reply, **about: BUSY
whose = lambda host, address, domain: f"mx:{host}"

def run(counters, **how):
    pipeline = Pipeline(judge, whose, counters, **how)
    at = 0
    while at < len(log):
        end = log.find(b"\\n", at + 30_000) + 1 or len(log)
        pipeline.process(log[at:end], NOW)
        at = end

plain, live, tally, told = Counters(), Counters(), Tally(), []
run(plain)
glance = Glance(tally, NOW)
run(Counters(), on_attempt=tally.add, quick=glance, quick_exim=glance)
glance.settle()
sessions = Sessions()
quick = LiveFastPath(FastPath(live, sessions, Delays()), lambda *_: False, told.append, lambda: NOW)
run(live, on_attempt=lambda *_: None, sent=True, sessions=sessions, quick=quick)
print(json.dumps([
    recognise(log, NOW), plain.lines, plain.unparsed, plain.last_time, len(told),
    sorted([*key, count] for key, count in plain.deliveries().items()),
    sorted([*key, count] for key, count in live.deliveries().items()),
    sorted([name, *map(list, row.outcomes.items()), *map(list, row.hours.items())]
           for name, row in tally.receivers.items()),
]))
"""

CASES: dict[str, tuple[bytes, str, list[tuple[str, str]], list[tuple[bytes, bytes]]]] = {
    "a syslog stamp": (
        POSTFIX, "logparse.stamps",
        [("[0-9:]{8}", "[0-9hm]{8}"), ('partition(b":")', 'partition(b"h")')],
        [(b" 06:", b" 06h"), *((b"h%02d:" % m, b"h%02dm" % m) for m in range(60))],
    ),
    "the word behind a queue id": (
        POSTFIX, "logparse.shapes", [('b": to="', 'b": rcpt="')], [(b": to=", b": rcpt=")],
    ),
    "Exim's message id": (
        EXIM, "logparse.shapes", [("(6, 11, 4)", "(6, 12, 4)")], [],
    ),
}  # fmt: skip


def told(folder: Path, name: str, swaps: list[tuple[str, str]], log: bytes) -> list[object]:
    """What the readers make of a log."""
    path = folder / "log"
    path.write_bytes(log)
    command = [sys.executable, "-c", READER, name, json.dumps(swaps), str(path)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr.decode()
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("case", CASES)
def test_everything_follows_a_change_in_one_place(case: str, tmp_path: Path) -> None:
    """Parser, counters, report, live fast path and recognition read the changed log as before."""
    log, name, swaps, written = CASES[case]
    changed = log
    for old, new in written:
        changed = changed.replace(old, new)
    if case == "Exim's message id":
        import re

        changed = re.sub(rb"-([0-9A-Za-z]{11})-(?=[0-9A-Za-z]{4} )", rb"-0\1-", log)
    assert changed != log
    usual = told(tmp_path, name, [], log)
    assert usual[5], "the log is empty"
    assert told(tmp_path, name, swaps, changed) == usual
    assert told(tmp_path, name, [], changed)[5] != usual[5], "the change makes no difference"
