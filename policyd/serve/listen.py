"""Open the listening sockets: TCP, unix, or handed over by systemd.

Contract: `parse` reads an address; `open_socket` gives a socket that listens already. A unix socket
appears under its name in one step, with its mode and group set, and replaces one that nobody serves
any more; `remove` takes it away only if it is still ours. `inherited` returns the sockets that
systemd passed, by name.
Failure: `ListenError` says which address and what to do: in use, no such directory, no permission.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from policyd.errors import InUseError, ListenError

__all__ = ["BACKLOG", "Address", "inherited", "open_socket", "parse", "remove"]

_FIRST_PASSED = 3  # SD_LISTEN_FDS_START
BACKLOG = 4096  # the kernel cuts it to net.core.somaxconn


@dataclass(frozen=True, slots=True)
class Address:
    """One place to listen: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"inet:{host}:{self.port}"


def parse(text: str) -> Address:
    """`inet:HOST:PORT` or `unix:/path`, as Postfix writes them."""
    kind, _, rest = text.partition(":") if text.isprintable() else ("", "", "")
    if kind == "unix" and rest.startswith("/"):
        return Address(path=rest)
    host, _, port = rest.rpartition(":")
    if kind == "inet" and host and port.isdecimal() and len(port) < 6 and int(port) < 65536:
        return Address(host=host.strip("[]"), port=int(port))
    raise ListenError(f"{text!r} is no address; write inet:HOST:PORT or unix:/path")


def open_socket(
    address: Address, *, mode: int = 0o660, group: str = "", take_over: bool = False
) -> socket.socket:
    """A non-blocking socket that listens; `take_over` replaces even a unix socket in use."""
    try:
        return _open_unix(address, mode, group, take_over) if address.path else _open_inet(address)
    except (OSError, ValueError) as wrong:  # ValueError: a host that can be no name
        reason = getattr(wrong, "strerror", None) or str(wrong)
        in_use = getattr(wrong, "errno", None) == errno.EADDRINUSE
        raise (InUseError if in_use else ListenError)(
            f"cannot listen on {address}: {reason}"
        ) from wrong


def remove(path: str, inode: int) -> None:
    """Take a unix socket away unless another process has put its own there."""
    with contextlib.suppress(OSError):
        if os.stat(path).st_ino == inode:
            os.unlink(path)


def inherited(environ: MutableMapping[str, str], pid: int) -> Mapping[str, list[socket.socket]]:
    """The sockets systemd passed to this process, by FileDescriptorName; none: empty.

    The variables are taken out of `environ`, so that no child believes they are for it.
    """
    count, owner = environ.pop("LISTEN_FDS", "0"), environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if owner != str(pid) or not count.isdecimal():
        return {}
    found: dict[str, list[socket.socket]] = {}
    for offset in range(int(count)):
        descriptor = _FIRST_PASSED + offset
        os.set_inheritable(descriptor, False)
        passed = socket.socket(fileno=descriptor)
        passed.setblocking(False)
        name = names[offset] if offset < len(names) else ""
        found.setdefault(name, []).append(passed)
    return found


def _open_inet(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # connections inherit it: a client whose machine is gone does not hold one for ever
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.bind((address.host, address.port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _open_unix(address: Address, mode: int, group: str, take_over: bool) -> socket.socket:
    path = Path(address.path)
    gid = _gid(group, address) if group else -1
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o750, parents=True)
        _give(path.parent, gid, group, address)
    if not take_over and _served(path):
        raise InUseError(f"cannot listen on {address}: another process serves it")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        draft.unlink(missing_ok=True)
        listener.bind(str(draft))
        # until the name is its final one, nobody can find the socket
        os.chmod(draft, mode)
        _give(draft, gid, group, address)
        listener.listen(BACKLOG)
        os.rename(draft, path)
    except BaseException:
        listener.close()
        draft.unlink(missing_ok=True)
        raise
    listener.setblocking(False)
    return listener


def _give(path: Path, gid: int, group: str, address: Address) -> None:
    """To the group; who is no member of it may, where the folder hands its group down."""
    try:
        os.chown(path, -1, gid)
    except PermissionError:
        folder = Path(address.path).parent
        raise ListenError(
            f"cannot listen on {address}: may not give it to the group {group}; make the folder "
            f"so that it hands its group down: install -d -o USER -g {group} -m 2750 {folder}"
        ) from None


def _served(path: Path) -> bool:
    """Whether somebody listens there; a left-over of a dead process does not count."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise ListenError(f"cannot listen on unix:{path}: a file that is no socket is there")
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True  # its queue is full: it listens, though nobody answers
        except ConnectionRefusedError:
            return False
    return True


def _gid(group: str, address: Address) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ListenError(f"cannot listen on {address}: there is no group {group!r}") from None
