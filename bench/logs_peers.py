"""The other programs that read mail logs, and how each is made to read one file once.

Contract: `usage_of` runs a command and tells what it used; `Peer.run` reads a log with one program.
Failure: `RuntimeError` or `OSError` for a program that is missing or fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["PEERS_EXIM", "PEERS_POSTFIX", "LogsPeer", "Usage", "usage_of"]

_ONE_COUNTER = """counter deliveries by status
/status=(?P<status>\\w+) \\(/ {
  deliveries[$status]++
}
"""
_SHIPPED = Path("/usr/share/doc/mtail/examples/postfix.mtail")
_IDLE = 1.0  # seconds without CPU time after which a follower has read everything


class Usage(NamedTuple):
    """What a process used."""

    seconds: float  # CPU, user and system
    megabytes: float  # peak resident memory
    output: str = ""


class LogsPeer(NamedTuple):
    """A program and the way to run it on a log."""

    name: str
    run: Callable[[Path], Usage]


def usage_of(command: Sequence[str], keep_output: bool = True) -> Usage:
    """Runs a command to its end."""
    if shutil.which(command[0]) is None:
        raise RuntimeError(f"{command[0]} is not installed")
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            command, stdout=out if keep_output else subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            raise RuntimeError(f"{command[0]} ended with {process.returncode}")
        out.seek(0)
        text = out.read().decode("utf-8", "replace") if keep_output else ""
    return Usage(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def _grep(log: Path) -> Usage:
    return usage_of(["grep", "-c", "status=", str(log)])


def _pflogsumm(log: Path) -> Usage:
    return usage_of(["pflogsumm", str(log)], keep_output=False)


def _mailgraph(log: Path) -> Usage:
    with tempfile.TemporaryDirectory() as directory:
        rrd = ["--daemon-rrd", directory, "--year", "2026"]
        return usage_of(["mailgraph", "--cat", "--logfile", str(log), *rrd], keep_output=False)


def _mtail(program: Path, log: Path) -> Usage:
    command = ["mtail", "-one_shot", "-progs", str(program), "-logs", str(log)]
    return usage_of(command, keep_output=False)


def _mtail_shipped(log: Path) -> Usage:
    if not _SHIPPED.exists():
        raise RuntimeError(f"{_SHIPPED} is not installed")
    return _mtail(_SHIPPED, log)


def _mtail_one_counter(log: Path) -> Usage:
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "one.mtail"
        program.write_text(_ONE_COUNTER, encoding="utf-8")
        return _mtail(program, log)


def _postfix_exporter(log: Path) -> Usage:
    """It only follows: starts on an empty file, gets the log appended, is stopped when idle."""
    binary = shutil.which("prometheus-postfix-exporter")
    if binary is None:
        raise RuntimeError("prometheus-postfix-exporter is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        followed = Path(directory) / "mail.log"
        followed.touch()
        process = subprocess.Popen(
            [
                binary,
                f"--web.listen-address=127.0.0.1:{port}",
                f"--postfix.logfile_path={followed}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(_IDLE)
            before = _cpu(process.pid)
            with log.open("rb") as source, followed.open("ab") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            _wait_until_idle(process.pid)
            seconds = _cpu(process.pid) - before
            memory = _peak(process.pid)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    return Usage(seconds, memory)


def _wait_until_idle(pid: int) -> None:
    last, since = -1.0, time.monotonic()
    while time.monotonic() - since < _IDLE:
        time.sleep(0.1)
        now = _cpu(pid)
        if now > last + 0.02:
            last, since = now, time.monotonic()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _eximstats(log: Path) -> Usage:
    """From the exim4-base package, unpacked only: it cannot be installed beside Postfix."""
    installed = shutil.which("eximstats")
    if installed is not None:
        return usage_of([installed, str(log)], keep_output=False)
    unpacked = Path(tempfile.gettempdir()) / f"mxheed-exim4-base-{os.getuid()}"
    program = unpacked / "usr/sbin/eximstats"
    if not program.exists():
        unpacked.mkdir(exist_ok=True)
        fetched = subprocess.run(
            ["apt-get", "download", "exim4-base"], cwd=unpacked, capture_output=True, check=False
        )
        packages = sorted(unpacked.glob("exim4-base*.deb"))
        if fetched.returncode or not packages:
            raise RuntimeError("the package exim4-base (eximstats) could not be fetched")
        subprocess.run(["dpkg", "-x", str(packages[0]), str(unpacked)], check=True)
    return usage_of(["perl", str(program), str(log)], keep_output=False)


PEERS_POSTFIX = (
    LogsPeer("grep -c status= (the floor)", _grep),
    LogsPeer("prometheus-postfix-exporter", _postfix_exporter),
    LogsPeer("mtail, one counter", _mtail_one_counter),
    LogsPeer("mtail, shipped postfix.mtail", _mtail_shipped),
    LogsPeer("pflogsumm", _pflogsumm),
    LogsPeer("mailgraph", _mailgraph),
)
PEERS_EXIM = (LogsPeer("eximstats", _eximstats),)
