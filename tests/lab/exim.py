"""The lab's Exim, beside its Postfix: Debian's own package and configuration, its log, its queue.

Contract: `mount` puts the files of contrib/dev/exim-beside where the package has them, so that
every path, user and right is as on a machine that has only Exim; `configure` adds its programs,
`clear` takes them away. It listens at 127.0.0.2. The lines
that ask mxheed are what `mxheed setup exim` prints for this very machine. `why_not` says why there
is no Exim here, or None.
Failure: `LabError` with Exim's words.
"""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lab import Lab

__all__ = ["ADDRESS", "BESIDE", "Exim", "mount", "why_not"]

BESIDE = Path("/usr/local/lib/mxheed-tests/exim")
ADDRESS = "127.0.0.2"

_SPOOL = "/var/spool/exim4"
_TEMPLATE = "/etc/exim4/exim4.conf.template"
_MACROS = "/etc/exim4/exim4.conf.localmacros"

# what Debian's installer asks for
_ANSWERS = f"""\
dc_eximconfig_configtype='internet'
dc_other_hostnames='lab.test'
dc_local_interfaces='{ADDRESS}'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='true'
dc_relay_nets='127.0.0.0/8'
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='false'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""

# The lab's receivers have addresses that no receiver in the world has. A message that was deferred
# is tried again by mxheed, or by a queue run of the test's.
_LAB = """\
ROUTER_DNSLOOKUP_IGNORE_TARGET_HOSTS = <; 0.0.0.0
MAIN_HARDCODE_PRIMARY_HOSTNAME = lab.test
"""


def why_not() -> str | None:
    """Why there is no Exim to be had here, or None."""
    if not (BESIDE / "version").exists():
        return f"no Exim in {BESIDE} (contrib/dev/exim-beside)"
    return None


def mount(directory: Path) -> None:
    """Put the package's files where they belong; inside, before anything else is mounted there."""
    if why_not() is not None:
        return
    over = directory / "over"
    over.mkdir()
    _do("mount", "-t", "tmpfs", "-o", "mode=0755", "lab", str(over))
    for name, lower in (("etc", f"/etc:{BESIDE}/etc"), ("var/spool", "/var/spool")):
        upper, work = over / name / "upper", over / name / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        _do("mount", "-t", "overlay", "-o", options, "lab", f"/{name}")


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


class Exim:
    """One private Exim."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.log_file = lab.directory / "log" / "exim4" / "mainlog"
        self._running = self._installed = False

    def configure(self, macros: str = "", *, split: bool = False, retry: str = "") -> None:
        """Write Debian's configuration; `macros` go where an administrator's go.

        `retry`: the one retry rule for all, instead of Debian's.
        """
        check = self._lab.check
        self._install()
        for path, mode in (("/var/log/exim4", "2750"), (_SPOOL, "0750")):
            check("install", "-d", "-o", "Debian-exim", "-g", "adm", "-m", mode, path)
        check("install", "-d", "-o", "root", "-g", "Debian-exim", "-m", "0755", "/var/lib/exim4")
        answers = _ANSWERS.replace("split_config='false'", f"split_config='{str(split).lower()}'")
        check("tee", "/etc/exim4/update-exim4.conf.conf", text=answers)
        check("tee", "/etc/mailname", text="lab.test\n")
        check("rm", "-f", _MACROS, "/etc/exim4/conf.d/main/000_localmacros")
        macro_file = "/etc/exim4/conf.d/main/000_localmacros" if split else _MACROS
        check("tee", macro_file, text=_LAB + macros)
        if retry:
            rules = "/etc/exim4/conf.d/retry/30_exim4-config"
            check("sed", "-i", f"s/^[*] .*F,2h.*/* * {retry}/", rules, _TEMPLATE)
        check("update-exim4.conf")
        if retry:
            check("bash", "-c", f"for one in {rules} {_TEMPLATE}; do cp {BESIDE}$one $one; done")

    def _install(self) -> None:
        """Put its programs there: who does not ask for an Exim is on a machine without one."""
        if not self._installed:
            programs = f"lowerdir=/usr/sbin:{BESIDE}/usr/sbin"  # Postfix keeps its sendmail
            self._lab.check("mount", "-t", "overlay", "-o", programs, "lab", "/usr/sbin")
            self._installed = True

    def start(self, *options: str) -> None:
        """Listen, without queue runs unless `options` ask for them."""
        command = ["exim4", "-bdf", *(options or ("-q1h",))]
        self._lab.call("spawn", name="exim", command=command, user="root", env={})
        self._running = True
        self._lab.until(lambda: self._listens(), "Exim listens", 10)

    def _listens(self) -> bool:
        return self._lab.run("bash", "-c", f": </dev/tcp/{ADDRESS}/25").code == 0

    def stop(self) -> None:
        """End the daemon; a delivery goes on to its end."""
        if self._running:
            self._lab.call("signal", name="exim", number=signal.SIGTERM)
            self._lab.call("wait", name="exim", timeout=10)
            self._running = False

    def clear(self) -> None:
        """Stop it, empty the queue, the log and what it knows of hosts."""
        self.stop()
        self._lab.run("pkill", "-KILL", "-x", "exim4")
        self._lab.check("find", _SPOOL, "-type", "f", "-delete")
        self._lab.check("bash", "-c", "rm -f /var/log/exim4/*")
        if self._installed:
            self._lab.check("umount", "--lazy", "/usr/sbin")
            self._installed = False

    def run_queue(self, *options: str) -> None:
        """One queue run, to its end."""
        self._lab.check("exim4", *(options or ("-q",)))

    def queue(self) -> dict[str, list[str]]:
        """Message ids and the recipients that are open; frozen ones have "*frozen*" among them."""
        found: dict[str, list[str]] = {}
        current: list[str] = []
        for line in self._lab.check("exim4", "-bp").splitlines():
            if head := re.match(r"\s*\S+\s+\S+ (\S+-\S+-\S+) <", line):
                current = found.setdefault(head[1], [])
                current += ["*frozen*"] if "*** frozen" in line else []
            elif line.startswith("          "):
                current.append(line.strip())
        return found

    def log(self) -> list[str]:
        """The main log since it was cleared last."""
        if not self.log_file.exists():
            return []
        return self.log_file.read_text("utf-8", "replace").splitlines()

    def lines(self, mark: str) -> list[str]:
        """The lines with this mark (`=>`, `==`, `**`) or of these words."""
        return [line for line in self.log() if f" {mark} " in f"{line} "]

    def panics(self) -> str:
        """What its paniclog says."""
        return self._lab.run("cat", "/var/log/exim4/paniclog").out
