"""Do something as somebody else would: in a child with another user, groups, folder and root.

Contract: `apart` runs the function in a forked child and returns its text; nothing of the child
comes back into the program. Only root can become somebody else. Failure: the child's `OSError`
comes back as ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Guise", "apart"]


class Guise(NamedTuple):
    """Who and where the child is; what is left out stays as it is."""

    uid: int | None = None
    gid: int = 0
    groups: tuple[int, ...] = ()
    folder: str = "/"
    root: str = ""  # chroot


def apart(what: Callable[[], str], guise: Guise) -> str:
    """Run `what` in a child that has become somebody else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # never returns into the program
        said = b"-"
        try:
            _become(guise)
            said = b"+" + what().encode()
        except OSError as wrong:
            said = b"-" + str(wrong.strerror or wrong).encode()
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said.startswith(b"+"):
        raise OSError(said[1:].decode() or "no answer")
    return said[1:].decode()


def _become(guise: Guise) -> None:
    os.chdir(guise.folder)
    if guise.root:
        os.chroot(guise.root)
    if guise.uid is not None:
        os.setgroups(guise.groups)
        os.setgid(guise.gid)
        os.setuid(guise.uid)
