"""What following a log live costs, and whether anybody who asks for an answer notices.

    python -m bench.follow_bench [--rate 10000] [--seconds 20]

Contract: starts the real daemon (`mxheed run`) on an empty log in a folder of its own and lets it
idle; then a generated Postfix log grows at `rate` lines a second, stamped with the present time;
then the daemon reads a backlog of a million lines after a restart. In each of the first two, its
CPU time is measured while nobody asks anything, and after that the time of its answers (socketmap
`mx`, one question after the other, some hundreds a second, whose cost is not the log's). Figures
are of this machine. Failure: AssertionError where lines were not counted, TimeoutError where a
question got no answer.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from bench.genlog import Postfix

KEY = b"mx example.org. 0 IN MX 10 mx.example.org."
QUESTION = b"%d:%b," % (len(KEY), KEY)
PATIENCE = 30.0  # seconds for an answer, and to read what was written


class Answers(NamedTuple):
    """How long answers took, in milliseconds."""

    questions: int
    middle: float
    slow: float  # one in a hundred
    slower: float  # one in a thousand
    slowest: float

    def row(self, name: str, core: float) -> str:
        """A line of the table; `core` is the share of a core the daemon used."""
        return (
            f"{name:34} {core * 100:6.2f} %  {self.middle:7.3f} {self.slow:7.3f}"
            f" {self.slower:7.3f} {self.slowest:8.3f}  {self.questions:7}"
        )


class FollowingDaemon:
    """One `mxheed run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "mail.log"
        settings = {
            "log": {"path": str(self.log)},
            "state": {"file": str(folder / "state.db")},
            "serve": {
                "socketmap": [f"unix:{folder}/map"],
                "policy": [f"unix:{folder}/policy"],
                "http": ["inet:127.0.0.1:0"],
                "control": str(folder / "control"),
            },
            "release": {"enabled": False},
        }
        (folder / "mxheed.yaml").write_text(json.dumps(settings))
        command = [sys.executable, "-m", "policyd.cli", "run"]
        self.process = subprocess.Popen(
            [*command, "--config", str(folder / "mxheed.yaml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.page = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            words = line.split()
            if words[:2] == ["status", "page"]:
                self.page = words[2].rstrip("/")
            if "Ctrl-C" in line:
                break

    def cpu(self) -> float:
        """CPU seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def lines(self) -> int | None:
        """How many lines it has counted; None: it has not caught up yet."""
        try:
            with urlopen(f"{self.page}/metrics", timeout=5) as answer:
                for line in answer.read().decode().splitlines():
                    if line.startswith("mxheed_log_lines_total "):
                        return int(float(line.split()[1]))
        except (URLError, OSError):
            return None
        return 0

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate()


def cost(daemon: FollowingDaemon, seconds: float) -> float:
    """The share of a core it uses while nobody asks anything."""
    begun, cpu = time.perf_counter(), daemon.cpu()
    time.sleep(seconds)
    return (daemon.cpu() - cpu) / (time.perf_counter() - begun)


def watch(daemon: FollowingDaemon, seconds: float, until_caught_up: bool = False) -> Answers:
    """Ask, wait a moment, ask again."""
    times: list[float] = []
    begun = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE)
        line.connect(str(daemon.folder / "map"))
        look = begun + 0.25
        while (now := time.perf_counter()) < begun + seconds:
            line.sendall(QUESTION)
            line.recv(4096)
            times.append((time.perf_counter() - now) * 1000)
            time.sleep(0.001)
            if until_caught_up and now > look:
                if daemon.lines() is not None:
                    break
                look = time.perf_counter() + 0.25
    times.sort()
    count = len(times)
    return Answers(
        questions=count,
        middle=times[count // 2],
        slow=times[count * 99 // 100],
        slower=times[count * 999 // 1000],
        slowest=times[-1],
    )


def write(path: Path, lines: list[bytes], rate: int) -> subprocess.Popen[bytes]:
    """A process that appends these lines, every ten milliseconds what is due, stamped anew."""
    source = path.with_name("lines")
    source.write_bytes(b"".join(lines))
    program = (
        "import sys, time\n"
        "lines = [line[32:] for line in open(sys.argv[1], 'rb')]\n"
        "out = open(sys.argv[2], 'ab', 0)\n"
        "rate = int(sys.argv[3]); begun = time.monotonic(); done = 0\n"
        "while done < len(lines):\n"
        "    due = min(len(lines), int((time.monotonic() - begun) * rate))\n"
        "    now, rest = divmod(time.time_ns() // 1000, 1_000_000)\n"
        "    second = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now)).encode()\n"
        "    out.write(b''.join(b'%b.%06d+00:00%b' % (second, rest, line)\n"
        "        for rest, line in enumerate(lines[done:due], max(0, rest - 200))))\n"
        "    done = due; time.sleep(0.01)\n"
    )
    return subprocess.Popen([sys.executable, "-c", program, str(source), str(path), str(rate)])


def main() -> None:
    parser = argparse.ArgumentParser(description="the cost of following a log live")
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    options = parser.parse_args()
    lines = list(islice(Postfix(stamps="rfc3339").lines(), int(options.rate * options.seconds)))
    print(f"{'':34} {'core':>8}  {'p50 ms':>7} {'p99':>7} {'p99.9':>7} {'max':>8}  {'answers':>7}")
    with tempfile.TemporaryDirectory(prefix="follow-") as name:
        folder = Path(name)
        (folder / "mail.log").touch()
        daemon = FollowingDaemon(folder)
        half = options.seconds / 2
        idle = cost(daemon, half)
        print(watch(daemon, half / 2).row("idle", idle), flush=True)
        writer = write(daemon.log, lines, options.rate)
        live = cost(daemon, half)
        answers = watch(daemon, half)
        assert writer.wait() == 0, "the log was not written to its end"
        deadline = time.monotonic() + PATIENCE
        while (counted := daemon.lines() or 0) < len(lines) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert counted == len(lines), f"{counted} lines were counted of {len(lines)}"
        print(answers.row(f"{options.rate} lines/s", live), flush=True)
        daemon.stop()
        with daemon.log.open("ab") as log:
            for _ in range(options.backlog // len(lines)):
                log.write(b"".join(lines))
        daemon = FollowingDaemon(folder)
        backlog = watch(daemon, 60.0, until_caught_up=True)
        name = f"backlog of {options.backlog // len(lines) * len(lines)} lines"
        print(backlog.row(name, float("nan")).replace("nan %", "    –"))
        daemon.stop()


if __name__ == "__main__":
    main()
