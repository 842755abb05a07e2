"""Who holds an address, and does it answer?

Contract: standard library only. `probe` asks the question of the protocol and waits a moment;
`holders` finds the processes that listen there; `described` names one for an operator.
Failure: what the kernel does not show (no rights, no /proc) is not in the list.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Literal

from policyd.serve.listen import Address

__all__ = ["QUESTIONS", "Finding", "described", "holders", "probe"]

Finding = Literal["free", "answers", "hung"]

QUESTIONS = {
    "socketmap": b"8:bypass *,",
    "policy": b"request=smtpd_access_policy\n\n",
}
_LISTEN = "0A"  # TCP state in /proc/net/tcp


def probe(address: Address, question: bytes, patience: float) -> Finding:
    """Whether somebody listens there and says anything within `patience` seconds."""
    try:
        with _connect(address, patience) as line:
            line.sendall(question)
            return "answers" if line.recv(1) else "hung"
    except (ConnectionRefusedError, FileNotFoundError):
        return "free"
    except OSError:  # a time-out among them: it listens, or its queue is full
        return "hung"


def holders(address: Address) -> list[int]:
    """The processes that listen there; several where one handed the socket to another."""
    return _of_path(address) if address.path else _of_port(address.port)


def described(pid: int) -> str:
    """A process in words: its number, program and user, as far as they can be seen."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
        user = Path(f"/proc/{pid}").owner()
    except (OSError, KeyError):
        return f"process {pid}"
    return f"process {pid} ({''.join(c if c.isprintable() else '?' for c in name)}, user {user})"


def _connect(address: Address, patience: float) -> socket.socket:
    if not address.path:
        return socket.create_connection((address.host, address.port), patience)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(patience)
        line.connect(address.path)
    except BaseException:
        line.close()
        raise
    return line


def _of_path(address: Address) -> list[int]:
    try:
        with _connect(address, 1.0) as line:
            told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return []
    pid: int = struct.unpack("3i", told)[0]
    return [pid] if pid else []


def _of_port(port: int) -> list[int]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(link) in inodes for link in (process / "fd").iterdir()):
                found.append(int(process.name))
        except OSError:
            continue  # gone meanwhile, or not ours to see
    return found
