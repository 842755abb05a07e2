"""What the doctor looks at, what it says about it, and what a check is.

Contract: frozen values; `policyd.doctor.gather` makes `Facts` once, each `Check` turns them into
findings. What could not be gathered is in `Facts.missing` with the reason: a check that needs it
is not asked, and that is told. Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from policyd.postfix.postconf import Service
from policyd.web.view import SourceView

__all__ = [
    "Check",
    "DaemonSeen",
    "Facts",
    "Finding",
    "Gap",
    "HandSeen",
    "Hook",
    "HookProbe",
    "Level",
    "Part",
    "Units",
]  # fmt: skip

# unchecked: it could not be looked at here, so nothing is known
Level = Literal["fine", "note", "wrong", "unchecked"]
# what may be missing: Postfix's configuration, the machine's own main.cf, the daemon's pages, its
# process (user and groups), what the logs look like
Part = Literal["postfix", "default", "pages", "process", "logs"]


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    what: str
    todo: str = ""
    about: str = ""  # the check that says so; filled in by `examine`


class Gap(NamedTuple):
    """Why something could not be looked at, and what would help."""

    why: str
    todo: str = ""


class Hook(NamedTuple):
    """One of our sockets as the configuration names it, in Postfix's words."""

    name: str  # "mx", "status", "policy"
    parameter: str  # where Postfix must name it
    address: str  # "unix:mxheed/socketmap", "inet:127.0.0.1:9826"


class HookProbe(NamedTuple):
    """A question asked the way Postfix asks it: its user, its directory, its chroot."""

    hook: str
    question: str
    chroot: bool
    user: str
    reply: str = ""
    error: str = ""
    seconds: float = 0.0
    blind: str = ""  # why it could not be asked the way Postfix asks


class HandSeen(NamedTuple):
    """What the daemon said of its hand on the queue."""

    enabled: bool = True
    trouble: str = ""
    unasked: str = ""  # why it could not be asked
    indirect: str = ""  # why it starts a process for each message
    by_message: int = 0  # promised places asked for by a message that was known,
    by_domain: int = 0  # and by one that was not
    exim: str | None = None  # the trouble with Exim's queue; None: not told


_WORKS = HandSeen()


@dataclass(frozen=True)
class Units:
    """The systemd units of mxheed that are installed."""

    paths: frozenset[str] = frozenset()
    stale: tuple[str, ...] = ()  # paths of those that this version ships otherwise
    # path → why its program cannot be run
    broken: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    configs: frozenset[str] = frozenset()  # the configurations that they run with
    enabled: frozenset[str] = frozenset()  # names of those that start with the machine


@dataclass(frozen=True)
class DaemonSeen:
    """What was seen of mxheed itself, and what its configuration says."""

    healthy: bool
    troubles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    version: str = ""  # of the one that runs
    source: str = ""  # what it follows, in its own words
    active: bool = True  # False: `mxheed off`
    ours: str = ""  # a mistake of this machine that receivers name,
    remedy: str = ""  # and the setting that mends it
    control: str = ""  # its control socket
    user: str = ""  # whom its process belongs to
    groups: frozenset[str] = frozenset()  # that the process really has
    log: str = ""  # the log file it is told to follow, "" if it is no file
    log_readable: bool = True
    logs: tuple[SourceView, ...] = ()  # how each is read
    release: HandSeen = _WORKS
    queue_lifetime: float = 432000.0
    recipients: int = 50
    # what its map `transport` may answer: name → recipients at once, 0: as many as come
    transports: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Facts:
    """Everything the findings are made from: one Postfix, and the mxheed beside it."""

    version: tuple[int, ...]
    running: bool | None  # None: not to be seen without root
    parameters: Mapping[str, str]
    services: tuple[Service, ...]
    hooks: tuple[Hook, ...]
    probes: tuple[HookProbe, ...]
    daemon: DaemonSeen
    directory: str = ""  # its config directory, "" for the machine's one Postfix
    directories: frozenset[str] = frozenset()  # those the machine's own main.cf lists
    units: Units = Units()
    own_version: str = ""  # of the program that asks
    own_config: str = ""  # and the configuration it was given
    missing: Mapping[Part, Gap] = field(default_factory=lambda: MappingProxyType({}))


class Check(NamedTuple):
    """A question that the doctor asks: from facts to findings."""

    about: str  # what it looks at, in a few words
    find: Callable[[Facts], Iterable[Finding]]
    needs: tuple[Part, ...] = ("postfix",)
    each: bool = True  # asked for each Postfix; False: once for the machine
