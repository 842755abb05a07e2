"""The service that has the right to move Exim's queue, and does nothing else (`mxheed exim-hand`).

The daemon lives in a sandbox in which `exim`, which is setuid, loses its rights. So this runs
outside of it: no configuration, no state, no log, no network; a line in, a command of Exim's, its
exit code and words out. Only whoever may open the socket can ask. What it begins outlives it.

Contract: `serve` answers on a listening socket until it is cancelled. `policyd.exim.remote` has the
form. Failure: what is no request gets no answer; what cannot be run is told as exit code 127.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import suppress

from policyd.exim.hand import EximCommand
from policyd.exim.remote import request
from policyd.exim.running import BusyError, Ended

__all__ = ["HandService", "serve"]

_LINE = 256  # bytes
_PATIENCE = 5.0  # seconds for a request to come
_PATH = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"


class HandService:
    """One Exim."""

    def __init__(self, command: str = "") -> None:
        self._exim = EximCommand(command, lambda name: shutil.which(name, path=_PATH))

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request."""
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_PATIENCE):
                    line = await reader.readuntil(b"\n")
                if (asked := request(line)) is not None:
                    ended = await self._done(*asked)
                    writer.write(b"%d\n%b" % (ended.code, ended.said))
                    await writer.drain()
        finally:
            writer.close()

    async def _done(self, verb: str, ids: tuple[str, ...]) -> Ended:
        try:
            return await self._exim.ask(verb, ids)
        except (OSError, BusyError) as wrong:
            said = getattr(wrong, "strerror", None) or str(wrong)
            return Ended(127, said.encode())


async def serve(listener: socket.socket, command: str = "") -> None:
    """For ever."""
    service = HandService(command)
    server = await asyncio.start_unix_server(service.client, sock=listener, limit=_LINE)
    async with server:
        await server.serve_forever()
