"""The shipped units under a real systemd: restarts, a hang, a daemon that cannot start.

A systemd user manager runs in namespaces of its own. The units are the shipped ones, with paths
that fit a temporary folder and without the settings that only the system manager has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "contrib" / "systemd"
# a user manager has no users, no capabilities and no mount namespaces to give
SYSTEM_ONLY = re.compile(
    r"^(User|SupplementaryGroups|SocketGroup|Private\w+|Protect\w+|Nice|OOM\w+|Restrict\w+|System\w+"
    r"|Capability\w+|NoNew\w+|Lock\w+|Limit\w+|State\w+|Memory\w+)=.*\n",
    re.MULTILINE,
)
BOOT = """
mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir -p /run/systemd/system
mount -t cgroup2 none /sys/fs/cgroup && mkdir -p /sys/fs/cgroup/manager
echo $$ > /sys/fs/cgroup/manager/cgroup.procs
/lib/systemd/systemd --user --log-target=console --log-level=info > "$FOLDER/systemd.log" 2>&1 &
"""


class Manager:
    """A systemd in namespaces of its own that takes shell commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "run").mkdir()
        environ = {
            "PATH": os.environ["PATH"],
            "FOLDER": str(folder),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "SYSTEMD_UNIT_PATH": f"{folder}/units:/usr/lib/systemd/user",
        }
        self._shell = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--mount-proc", "bash"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=environ,
        )  # fmt: skip
        self.run(BOOT)
        self.until(lambda: "0" in self.run("systemctl --user is-system-running; echo $?"))

    def run(self, command: str) -> str:
        """Run a command in there; returns what it prints."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\necho '=end='\n")
        self._shell.stdin.flush()
        told: list[str] = []
        for line in self._shell.stdout:
            if line.strip() == "=end=":
                return "".join(told)
            told.append(line)
        raise AssertionError(f"the namespace is gone: {told}")

    def state(self, unit: str) -> str:
        return self.run(f"systemctl --user show -p ActiveState --value {unit}").strip()

    def signal(self, name: str) -> None:
        self.run(f"systemctl --user kill -s {name} --kill-whom=main mxheed.service")

    def until(self, condition: object, patience: float = 30.0) -> None:
        end = time.monotonic() + patience
        while not condition():  # type: ignore[operator]
            assert time.monotonic() < end, (self.folder / "systemd.log").read_text()
            time.sleep(0.05)

    def ask(self) -> tuple[int, float]:
        """postmap's exit code (1: not found, the answer of a healthy gate) and the seconds."""
        began = time.monotonic()
        table = f"socketmap:unix:{self.folder}/sockets/socketmap:mx"
        key = "d.example. 0 IN MX 10 mx.example."
        done = subprocess.run(
            ["postmap", "-q", key, table], capture_output=True, text=True, timeout=30, check=False
        )
        assert not done.stderr, done.stderr
        return done.returncode, time.monotonic() - began

    def close(self) -> None:
        self._shell.kill()
        self._shell.communicate()


def units(folder: Path, *, bypass_for: str = "1min") -> None:
    """The shipped units, fitted to a folder."""
    (folder / "units").mkdir()
    daemon = folder / "daemon"
    daemon.write_text(
        f"#!/bin/sh\ntest -e {folder}/broken && exit 1\n"
        f"exec {sys.executable} -m policyd.cli run --config {folder}/mxheed.yaml\n"
    )
    daemon.chmod(0o755)
    (folder / "mail.log").touch()
    (folder / "mxheed.yaml").write_text(
        f"log: {{path: {folder}/mail.log}}\nstate: {{file: {folder}/mxheed.db}}\n"
        f'serve: {{http: ["inet:127.0.0.1:0"], control: "{folder}/control.sock"}}\n'
    )
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.socket")):
        text = SYSTEM_ONLY.sub("", unit.read_text())
        text = text.replace(
            "/opt/mxheed/bin/mxheed run --config /etc/mxheed/mxheed.yaml", str(daemon)
        )
        text = text.replace("/opt/mxheed/bin/mxheed", f"{sys.executable} -m policyd.cli")
        text = text.replace("/var/spool/postfix/mxheed", str(folder / "sockets"))
        text = text.replace("[Service]\n", f"[Service]\nWorkingDirectory={ROOT}\n")
        text = text.replace("=1min", f"={bypass_for}")
        (folder / "units" / unit.name).write_text(text)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A systemd with the daemon running under the shipped units."""
    assert shutil.which("unshare")
    assert Path("/lib/systemd/systemd").exists(), "install systemd"
    units(tmp_path, bypass_for="6s")
    found = Manager(tmp_path)
    try:
        assert "rror" not in found.run("systemctl --user start mxheed.service")
        yield found
    finally:
        found.close()


def test_questions_wait_a_moment_whatever_happens_to_the_daemon(manager: Manager) -> None:
    """Killed, hung or unable to start: each question is answered within five seconds.

    And when the daemon is mended, it takes the sockets back from the bypass by itself.
    """
    assert manager.state("mxheed.service") == "active"
    assert manager.ask()[0] == 1

    manager.signal("KILL")
    answer, waited = manager.ask()
    assert (answer, waited < 5.0) == (1, True), waited

    manager.until(lambda: manager.state("mxheed.service") == "active")
    manager.signal("STOP")
    answer, waited = manager.ask()
    assert (answer, waited < 5.0) == (1, True), waited

    manager.until(lambda: manager.state("mxheed.service") == "active")
    (manager.folder / "broken").touch()
    manager.signal("KILL")
    answer, waited = manager.ask()
    assert (answer, waited < 5.0) == (1, True), waited
    manager.until(lambda: manager.state("mxheed-bypass.service") == "active")
    assert manager.state("mxheed.service") == "failed"

    (manager.folder / "broken").unlink()
    manager.until(lambda: manager.state("mxheed.service") == "active")
    assert manager.state("mxheed-bypass.service") != "active"
    assert manager.ask()[0] == 1
