"""What a polite client feels beside greedy ones: `python -m bench.greedy_bench`.

A real daemon (`mxheed run`), asked as from outside: so this file measures any commit. The polite
client asks one question each 2 ms on one connection and waits for the answer; what the greedy ones
do is the row's name. Watchdog: how late the worst of systemd's pings came, which are due three
times in 2 s. Memory: the daemon's peak, and how much of it came with the greedy clients.
Robbed: of the time, how much the daemon could run and other processes did.
Contract: daemon and polite client go first (nice), the greedy ones have the other core. Prints a
Markdown table. Failure: a polite client without an answer for `PATIENCE` is told as such.
Length: the cases, the clients and the clock are one experiment, which measures any commit.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import NamedTuple

SERVER_CORE, CLIENT_CORE = 0, 1
PATIENCE = 20.0
PING = 2.0 / 3
LANES = 4000
CAP = 1500
POLICY = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=a@d1.test\n\n"
GET = b"GET /mark.svg HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def netstring(text: bytes) -> bytes:
    return b"%d:%b," % (len(text), text)


QUESTION = netstring(b"mx d1.test. 3600 IN MX 10 mx.d1.test.")


class GreedyCase(NamedTuple):
    """One row."""

    name: str
    hook: str = ""
    blob: bytes = b""
    clients: int = 0
    reads: bool = True
    lanes: int = 1


CASES = (
    GreedyCase("nobody"),
    GreedyCase("1 pipelines whole questions", "socketmap", QUESTION, 1),
    GreedyCase("4 pipeline whole questions", "socketmap", QUESTION, 4),
    GreedyCase("4 pipeline empty frames", "socketmap", b"0:,", 4),
    GreedyCase("4 pipeline and never read", "socketmap", QUESTION, 4, reads=False),
    GreedyCase("4 pipeline policy requests", "policy", POLICY, 4),
    GreedyCase("4 pipeline policy and never read", "policy", POLICY, 4, reads=False),
    GreedyCase("4 pipeline HTTP", "http", GET, 4),
    GreedyCase("hoard"),
    GreedyCase("4 browsers, 4,000 lanes", "http", PAGE, 4, lanes=LANES),
)


class MeasuredDaemon:
    """One `mxheed run` and what systemd would hear of it."""

    def __init__(self, folder: Path, lanes: int) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(folder / "notify"))
        self.pings: list[float] = []
        log = folder / "mail.log"
        log.write_text("".join(map(refusal, range(lanes))))
        config = folder / "mxheed.json"
        any_port = ["inet:127.0.0.1:0"]
        settings = {
            "log": {"path": str(log)},
            "state": {"file": str(folder / "state.db")},
            "release": {"enabled": False},
            "metrics": {"receivers": 10_000},
            "serve": {
                "socketmap": any_port, "policy": any_port, "http": any_port,
                "control": str(folder / "control"), "max_connections": CAP,
            },
        }  # fmt: skip
        config.write_text(json.dumps(settings))
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE),
             sys.executable, "-m", "policyd.cli", "run", "--config", str(config)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"),
                 "WATCHDOG_USEC": "2000000", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )  # fmt: skip
        go_first(self.process.pid)
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        self.ports = {
            name: int(found[1])
            for name, words in (("socketmap", "socketmap"), ("policy", "policy"), ("http", "page"))
            if (found := re.search(rf"{words}.*?127\.0\.0\.1:(\d+)", said))
        }
        threading.Thread(target=self._listen, daemon=True).start()
        self._settle()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while told := self.manager.recv(4096):
                if told == b"WATCHDOG=1":
                    self.pings.append(time.monotonic())

    def _settle(self) -> None:
        """Until the log is read."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(self.at("http"), 30) as one:
                one.sendall(
                    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                if b" 200 " in one.recv(100):
                    return
            time.sleep(0.1)
        raise SystemExit("the daemon does not come up")

    def at(self, hook: str) -> tuple[str, int]:
        return "127.0.0.1", self.ports[hook]

    def memory(self, field: str = "VmHWM") -> int:
        """In MB."""
        told = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{field}:\s+(\d+) kB", told)
        return int(found[1]) // 1024 if found else 0

    def waited(self) -> float:
        """Seconds for which it could run and other processes did."""
        told = Path(f"/proc/{self.process.pid}/schedstat").read_text()
        return int(told.split()[1]) / 1e9

    def late(self, began: float, ended: float) -> float:
        """How much later than due the latest ping came."""
        times = [began, *(ping for ping in self.pings if began < ping < ended), ended]
        return max(0.0, *(b - a - PING for a, b in itertools.pairwise(times)))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.manager.close()


def go_first(pid: int) -> None:
    """Before other processes, where we may: the two cores are seldom ours alone."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -15)
        # where each session is a group of its own, the group must be favoured, too
        Path(f"/proc/{pid}/autogroup").write_text("-15")


def refusal(number: int) -> str:
    """A receiver that refuses: a lane with something to tell."""
    host = f"mx.d{number}.test"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime())
    return (
        f"{stamp} mail postfix/smtp[{1000 + number}]: {number + 0xA0000:X}: to=<u@d{number}.test>, "
        f"relay={host}[192.0.2.1]:25, delay=1, delays=0.1/0/0.4/0.5, dsn=4.7.0, status=deferred "
        f"(host {host}[192.0.2.1] said: 421 4.7.0 Too many messages from your IP, slow down "
        f"(in reply to MAIL FROM command))\n"
    )


def ask(line: socket.socket) -> float:
    """One question; how long its answer took."""
    began = time.perf_counter()
    line.sendall(QUESTION)
    if not line.recv(4096):
        raise ConnectionResetError
    return time.perf_counter() - began


def polite(place: tuple[str, int], seconds: float) -> list[float]:
    """The times of one client's questions; a lost connection is made anew, as Postfix does."""
    found: list[float] = []
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError), socket.create_connection(place, PATIENCE) as line:
        line.settimeout(PATIENCE)
        while time.monotonic() < end:
            found.append(ask(line))
            time.sleep(0.002)
    return found


def flood(place: tuple[str, int], blob: bytes, reads: bool) -> None:
    """Send as much as is taken."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    os.nice(20)
    while True:
        with contextlib.suppress(OSError), socket.create_connection(place) as line:
            line.setblocking(False)
            pour(line, blob * (1 + 1_000_000 // len(blob)), reads)


def pour(line: socket.socket, blob: bytes, reads: bool) -> None:
    waiter = selectors.DefaultSelector()
    waiter.register(line, selectors.EVENT_WRITE | (selectors.EVENT_READ if reads else 0))
    rest = memoryview(blob)
    while True:
        for _, what in waiter.select():
            if what & selectors.EVENT_READ and not line.recv(1 << 20):
                return
            if what & selectors.EVENT_WRITE:
                rest = rest[line.send(rest) :] or memoryview(blob)


def browse(place: tuple[str, int], blob: bytes, reads: bool) -> None:
    """Fetch the page again and again."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    while True:
        with contextlib.suppress(OSError), socket.create_connection(place) as line:
            line.sendall(blob)
            while line.recv(1 << 20):
                pass
        time.sleep(0.05)


@contextlib.contextmanager
def greedy(case: GreedyCase, daemon: MeasuredDaemon) -> Generator[None, None, None]:
    """The row's greedy clients while the body runs."""
    work: Callable[..., None] = browse if case.blob == PAGE else flood
    ones = [
        multiprocessing.Process(
            target=work, args=(daemon.at(case.hook), case.blob, case.reads), daemon=True
        )
        for _ in range(case.clients)
    ]
    lines = []
    if case.name == "hoard":
        for _ in range(CAP):
            with contextlib.suppress(OSError):
                lines.append(socket.create_connection(daemon.at("socketmap"), 5))
    for one in ones:
        one.start()
    time.sleep(1.0)
    try:
        yield
    finally:
        for one in ones:
            one.kill()
            one.join()
        for line in lines:
            line.close()


def row(case: GreedyCase, seconds: float) -> str:
    with tempfile.TemporaryDirectory(prefix="greedy-") as folder:
        daemon = MeasuredDaemon(Path(folder), case.lanes)
        try:
            before, began = daemon.memory("VmRSS"), time.monotonic()
            with greedy(case, daemon):
                waited, asked = daemon.waited(), time.monotonic()
                found = polite(daemon.at("socketmap"), seconds)
                ended = time.monotonic()
                waited = (daemon.waited() - waited) / (ended - asked)
            late, peak = daemon.late(began, ended), daemon.memory()
        finally:
            daemon.close()
    name = f"{CAP:,} idle at a cap of {CAP:,}" if case.name == "hoard" else case.name
    return f"| {name} | {told(found)} | {late:.2f} | {before} → {peak} | {waited:.0%} |"


def told(times: Sequence[float]) -> str:
    """Number, median, p99 and maximum in ms."""
    if not times:
        return "0 | – | – | –"
    ordered = sorted(1000 * one for one in times)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"{len(ordered)} | {statistics.median(ordered):.2f} | {p99:.1f} | {ordered[-1]:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    wanted = parser.parse_args()
    with contextlib.suppress(PermissionError):
        os.setsid()
    go_first(os.getpid())
    os.sched_setaffinity(0, {CLIENT_CORE})
    print(
        "| beside | answers | median ms | p99 ms | max ms | watchdog late s | memory MB | robbed |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if wanted.only in case.name:
            print(row(case, wanted.seconds), flush=True)


if __name__ == "__main__":
    main()
