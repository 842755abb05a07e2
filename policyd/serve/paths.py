"""Where the control socket is, for the daemon and for the commands that speak to it.

One list of places, in order: systemd's runtime directory, `/run/mxheed`, the user's own runtime
directory, the user's state directory. The daemon takes the first that it may write to. A command
looks at the same places, its own user's and then those of the user `mxheed`, and at each it trusts
only whom that place belongs to: nobody else's socket is spoken to.

Contract: `control_path` is the daemon's side, `control_places` the commands'.
Failure: none; a place that cannot be used shows when it is opened.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

__all__ = ["BESIDE", "SERVICE_USER", "SocketPlace", "control_path", "control_places", "exim_paths"]

SERVICE_USER = "mxheed"
BESIDE = "beside"  # a socket that lies beside the control socket
_RUN = "/run/mxheed"
_NAME = "control.sock"


class SocketPlace(NamedTuple):
    """A control socket that may be there, and who may listen on it."""

    path: str
    trusted: frozenset[int] | None = None  # user ids; None: somebody named it, so anybody


def control_path(configured: str, environ: Mapping[str, str], uid: int, run: str = _RUN) -> str:
    """Where the daemon listens: the configured path, else the first place it may write to."""
    if configured:
        return configured.removeprefix("unix:")
    if folder := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return f"{folder}/{_NAME}"
    if uid == 0 or os.access(run, os.W_OK | os.X_OK):
        return f"{run}/{_NAME}"
    return f"{next(_own(environ, uid))}/{_NAME}"


def exim_paths(control: str) -> tuple[str, str]:
    """Beside the control socket: where Exim asks, and the file that is touched each second."""
    folder, name = os.path.split(control)
    front = "" if name == _NAME else f"{name}."  # several daemons may have one folder
    return os.path.join(folder, f"{front}exim"), os.path.join(folder, f"{front}alive")


def control_places(
    configured: str, environ: Mapping[str, str], uid: int, run: str = _RUN
) -> tuple[SocketPlace, ...]:
    """Where a command looks, in this order."""
    if configured:
        return (SocketPlace(configured.removeprefix("unix:")),)
    places: list[tuple[str, frozenset[int]]] = []
    if folder := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:  # a unit's own command
        places.append((f"{folder}/{_NAME}", frozenset({0, uid})))
    places += [(f"{run}/{_NAME}", frozenset({0, uid, *_owner(run)}))]
    places += [(f"{folder}/{_NAME}", frozenset({0, uid})) for folder in _own(environ, uid)]
    with suppress(KeyError):
        service = pwd.getpwnam(SERVICE_USER)
        environ = {"XDG_RUNTIME_DIR": f"/run/user/{service.pw_uid}", "HOME": service.pw_dir}
        trusted = frozenset({service.pw_uid})
        places += [(f"{one}/{_NAME}", trusted) for one in _own(environ, service.pw_uid)]
    both: dict[str, frozenset[int]] = {}
    for path, trusted in places:
        both[path] = both.get(path, frozenset()) | trusted
    return tuple(SocketPlace(path, trusted) for path, trusted in both.items())


def _own(environ: Mapping[str, str], uid: int) -> Iterator[str]:
    """The folders of one user, the best first; never none."""
    if folder := environ.get("XDG_RUNTIME_DIR", ""):
        yield f"{folder}/mxheed"
    home = _home(environ.get("HOME", ""), uid)
    yield f"{home}/.local/state/mxheed" if home else f"/run/user/{uid}/mxheed"


def _home(told: str, uid: int) -> str:
    """The user's home; $HOME may still be that of who started us (su, setpriv)."""
    if told and uid in (*_owner(told), uid)[:1]:
        return told
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_dir
    return ""


def _owner(folder: str) -> tuple[int, ...]:
    """Whose folder it is; only root makes one in /run."""
    with suppress(OSError):
        return (os.lstat(folder).st_uid,)
    return ()
