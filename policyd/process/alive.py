"""A file whose time of change says that the loop which answers is alive.

Exim looks at it before it asks, so that a daemon that hangs costs no mail a second.

Contract: `touch` is called by the loop itself, once a second; `remove` when it ends. Failure: a
file that cannot be touched is `trouble`, and Exim does not ask: mail goes unpaced.
"""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["Alive"]


class Alive:
    """One file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.trouble = ""

    def touch(self) -> None:
        """Now."""
        try:
            try:
                os.utime(self._path)
            except FileNotFoundError:
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644))
        except OSError as wrong:
            self.trouble = f"{self._path}: {wrong.strerror}: Exim does not ask us"
        else:
            self.trouble = ""

    def remove(self) -> None:
        """Nobody answers from now on."""
        with suppress(OSError):
            os.unlink(self._path)
