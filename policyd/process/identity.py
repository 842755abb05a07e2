"""Which processes are mxheed: each says so itself, in a way that nobody can say for another.

Contract: standard library only. `declare` has this process listen, until it ends, on an abstract
unix socket whose name holds its number. `is_ours` asks the kernel who listens on the socket of that
name: only the process itself counts. So there is no file that could be stale, misplaced or forged,
and a number that was given away again means nothing. `end` kills such a process, and no other:
never process 1, never ourselves, never one that is not proven to be an mxheed.
Failure: `declare` returns False where the name cannot be had: that mxheed is never taken for one.
"""

from __future__ import annotations

import os
import signal
import socket
import struct

__all__ = ["declare", "end", "is_ours"]

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_BACKLOG = 4096  # nobody accepts: each look takes a place until we end
_declared: list[socket.socket] = []


def declare() -> bool:
    """Say that this process is an mxheed, from now until it ends."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.bind(_name(os.getpid()))
        line.listen(_BACKLOG)
    except OSError:
        line.close()
        return False
    _declared.append(line)
    return True


def is_ours(pid: int) -> bool:
    """Whether that process has declared itself, and is none that is never ended."""
    if pid <= 1 or pid == os.getpid():
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.setblocking(False)
            line.connect(_name(pid))
            told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return False
    speaker: int = _CREDENTIALS.unpack(told)[0]
    return speaker == pid


def end(pid: int) -> bool:
    """Kill that mxheed; False: it is none, it has gone, or it is not ours to end."""
    try:
        handle = os.pidfd_open(pid)  # from here on the number cannot come to mean another process
    except OSError:
        return False
    try:
        if not is_ours(pid):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _name(pid: int) -> str:
    """Numbers are told apart where several process namespaces share a network."""
    return f"\0mxheed/{os.stat('/proc/self/ns/pid').st_ino}/{pid}"
