"""Who is at the other end of a connection, as far as the kernel tells.

Contract: of TCP the address, of a unix socket the process. `Peer.owner` is what shares a number of
places: None where that would punish the wrong ones, on the loopback (an address that all programs
of this machine share) and for a process in another container, which has no number here.
Failure: none; who has gone already is nobody in particular.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Hashable
from typing import Literal, NamedTuple

__all__ = ["Peer", "peer_of"]

_CREDENTIALS = struct.Struct("3i")  # process, user, group
_NETWORK = 64  # bits of an IPv6 address that whoever has one usually has all addresses behind


class Peer(NamedTuple):
    """The other end."""

    kind: Literal["inet", "unix"]
    name: str  # for the log
    owner: Hashable | None = None
    process: int = 0  # 0: not known


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Ask the kernel."""
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple) and len(name) > 1:
        return Peer("inet", f"{name[0]}:{name[1]}", _owner(str(name[0])))
    own = transport.get_extra_info("socket")
    if own is None:
        return Peer("unix", "unix")
    try:
        told = own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return Peer("unix", "unix")
    process, user, _ = _CREDENTIALS.unpack(told)
    owner = (user, process) if process else None
    return Peer("unix", f"unix, process {process} of user {user}", owner, process)


def _owner(address: str) -> Hashable | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return None if found.is_loopback else int(found) >> (128 - _NETWORK)
        found = found.ipv4_mapped
    return None if found.is_loopback else str(found)
