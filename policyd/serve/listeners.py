"""All listening sockets of the daemon, open before anything that takes time.

Contract: `open_listeners` opens what the settings name. Sockets passed by systemd, named
`socketmap`, `policy`, `exim`, `http` or `control`, stand in for the addresses of that name. `close`
takes away the unix sockets that are still ours; those of systemd stay open for the next start.
Failure: `ListenError` for an address that cannot be opened; what was open until then is closed.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from policyd.errors import InUseError, ListenError
from policyd.serve.holder import described, holders
from policyd.serve.listen import Address, open_socket, parse, remove
from policyd.serve.paths import BESIDE, control_path, exim_paths
from policyd.serve.settings import ServeSettings
from policyd.serve.shares import Shares, need, share

__all__ = ["HOOKS", "NAMES", "Listeners", "open_listeners"]

HOOKS = ("socketmap", "policy", "exim")
NAMES = (*HOOKS, "http", "control")

_log = logging.getLogger(__name__)

Passed = Mapping[str, list[socket.socket]]


@dataclass(slots=True)
class Listeners:
    """What listens, by name."""

    sockets: dict[str, list[socket.socket]] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)  # as Postfix writes them
    shares: Shares = field(default_factory=Shares)
    _paths: list[tuple[str, int]] = field(default_factory=list)

    def close(self) -> None:
        """Stop listening."""
        for path, inode in self._paths:
            remove(path, inode)
        for group in self.sockets.values():
            for listener in group:
                listener.close()

    def add(self, name: str, text: str, mode: int, group: str) -> None:
        """Open one more address."""
        address = parse(text)
        try:
            listener = open_socket(address, mode=mode, group=group)
        except InUseError as wrong:
            raise InUseError(f"{wrong}{_instead(name, address)}") from wrong
        if address.path:
            self._paths.append((address.path, os.stat(address.path).st_ino))
        self._keep(name, listener, str(address) if address.path else _where(listener))

    def take(self, name: str, passed: socket.socket) -> None:
        """Take one from systemd: a copy, so that closing it keeps systemd's way open."""
        self._keep(name, passed.dup(), _where(passed))

    def _keep(self, name: str, listener: socket.socket, where: str) -> None:
        self.sockets[name].append(listener)
        self.addresses[name].append(where)


def open_listeners(settings: ServeSettings, passed: Passed | None = None) -> Listeners:
    """Everything that the settings name, or systemd passes."""
    passed = passed or {}
    if unknown := sorted(set(passed) - set(NAMES)):
        raise ListenError(
            f"systemd passed a socket named {unknown[0]!r}; "
            f"FileDescriptorName must be one of {', '.join(NAMES)}"
        )
    path = control_path(settings.control, os.environ, os.geteuid())
    control, beside = f"unix:{path}", f"unix:{exim_paths(path)[0]}"
    control_mode = 0o660 if settings.control_group else 0o600
    hooks = (int(settings.mode, 8), settings.group)
    wanted = {
        "socketmap": (settings.socketmap, *hooks),
        "policy": (settings.policy, *hooks),
        "exim": (
            tuple(beside if one == BESIDE else one for one in settings.exim),
            hooks[0],
            settings.exim_group,
        ),
        "http": (settings.http, *hooks),
        "control": ((control,), control_mode, settings.control_group),
    }
    found = Listeners({name: [] for name in NAMES}, {name: [] for name in NAMES})
    try:
        for name, (texts, mode, group) in wanted.items():
            for given in passed.get(name, ()):
                found.take(name, given)
            for text in () if name in passed else texts:
                found.add(name, text, mode, group)
    except BaseException:
        found.close()
        raise
    found.shares = _shares(settings, found)
    return found


def _instead(name: str, address: Address) -> str:
    """By whom an address is used, and how to choose another."""
    who = " and ".join(map(described, holders(address)))
    by = f", by {who}" if who else ", by a process that we may not see (root: ss -lntp)"
    example = "unix:/path" if address.path else f"inet:{address.host}:0 (any free port)"
    setting = f"serve.{name}"
    return f"{by}; stop that one, or choose another: --{name} {example}, or {setting}"


def _shares(settings: ServeSettings, found: Listeners) -> Shares:
    """How many connections there may be; said where it is less than was configured."""
    kinds = sum(
        len({one.family == socket.AF_UNIX for one in found.sockets[name]}) for name in HOOKS
    )
    wanted = (settings.max_connections, settings.http_connections, kinds)
    files = _make_room(need(*wanted))
    shares = share(files, *wanted)
    if (shares.hook, shares.http) < wanted[:2]:
        _log.warning(
            "%d files may be open (ulimit -n, LimitNOFILE): %d connections for each hook, %d for "
            "pages; all that is configured needs %d",
            files, shares.hook, shares.http, need(*wanted),
        )  # fmt: skip
    return shares


def _make_room(files: int) -> int:
    """Raise the soft limit of open files as far as needed and allowed; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = max(soft, files if hard == resource.RLIM_INFINITY else min(files, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return files if soft == resource.RLIM_INFINITY else soft


def _where(listener: socket.socket) -> str:
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"inet:{host}:{name[1]}"
