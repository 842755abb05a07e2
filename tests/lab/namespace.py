"""The private world of a lab: network, mount and process namespaces with an agent inside.

Contract: `why_not()` says in words why a lab cannot be had here, or None. `enter()` starts the
agent (tests/lab/agent.py) as a child of the namespace's first process: when the agent ends, or its
standard input is closed, everything inside ends with it. `furnish()` is what the agent does first:
loopback up, private copies mounted over the directories a mail system writes to.
Failure: OSError or CalledProcessError with the command's own words.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import exim

__all__ = ["ENVIRONMENT", "PYTHON", "REPOSITORY", "enter", "furnish", "why_not"]

REPOSITORY = Path(__file__).resolve().parents[2]

# the program and its interpreter as any user inside may read them, wherever they lie outside
PYTHON = f"/srv/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
ENVIRONMENT = {
    "PYTHONPATH": "/srv/mxheed:/srv/packages",
    "PYTHONHOME": "/srv/python",
    "LD_LIBRARY_PATH": "/srv/python/lib",
}

_UNSHARE = ("unshare", "-n", "-m", "-p", "-f", "--mount-proc", "--kill-child")
_PROGRAMS = ("unshare", "ip", "mount", "dnsmasq", "postfix", "postconf", "openssl", "setpriv")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# bash stays the first process of the namespace and reaps what daemons leave behind
_INIT = '"$0" -m tests.lab.agent "$1"; exit $?'

# users the lab knows beside the machine's own: the daemon's, one with a mailbox, and Exim's
_USERS = (
    "mxheed:x:790:790:mxheed:/var/lib/mxheed:/usr/sbin/nologin\n"
    "alice:x:791:791:alice:/srv:/bin/sh\n"
    "Debian-exim:x:792:792:Exim:/var/spool/exim4:/usr/sbin/nologin\n"
)


@functools.cache
def why_not() -> str | None:
    """Why a lab cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    tried = subprocess.run([*_UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True)
    if tried.returncode != 0:
        return f"namespaces are not permitted: {tried.stderr.decode().strip()}"
    return None


def enter(directory: Path) -> subprocess.Popen[str]:
    """Start a lab's agent; it speaks JSON lines on its standard input and output."""
    with (directory / "agent.err").open("w") as errors:
        return subprocess.Popen(
            [*_UNSHARE, "bash", "-c", _INIT, sys.executable, str(directory)],
            cwd=REPOSITORY,
            env={"PATH": _PATH, "LANG": "C.UTF-8", "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def furnish(directory: Path) -> None:
    """Prepare the world; to be called inside, before anything else runs."""
    _do("ip", "link", "set", "lo", "up")
    # as systemd sets it: with the kernel's 10, a Postfix that stops waits for its own postlogd
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512\n")
    exim.mount(directory)
    for name, target in (("postfix", "/etc/postfix"), ("log", "/var/log"), ("mail", "/var/mail")):
        (directory / name).mkdir()
        _do("mount", "--bind", str(directory / name), target)
    for target in ("/var/spool/postfix", "/var/lib", "/run", "/srv"):
        _do("mount", "-t", "tmpfs", "-o", "mode=0755", "lab", target)
    Path("/var/lib/postfix").mkdir()
    Path("/var/mail").chmod(0o1777)
    Path("/var/log/mail.log").touch(0o640)  # as a distribution's syslog makes it
    shutil.chown("/var/log/mail.log", "root", "adm")
    shutil.chown("/var/lib/postfix", "postfix", "postfix")
    _replace(directory, "/etc/resolv.conf", "nameserver 127.0.0.1\n")
    _replace(directory, "/etc/hosts", "127.0.0.1 localhost lab.test\n")
    _replace(directory, "/etc/passwd", _without_ours("/etc/passwd") + _USERS)
    _replace(directory, "/etc/group", _groups(_without_ours("/etc/group")))
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    for source, name in (
        (REPOSITORY, "mxheed"),
        (packages, "packages"),
        (sys.base_prefix, "python"),
    ):
        Path("/srv", name).mkdir()
        _do("mount", "--bind", str(source), f"/srv/{name}")


def _without_ours(path: str) -> str:
    """A machine may have users of these names already, with other numbers."""
    lines = Path(path).read_text().splitlines(keepends=True)
    ours = ("mxheed:", "alice:", "Debian-exim:")
    return "".join(line for line in lines if not line.startswith(ours))


def _groups(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if line.startswith(("postdrop:", "adm:")):  # to release mail, to read the log
            line += "mxheed" if line.endswith(":") else ",mxheed"
        lines.append(line)
    return "\n".join([*lines, "mxheed:x:790:", "alice:x:791:", "Debian-exim:x:792:mxheed", ""])


def _replace(directory: Path, target: str, text: str) -> None:
    private = directory / target.rpartition("/")[2]
    private.write_text(text)
    _do("mount", "--bind", str(private), target)


def _do(*command: str) -> None:
    subprocess.run(command, check=True)
