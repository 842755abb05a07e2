"""Ten machines through one real rsyslog: each is counted as it would be by itself."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from bench.genlog import Exim, Postfix
from logparse.auto import AutoParser
from policyd.counting.counters import Counters
from policyd.counting.here import Here, Role
from policyd.counting.machines import Machines
from policyd.counting.pipeline import Pipeline
from policyd.reading.sources import choose
from policyd.settings.logs import machine_in
from tests.policyd.test_pipeline import classify, receiver_of

pytestmark = pytest.mark.needs("rsyslogd")

PATIENCE = 60.0
POSTFIX = list(islice(Postfix(7).lines(), 900))
EXIM = list(islice(Exim(7).lines(), 300))
HOST = b" " + POSTFIX[0].split()[3] + b" "
MACHINES = {f"mx{number}": 300 + 60 * number for number in range(10)}  # and how much each sends

CONFIG = """
module(load="imtcp")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="PerHost" type="string" string="{folder}/hosts/%HOSTNAME%/mail.log")
action(type="omfile" file="{folder}/mail.log" template="{format}")
action(type="omfile" dynaFile="PerHost" template="{format}" dirCreateMode="0755")
"""


def lines_of(machine: str, count: int) -> list[bytes]:
    """What a machine logs: queue ids and process ids are the same on all of them."""
    stamp = POSTFIX[0][:16]
    mine = [line.replace(HOST, f" {machine} ".encode(), 1) for line in POSTFIX[:count]]
    mine += [stamp + f"{machine} exim[7]: ".encode() + line for line in EXIM[: count // 4]]
    return mine


def outcomes(counters: Counters) -> Counter[str]:
    """Recipients by outcome, and replies."""
    found: Counter[str] = Counter()
    for (_, outcome), count in counters.deliveries().items():
        found[outcome] += int(count)
    found["replies"] = int(sum(counters.replies().values()))
    return found


def alone(lines: list[bytes]) -> Counter[str]:
    """What a machine's own log comes to."""
    pipeline = Pipeline(classify, receiver_of, Counters(5000))
    pipeline.process(b"".join(lines), time.time())
    return outcomes(pipeline.counters)


@pytest.fixture(params=["RSYSLOG_FileFormat", "RSYSLOG_TraditionalFileFormat"])
def relay(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, int]]:
    """A running rsyslog: where it writes, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "rsyslog.conf"
    config.write_text(CONFIG.format(port=port, folder=tmp_path, format=request.param))
    program = shutil.which("rsyslogd")
    assert program
    words = [program, "-n", "-f", str(config), "-i", str(tmp_path / "pid")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _until(lambda: _listens(port), "rsyslog does not listen")
            yield tmp_path, port
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def _send(port: int, logs: dict[str, list[bytes]]) -> None:
    """All at once, a few lines of each in turn, each machine over its own connection."""
    links = {name: socket.create_connection(("127.0.0.1", port)) for name in logs}
    for at in range(0, max(map(len, logs.values())), 7):
        for name, link in links.items():
            link.sendall(b"".join(b"<22>" + line for line in logs[name][at : at + 7]))
    for link in links.values():
        link.close()


@pytest.mark.parametrize("path", ["mail.log", "hosts/{host}/mail.log"])
def test_ten_machines_through_one_rsyslog_count_as_ten(relay: tuple[Path, int], path: str) -> None:
    """In one file and in a file for each: each machine's numbers are those of its own log."""
    folder, port = relay
    logs = {name: lines_of(name, count) for name, count in MACHINES.items()}
    total = sum(map(len, logs.values()))
    paths = (f"{folder}/{path}",)
    counters: dict[str, Counters] = {}

    def make(role: Role, machine: str) -> Pipeline:
        counted = counters.setdefault(machine, Counters(5000))
        return Pipeline(classify, receiver_of, counted)

    machines = Machines(
        make, AutoParser, Here(lambda: ("mx0",)), told=lambda log: machine_in(log, paths)
    )
    source = choose(paths, clock=time.time).open({})
    read = 0

    def all_read() -> bool:
        nonlocal read
        while (block := source.read()) is not None:
            machines.enter(block.source, False)
            machines.process(block.data, time.time())
            read += block.data.count(b"\n")
        return read >= total

    try:
        all_read()  # it follows while they write
        _send(port, logs)
        _until(all_read, "not all lines came through")
    finally:
        source.close()
    assert read == total
    assert {name: outcomes(found) for name, found in counters.items()} == {
        name: alone(lines) for name, lines in logs.items()
    }
    roles = {seen.machine: seen.role for seen in machines.seen()}
    assert roles == {name: "here" if name == "mx0" else "other" for name in logs}
