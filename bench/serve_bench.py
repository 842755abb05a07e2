"""How many decisions a second, and how late: `python -m bench.serve_bench`.

Contract: server on one core, load client (C, closed loop, `serve_load.c`) on the other, which never
sleeps while it has several connections; the bare server of each protocol runs in the same round as
mxheed, so that the ratio compares like with like.
Prints a Markdown table of medians; needs gcc, and two cores to mean anything. A measurement is
repeated while other processes use the machine; "others" tells how many cores they did use.
Failure: a server that does not come up or answers nonsense ends the run with its name.
Length: the rows of the table and their rounds are one experiment.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.serve_peers import peers

HERE = Path(__file__).parent
SERVER_CORE, CLIENT_CORE = 0, 1
PATIENCE = 0.5  # seconds to wait for a quiet machine before each measurement
QUIET = 0.3  # cores that others may use; with more, a figure says little
# before other processes, where we may: the two cores are seldom ours alone
FIRST = ["chrt", "-f", "10"] if os.geteuid() == 0 else []
TICKS = os.sysconf("SC_CLK_TCK")

POLICY = (
    "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
    "client_address=192.0.2.1\nclient_name=client.example\nclient_port=40000\n"
    "reverse_client_name=client.example\nserver_address=192.0.2.2\nserver_port=25\n"
    "helo_name=client.example\nsender=alice@example.org\nrecipient={}\nrecipient_count=0\n"
    "queue_id=\ninstance=4711.5fb8.1234.0\nsize=1234\netrn_domain=\nstress=\nsasl_method=\n"
    "sasl_username=alice\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n"
    "ccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
    "encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=\n\n"
)
SAID = "host mx1.host{0}.test[192.0.2.{0}] said: {1} (in reply to RCPT TO command)"


class Row(NamedTuple):
    """One line of the table."""

    name: str
    kind: str  # of bench.serve_server, "" for a peer
    protocol: str
    questions: list[str]


class Figure(NamedTuple):
    """One measurement."""

    rate: float
    p50: float
    p99: float
    cpu: float  # microseconds of the server's CPU per answer
    others: float  # cores that other processes used meanwhile


def gate() -> list[str]:
    """What smtp(8) asks for one attempt: the MX record, then the host's address."""
    found = []
    for number in range(999):
        host = f"mx1.host{number % 50}.test."
        found.append(f"mx d{number}.test. 3600 IN MX 10 {host}")
        found.append(f"mx {host} 3600 IN A 192.0.2.{number % 50}")
    return found


def attempts() -> list[str]:
    """The whole dialogue of an attempt: MX, address, and the verdict; one in ten is a refusal."""
    found = []
    for number in range(1000):
        host = f"mx1.host{number % 50}.test."
        said = "2.0.0 250 2.0.0 OK"
        if number % 10 == 0:
            words = f"450 4.2.1 <u{number}@d{number}.test>: mailbox receives too much mail"
            said = "4.2.1 " + SAID.format(number % 50, words)
        found.append(f"mx d{number}.test. 3600 IN MX 10 {host}")
        found.append(f"mx {host} 3600 IN A 192.0.2.{number % 50}")
        found.append(f"status {said}")
    return found


def recipients(count: int, name: str = "d{}.test") -> list[str]:
    return [f"u{number}@{name.format(number)}" for number in range(count)]


def rows() -> list[Row]:
    policy = [POLICY.format(one) for one in recipients(1000)]
    unknown = recipients(90_000, "n{}.example")
    return [
        Row("MX gate", "mxheed", "s", gate()),
        Row("whole attempts: gate and status filter", "mxheed", "s", attempts()),
        Row("transport map, known domains", "mxheed", "s", _asked("transport", recipients(1000))),
        Row("transport map, new names, DNS 100 ms", "mxheed", "s", _asked("transport", unknown)),
        Row("transport map, new names, DNS at once", "mxheed-fast", "s",
            _asked("transport", unknown)),
        Row("transport map, new names, 2 % after 200 ms", "mxheed-slow", "s",
            _asked("transport", unknown)),
        Row("policy, known domains", "mxheed", "p", policy),
        Row("policy, new names, DNS 100 ms", "mxheed", "p",
            [POLICY.format(one) for one in unknown]),
    ]  # fmt: skip


def _asked(table: str, keys: Sequence[str]) -> list[str]:
    return [f"{table} {key}" for key in keys]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(command: list[str], port: int) -> Generator[int, None, None]:
    """A server process on its core; gives its process id once the port answers."""
    process = subprocess.Popen(
        [*FIRST, "taskset", "-c", str(SERVER_CORE), *command],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise SystemExit(f"{command} does not listen on port {port}")
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds() -> float:
    """What all processors have done since boot, stolen time included."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return (sum(map(int, fields)) - int(fields[3]) - int(fields[4])) / TICKS


def children_seconds() -> float:
    """What our ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wait_for_quiet(patience: float) -> None:
    """Until the machine does little else, or patience ends."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before, began = busy_seconds(), time.monotonic()
        time.sleep(0.2)
        if (busy_seconds() - before) / (time.monotonic() - began) < QUIET:
            return


class Bench:
    """One run: the compiled client, a working folder, how long and how often."""

    def __init__(self, folder: Path, seconds: float, rounds: int, tries: int) -> None:
        self.folder, self.seconds, self.rounds, self.tries = folder, seconds, rounds, tries
        self.client = folder / "serve_load"
        subprocess.run(["gcc", "-O2", "-o", self.client, HERE / "serve_load.c"], check=True)

    def load(self, pid: int, port: int, row: Row, connections: int) -> Figure:
        """One measurement."""
        file = self.folder / "requests"
        shuffled = row.questions[:]
        if not row.name.startswith(("MX", "whole")):
            random.Random(7).shuffle(shuffled)
        with file.open("wb") as out:
            for text in shuffled:
                data = text.encode()
                if row.protocol == "s":
                    data = b"%d:%b," % (len(data), data)
                out.write(struct.pack("<I", len(data)) + data)
        before, busy, own = cpu_seconds(pid), busy_seconds(), children_seconds()
        client = [*FIRST, "taskset", "-c", str(CLIENT_CORE), str(self.client)]
        client += [f"127.0.0.1:{port}", row.protocol, str(connections), str(self.seconds)]
        done = subprocess.run([*client, str(file)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{row.name}: {done.stderr}")
        told = json.loads(done.stdout)
        if told["odd"]:
            raise SystemExit(f"{row.name}: {told['odd']} answers that are none")
        spent = cpu_seconds(pid) - before
        seconds, answers = told["seconds"], max(told["answers"], 1)
        others = busy_seconds() - busy - spent - (children_seconds() - own)
        return Figure(
            answers / seconds, told["p50"], told["p99"], 1e6 * spent / answers, others / seconds
        )

    def quiet(self, pid: int, port: int, row: Row, connections: int) -> Figure:
        """One measurement while the machine is ours; after some tries the quietest one."""
        found: list[Figure] = []
        while len(found) < self.tries:
            wait_for_quiet(PATIENCE)
            found.append(self.load(pid, port, row, connections))
            if found[-1].others < QUIET:
                break
        return min(found, key=lambda figure: figure.others)

    def once(self, kind: str, row: Row, connections: int) -> Figure:
        """Start a server of our own, measure it, stop it."""
        port = free_port()
        command = [sys.executable, "-m", "bench.serve_server", kind, f"inet:127.0.0.1:{port}",
                   row.protocol, str(SERVER_CORE)]  # fmt: skip
        with serving(command, port) as pid:
            return self.quiet(pid, port, row, connections)

    def compare(self, row: Row, connections: int) -> str:
        """mxheed and the bare server in turn; medians as a line of the table."""
        ours, bare = [], []
        for _ in range(self.rounds):
            bare.append(self.once(f"bare-{row.protocol}", row, connections))
            ours.append(self.once(row.kind, row, connections))
        ratio = statistics.median(o.rate / b.rate for o, b in zip(ours, bare, strict=True))
        return line(row.name, connections, ours, f"{ratio:.2f}")

    def peer(self, row: Row, command: list[str], port: int, connections: int) -> str:
        """A program that is not ours."""
        found = []
        with serving(command, port) as pid:
            for _ in range(self.rounds):
                found.append(self.quiet(pid, port, row, connections))
        return line(row.name, connections, found, "")


def line(name: str, connections: int, found: Sequence[Figure], ratio: str) -> str:
    """One line of the table: medians, the range of the rate."""
    rates = [one.rate for one in found]
    middle = Figure(*(statistics.median(column) for column in zip(*found, strict=True)))
    return (
        f"| {name} | {connections} | {middle.rate:,.0f} | {min(rates):,.0f}–{max(rates):,.0f} "
        f"| {middle.p50 / 1000:.2f} | {middle.p99 / 1000:.2f} | {middle.cpu:.1f} "
        f"| {middle.others:.2f} | {ratio} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tries", type=int, default=20, help="for a quiet moment")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--no-peers", action="store_true")
    wanted = parser.parse_args()
    print("| what | connections | a second | range | p50 ms | p99 ms | CPU us | others | bare |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="serve-bench-") as folder:
        bench = Bench(Path(folder), wanted.seconds, wanted.rounds, wanted.tries)
        for row in rows():
            if wanted.only in row.name:
                for connections in (1, 20, 100):
                    print(bench.compare(row, connections), flush=True)
        if not wanted.no_peers:
            port = free_port()
            for peer in peers(Path(folder), port):
                questions = [POLICY.format(one) for one in recipients(1000)]
                if peer.protocol == "s":
                    questions = [peer.key.format(number) for number in range(1000)]
                row = Row(peer.name, "", peer.protocol, questions)
                for connections in (1, 20, 100):
                    print(bench.peer(row, peer.command, port, connections), flush=True)


if __name__ == "__main__":
    main()
