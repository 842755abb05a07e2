"""A machine in the lab that boots a real systemd: the shipped units run as they are shipped.

Contract: systemd is process 1 of namespaces of its own within a lab and has the whole means of a
system manager: users, seccomp, mount namespaces, control groups. /etc and /opt are private copies;
Postfix, DNS and receivers are the lab's. `install` does what contrib/systemd/README.md says, with
the commands as they stand there. Drop-ins of a test may change times, and play a fault.
Failure: `LabError` with systemctl's words; what the services said is in services.out of the logs.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from .errors import LabError
from .namespace import ENVIRONMENT, PYTHON, REPOSITORY

if TYPE_CHECKING:
    from .lab import Lab, Ran

__all__ = ["PROGRAM", "UNITS", "Machine"]

UNITS = REPOSITORY / "contrib" / "systemd"
PROGRAM = "/opt/mxheed/bin/mxheed"

_HTTP = "http://127.0.0.1:9825"
# what the units refer to, empty: nothing else of a system shall start
_TARGETS = ("sysinit", "basic", "sockets", "network", "multi-user", "shutdown", "umount", "final")
# for every service: where it speaks, and where Python's library is, wherever that lies outside
_EVERY_SERVICE = f"""\
[Service]
StandardOutput=append:/var/log/services.out
StandardError=append:/var/log/services.out
Environment=LD_LIBRARY_PATH={ENVIRONMENT["LD_LIBRARY_PATH"]}
"""
# The control group lies in a view of the hierarchy that is the lab's own, for it need not be
# mounted where distributions do. /dev/console belongs to the machine outside.
_BOOT = """
set -e
mount --bind "$1/etc" /etc && mount --bind "$1/postfix" /etc/postfix && mount --bind "$1/opt" /opt
mkdir -p /run/cgroup /run/systemd/system
mount -t cgroup2 none /run/cgroup
mkdir "/run/cgroup/$2" && echo $$ > "/run/cgroup/$2/cgroup.procs"
exec unshare -m -p -f -u -i -C --mount-proc --kill-child bash -c '
  set -e
  mount -t tmpfs none /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
  mount --bind /dev/null /dev/console
  exec env -i PATH="$PATH" container=lab SYSTEMD_UNIT_PATH=/etc/systemd/system \\
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=null --show-status=no
'
"""


class Machine:
    """One booted system."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.units = lab.directory / "etc" / "systemd" / "system"
        self._pid = self._boot()

    def _boot(self) -> int:
        lab = self._lab
        (lab.directory / "opt").mkdir()
        lab.check("cp", "-a", "/etc", str(lab.directory))
        shutil.rmtree(self.units)
        (self.units / "service.d").mkdir(parents=True)
        (self.units / "service.d" / "lab.conf").write_text(_EVERY_SERVICE)
        for name in _TARGETS:
            (self.units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        command = ["bash", "-c", _BOOT, "boot", str(lab.directory), lab.directory.name]
        outer = lab.call("spawn", name="systemd", command=command, user="root", env={})
        children = f"/proc/{outer}/task/{outer}/children"
        lab.until(lambda: lab.run("test", "-S", "/run/systemd/private").code == 0, "systemd is up")
        return int(lab.check("cat", children))

    def stop(self) -> None:
        """End everything in it; its control group goes with its last process."""
        self._lab.run("kill", "-KILL", str(self._pid))
        group = f"/run/cgroup/{self._lab.directory.name}"
        remove = f"find {group} -depth -type d -exec rmdir {{}} +"
        self._lab.until(lambda: self._lab.run("bash", "-c", remove).code == 0, "nothing runs")

    def run(self, *command: str, text: str = "", user: str = "root") -> Ran:
        """Run a command beside systemd."""
        # with the root of that process: without, one that was changed (chroot) would be left
        spaces = ("--mount", "--pid", "--uts", "--ipc", "--root", "--wd")
        inside = ("nsenter", f"--target={self._pid}", *spaces)
        who = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups")
        return self._lab.run(*inside, *(who if user != "root" else ()), *command, text=text)

    def check(self, *command: str) -> str:
        """Run a command that must succeed; its output."""
        ran = self.run(*command)
        if ran.code:
            raise LabError(f"{' '.join(command)}: exit {ran.code}: {ran.out}{ran.err}")
        return ran.out

    def mxheed(self, *arguments: str) -> Ran:
        """The installed program, run by root."""
        return self.run(PROGRAM, *arguments)

    def show(self, unit: str, name: str = "ActiveState") -> str:
        """One property of a unit."""
        return self.check("systemctl", "show", "-p", name, "--value", unit).strip()

    def signal(self, name: str) -> None:
        """Send the daemon, and only it, a signal."""
        self.check("systemctl", "kill", "-s", name, "--kill-whom=main", "mxheed.service")

    def until(self, condition: Any, what: str, seconds: float = 20.0) -> None:
        """Wait until a condition holds."""
        self._lab.until(condition, what, seconds)

    def ask(self) -> tuple[int, float]:
        """postmap's exit code (1: not found, the answer of a healthy gate) and the seconds."""
        began = time.monotonic()
        table = "socketmap:unix:/var/spool/postfix/mxheed/socketmap:mx"
        done = self.run("postmap", "-q", "d.example. 0 IN MX 10 mx.example.", table)
        assert not done.err, done.err
        return done.code, time.monotonic() - began

    # installing -------------------------------------------------------------------------------

    def program(self, wheel: Path) -> None:
        """Install the program, or another version over the one that is there."""
        if not (self._lab.directory / "opt" / "mxheed").exists():
            self.check(PYTHON, "-m", "venv", "--without-pip", "/opt/mxheed")
            # its dependencies are those of the tests; the program itself is the installed one
            (site,) = (self._lab.directory / "opt").glob("mxheed/lib/python*/site-packages")
            (site / "tests.pth").write_text("/srv/packages\n")
        python = "/opt/mxheed/bin/python"
        self.check(
            python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
            "--force-reinstall", "--disable-pip-version-check", str(wheel),
        )  # fmt: skip

    def configure(self, more: Mapping[str, Any] = MappingProxyType({})) -> None:
        """The configuration of contrib/postfix where the unit expects it; all may be submitted."""
        shipped = YAML(typ="safe").load(REPOSITORY / "contrib" / "postfix" / "mxheed.yaml")
        shipped["serve"]["submission"] = {"suspended": "dunno"}
        shipped |= more
        folder = self._lab.directory / "etc" / "mxheed"
        folder.mkdir(exist_ok=True)
        (folder / "mxheed.yaml").write_text(json.dumps(shipped))

    def install(self) -> None:
        """The commands of the README that install the units, as they stand there."""
        text = (UNITS / "README.md").read_text()
        block = re.search(r"^    install -D -m 644 mxheed\.sysusers.*(?:\n    .*)*", text, re.M)
        assert block is not None
        self.check("bash", "-c", f"set -e; cd /srv/mxheed/contrib/systemd\n{block[0]}")

    def drop_in(self, unit: str, text: str) -> None:
        """Add to a unit; an empty text takes it away again."""
        folder = self.units / f"{unit}.d"
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text(text)
        self.check("systemctl", "daemon-reload")

    # what it says -----------------------------------------------------------------------------

    def healthz(self) -> tuple[int, str]:
        """Status and words of /healthz; 0: nobody answers."""
        return self._lab.http(f"{_HTTP}/healthz")

    def metrics(self) -> str:
        """The text of /metrics."""
        return self._lab.http(f"{_HTTP}/metrics")[1]
