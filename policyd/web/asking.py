"""The other end of the control API: requests to the running daemon over its unix socket.

Contract: standard library only. `find` looks at the places in order for a daemon that may be
trusted there (the kernel tells who listens, before anything is said); `ask` makes one request and
returns the decoded answer.
Failure: `ControlError` when no daemon answers there (all places with what was found), or with the
daemon's own words of refusal.
"""

from __future__ import annotations

import http.client
import json
import pwd
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from policyd.errors import ControlError
from policyd.serve.paths import SocketPlace

__all__ = ["Found", "ask", "find"]

_PATIENCE = 5.0
_RUNNING = "; is mxheed running?"
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class Found(NamedTuple):
    """A daemon's control socket, and the process that listens."""

    place: SocketPlace
    pid: int
    uid: int


def find(places: Sequence[SocketPlace]) -> Found:
    """The first place where a daemon listens that may be trusted there."""
    seen = []
    for place in places:
        try:
            with _connect(place) as wire:
                return Found(place, *_listener(wire))
        except ControlError as refused:
            seen.append(str(refused))
    if len(seen) == 1:
        raise ControlError(seen[0])
    looked = "\n  ".join(one.removesuffix(_RUNNING) for one in seen)
    raise ControlError(f"no daemon was found{_RUNNING}\n  {looked}")


def ask(
    place: SocketPlace | str,
    method: str,
    target: str,
    arguments: Mapping[str, Any] | None = None,
    patience: float = _PATIENCE,
) -> Any:
    """One request; `arguments` travel as a JSON object."""
    place = SocketPlace(place) if isinstance(place, str) else place
    line = http.client.HTTPConnection("localhost")
    line.sock = _connect(place, patience)
    try:
        line.request(method, target, json.dumps(arguments) if arguments is not None else None)
        answer = line.getresponse()
        value = json.loads(answer.read())
    except TimeoutError:
        raise ControlError(_words(place.path, TimeoutError())) from None
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        raise ControlError(f"the daemon at {place.path} gave no usable answer: {wrong}") from wrong
    finally:
        line.close()
    if answer.status != 200:
        raise ControlError(
            str(value.get("error", value)) if isinstance(value, dict) else str(value)
        )
    return value


def _connect(place: SocketPlace, patience: float = _PATIENCE) -> socket.socket:
    """A connection to whoever may listen there."""
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        wire.settimeout(patience)
        wire.connect(place.path)
        _, uid = _listener(wire)
        if place.trusted is not None and uid not in place.trusted:
            raise ControlError(f"{_name(uid)} listens at {place.path}: not trusted, not asked")
    except BaseException as wrong:
        wire.close()
        if isinstance(wrong, OSError):
            raise ControlError(_words(place.path, wrong)) from None
        raise
    return wire


def _words(path: str, wrong: OSError) -> str:
    match wrong:
        case TimeoutError() | BlockingIOError():
            return f"the daemon at {path} does not answer; is it hanging?"
        case FileNotFoundError() | ConnectionRefusedError() | NotADirectoryError():
            return f"no daemon listens at {path}{_RUNNING}"
        case PermissionError():
            return f"you may not use {path}; its group may (serve.control_group)"
    return f"{path} cannot be used: {wrong}"


def _listener(wire: socket.socket) -> tuple[int, int]:
    """Process and user that listen at the other end, as the kernel says."""
    told = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(told)
    return pid, uid


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
