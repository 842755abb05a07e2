"""The lab's Postfix: its configuration, its log, its queue.

Contract: configured from Debian's own master.cf ("debian": smtp and smtpd chrooted, or "flat":
nothing chrooted) plus fragments of contrib/postfix as they stand. Everything it writes is private.
Failure: `LabError` with Postfix's words.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .namespace import REPOSITORY

if TYPE_CHECKING:
    from .lab import Lab

__all__ = [
    "DEFAULT_FRAGMENTS",
    "FEWER",
    "FEWER_FRAGMENTS",
    "FRAGMENTS",
    "START",
    "Flavour",
    "Postfix",
]

Flavour = Literal["debian", "flat"]

FRAGMENTS = REPOSITORY / "contrib" / "postfix"

DEFAULT_FRAGMENTS = ("gate.main.cf", "status.main.cf", "policy.main.cf")
FEWER_FRAGMENTS = ("resolver.master.cf", "recipients.master.cf", "recipients.main.cf")
FEWER = (1, 2, 5, 10, 20)  # serve.recipient_limits for these

_CHECK = Path("/usr/lib/postfix/sbin/post-install")
# as a service would: on a booted Debian 13 a start by hand is handed over to systemd
START = ("env", "INVOCATION_ID=lab", "postfix", "start")

# its clients are customers, who may relay but are not its own networks: those are never put off
_MAIN = """\
compatibility_level = 3.6
myhostname = lab.test
mydestination = $myhostname, localhost
mynetworks = 192.0.2.0/24
smtpd_client_event_limit_exceptions = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = permit_inet_interfaces permit_sasl_authenticated defer_unauth_destination
smtp_tls_security_level = may
alias_maps =
mailbox_size_limit = 0
maillog_file = /var/log/mail.log
"""


class Postfix:
    """One private Postfix."""

    def __init__(self, lab: Lab, flavour: Flavour) -> None:
        self._lab = lab
        self._flavour = flavour
        self._directory = lab.directory / "postfix"
        self.log_file = lab.directory / "log" / "mail.log"

    def configure(self, *fragments: str, extra: str = "") -> None:
        """Write main.cf and master.cf: fragments are file names in contrib/postfix."""
        master = Path("/usr/share/postfix/master.cf.dist").read_text()
        main = _MAIN
        for fragment in fragments:
            text = (FRAGMENTS / fragment).read_text()
            if fragment.endswith(".master.cf"):
                master = _add_services(master, text)
            else:
                main += text
        if self._flavour == "flat":
            master = re.sub(r"^((?:\S+\s+){4})y(\s)", r"\1n\2", master, flags=re.M)
        (self._directory / "main.cf").write_text(main + extra)
        (self._directory / "master.cf").write_text(master)

    def add_services(self, text: str) -> None:
        """Add services to master.cf, instead of those that are there by the same name and type."""
        master = self._directory / "master.cf"
        master.write_text(_add_services(master.read_text(), text))

    def set(self, text: str) -> None:
        """Set parameters of main.cf, written as they are written there."""
        logical = re.sub(r"\n[ \t]+", " ", re.sub(r"^#.*\n", "", text, flags=re.M))
        self._lab.check("postconf", "-e", *(line for line in logical.splitlines() if line.strip()))

    def start(self) -> None:
        """Start, chroot furnished the way Debian's service does it."""
        for name in ("postfix-files", "dynamicmaps.cf"):  # what a queue and the maps are made from
            shutil.copy(f"/etc/postfix/{name}", self._directory)
        self._lab.check("postfix", "check")
        if "configure-instance.sh" not in _CHECK.read_text():  # from Debian 13 on, check runs it
            self._lab.check("/usr/lib/postfix/configure-instance.sh", "-")
        self._lab.check(*START)

    def restart(self) -> None:
        """Forget everything Postfix has in memory; for a new configuration."""
        self._lab.check("postfix", "stop")
        self._lab.check(*START)

    def clear(self) -> None:
        """Empty the queue and the log, and forget dead destinations."""
        self._lab.check("postsuper", "-d", "ALL")
        self._lab.check("postfix", "reload")
        self._lab.check("truncate", "-s", "0", "/var/log/mail.log")

    def queue(self) -> list[dict[str, Any]]:
        """The queue as `postqueue -j` lists it."""
        listing = self._lab.check("postqueue", "-j")
        return [json.loads(line) for line in listing.splitlines()]

    def reasons(self) -> list[str]:
        """Why recipients are still queued, as Postfix says."""
        return [
            one.get("delay_reason", "") for message in self.queue() for one in message["recipients"]
        ]

    def log(self) -> list[str]:
        """The log lines since the queue was cleared last."""
        return self.log_file.read_text("utf-8", "replace").splitlines()

    def deliveries(self, status: str = "") -> list[str]:
        """The log lines that tell a recipient's fate."""
        return [line for line in self.log() if f", status={status}" in line]


def _add_services(master: str, text: str) -> str:
    """Add services; one that is there already (same name and type) is replaced."""
    new: Iterable[str] = re.findall(r"^(\S+\s+(?:unix|inet))\s", text, re.M)
    for head in new:
        name, kind = head.split()
        master = re.sub(rf"^{name}\s+{kind}\s.*\n(?:[ \t].*\n)*", "", master, flags=re.M)
    return master + text
