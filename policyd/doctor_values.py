"""What the doctor looks at, and what it says about it.

Contract: frozen values; `policyd.doctor_facts` gathers them, `policyd.doctor` and
`policyd.doctor_transports` judge them. Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = ["Daemon", "Facts", "Finding", "Hook", "Level", "Probe", "Service"]

Level = Literal["fine", "note", "wrong"]


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    what: str
    todo: str = ""


class Service(NamedTuple):
    """One line of master.cf."""

    name: str
    kind: str  # "inet", "unix"…
    chroot: bool
    command: str  # "smtp", "smtpd"…
    options: Mapping[str, str]  # its -o overrides


class Hook(NamedTuple):
    """One of our sockets as the configuration names it, in Postfix's words."""

    name: str  # "mx", "status", "policy"
    parameter: str  # where Postfix must name it
    address: str  # "unix:mxheed/socketmap", "inet:127.0.0.1:9826"


class Probe(NamedTuple):
    """A question asked the way Postfix asks it: its user, its directory, its chroot."""

    hook: str
    question: str
    chroot: bool
    user: str
    reply: str = ""
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Daemon:
    """What was seen of mxheed itself."""

    healthy: bool
    user: str = ""  # who owns its sockets
    groups: frozenset[str] = frozenset()
    log: str = ""  # the log file it follows, "" if it is no file
    log_readable: bool = True
    queue_lifetime: float = 432000.0
    recipients: int = 50
    # what its map `transport` may answer: name → recipients at once, 0: as many as come
    transports: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Facts:
    """Everything the findings are made from."""

    version: tuple[int, ...]
    running: bool
    parameters: Mapping[str, str]
    services: tuple[Service, ...]
    hooks: tuple[Hook, ...]
    probes: tuple[Probe, ...]
    daemon: Daemon
    directory: str = ""  # its config directory, "" for the machine's one Postfix
    directories: frozenset[str] = frozenset()  # those the machine's own main.cf lists
