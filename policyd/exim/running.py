"""Running `exim`: a delivery that was begun is left to its end, whatever becomes of us.

Contract: `Runner.start` runs one command without a shell, in a session of its own, its words in
memory; it returns after `patience` seconds at most, with what it came to, or None: it goes on by
itself. Nothing is ever killed, for what runs may be a delivery. At most `most` are under way.
Failure: `OSError` where it cannot be started; `BusyError` where too many run.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any, NamedTuple

from policyd.errors import MxheedError

__all__ = ["BusyError", "Ended", "Runner"]

_KEPT = 16 * 1024 * 1024  # bytes of what a command says: a queue's listing is long


class BusyError(MxheedError):
    """So many deliveries are under way that no more is begun."""


class Ended(NamedTuple):
    """What a command came to."""

    code: int
    said: bytes


class Runner:
    """All commands that are under way."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._running: set[int] = set()  # pidfds
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

    async def start(self, command: tuple[str, ...], patience: float) -> Ended | None:
        """Run it."""
        if len(self._running) >= self._most:
            raise BusyError(f"{self._most} deliveries are under way")
        # in memory, not in a pipe: who is not read any more must not be ended by that
        said = os.memfd_create("exim", os.MFD_CLOEXEC)
        try:
            process = os.posix_spawn(
                command[0], command, self._environment, file_actions=_streams(said), setsid=True
            )
        except BaseException:
            os.close(said)
            raise
        return await self._end_of(process, said, patience)

    async def _end_of(self, process: int, said: int, patience: float) -> Ended | None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Ended] = loop.create_future()
        watch = os.pidfd_open(process)
        self._running.add(watch)

        def gone() -> None:
            loop.remove_reader(watch)
            self._running.discard(watch)
            os.close(watch)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            words = os.pread(said, _KEPT, 0)
            os.close(said)
            if not ended.done():
                ended.set_result(Ended(code, words))

        loop.add_reader(watch, gone)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                return await ended
        return None


def _streams(said: int) -> list[tuple[Any, ...]]:
    """Nothing to read; what is said goes there."""
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    return [nothing, (os.POSIX_SPAWN_DUP2, said, 1), (os.POSIX_SPAWN_DUP2, said, 2)]
