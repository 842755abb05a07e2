"""Let connections in: a few in each turn of the loop, and none while there are no descriptors.

The loops' own servers take all that wait at once, thousands if somebody wants so, before the first
of them is looked at: whoever asks on an open connection waits meanwhile, and a small limit of open
files is passed by far.

Contract: an `Acceptor` makes each connection of one listening socket a transport with a protocol of
`factory`, `AT_ONCE` at most at a time. The listener is its own; `close` closes it.
Failure: without a free descriptor (or memory) it pauses for `PAUSE` seconds, says so once in a
while, and lets those who come wait in the kernel's queue: it never spins.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

__all__ = ["AT_ONCE", "PAUSE", "Acceptor"]

AT_ONCE = 4
PAUSE = 0.1  # seconds
_TELL = 60.0  # seconds between two lines of the log

_log = logging.getLogger(__name__)


class Acceptor:
    """One listening socket that is served."""

    def __init__(
        self, listener: socket.socket, factory: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._factory = factory
        self._coming: set[asyncio.Task[object]] = set()
        self._closed = False
        self._told = float("-inf")
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Let nobody in any more."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def _accept(self) -> None:
        while len(self._coming) < AT_ONCE:
            try:
                line, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as wrong:
                self._pause(wrong)
                return
            line.setblocking(False)
            task = self._loop.create_task(self._enter(line))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    async def _enter(self, line: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, line)
        except OSError:  # it has gone already
            line.close()

    def _pause(self, wrong: OSError) -> None:
        """What the kernel lacks just now it lacks a moment later, too."""
        self._loop.remove_reader(self._listener)
        self._loop.call_later(PAUSE, self._resume)
        if (now := self._loop.time()) - self._told > _TELL:
            self._told = now
            _log.error("no connection can be let in for now: %s", wrong.strerror)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)
