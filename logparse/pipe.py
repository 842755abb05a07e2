"""A log that somebody else pipes in while it grows: `tail -F … | mxheed run --log -`.

Contract: see `logparse.source`. `read` never waits, so that the reader can stop at any time; there
is no position to go back to. What has no newline yet is kept; a line longer than `LONGEST` is
handed out in pieces. After the end of the pipe everything is `None`, and
`waiting` says so.
Failure: OSError where the descriptor cannot be read.
"""

from __future__ import annotations

import os
import stat
from errno import EINVAL

from logparse.source import LIMIT, Block, Position

__all__ = ["LONGEST", "NamedPipe", "Pipe"]

LONGEST = 1 << 20


class Pipe:
    """One pipe, socket or terminal as a source."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.waiting: str | None = None  # why nothing comes any more
        os.set_blocking(descriptor, False)

    @property
    def position(self) -> Position:
        """Nowhere: a pipe cannot be resumed."""
        return {}

    def read(self, limit: int = LIMIT) -> Block | None:
        """The whole lines that have come; None: nothing at the moment, or any more."""
        try:
            data = os.read(self._descriptor, limit)
        except BlockingIOError:
            return None
        if not data:  # the end: a last line without its newline gets one
            whole, self._rest = (self._rest + b"\n" if self._rest else b""), b""
            self.waiting = "the pipe has ended"
        else:
            text = self._rest + data
            end = text.rfind(b"\n") + 1 or (len(text) if len(text) > LONGEST else 0)
            whole, self._rest = text[:end], text[end:]
        return Block(whole, {}) if whole else None

    def close(self) -> None:
        """The descriptor belongs to the process; only its mode is given back."""
        os.set_blocking(self._descriptor, True)


class NamedPipe(Pipe):
    """A FIFO that a logger writes to (rsyslog's ompipe): its writers may come and go."""

    def __init__(self, path: str) -> None:
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            raise OSError(EINVAL, "it is no named pipe", path)
        # for writing as well: a pipe that somebody might write to never ends
        super().__init__(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    def close(self) -> None:
        """This descriptor is our own."""
        os.close(self._descriptor)
