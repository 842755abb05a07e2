"""uvicorn as a guest in our loop: it may take little, and nothing that the hooks need.

Contract: a `WebServer` serves one application, one request of a connection at a time. It has `most`
places; a connection that makes nobody answer for `PATIENCE` seconds (no request, half
a request, a kept one) is ended, and so is one whose answer is not read within `LONGEST`.
Failure: a connection that finds no place is closed at once; see `Places` for who makes way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Hashable, Iterator
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from policyd.serve.accept import Acceptor
from policyd.serve.peer import peer_of
from policyd.serve.places import Places

__all__ = ["LONGEST", "PATIENCE", "TICK", "WebServer"]

PATIENCE = 15.0  # seconds
LONGEST = 30.0
TICK = 1.0
_LARGEST_HEAD = 16_384
# a stranger's garbage is no news
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class _Visitor(H11Protocol):
    """One connection. h11 looks at a request only when the one before is answered."""

    def __init__(self, places: Places, **usual: Any) -> None:
        super().__init__(**usual)
        self._places = places
        self.peer: Hashable | None = None
        self.asked = 0
        self.last = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether it is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.peer = peer_of(transport).owner
        if not self._places.enter(self, self.last):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._places.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.busy
        super().data_received(data)
        if self.busy and not before:
            self.last = time.monotonic()

    def on_response_complete(self) -> None:
        self.asked += 1
        self.last = time.monotonic()
        super().on_response_complete()

    def send_away(self, now: float) -> None:
        """Its place is needed, or it has had its time."""
        self.transport.abort()

    def look(self, now: float) -> None:
        """End it if nothing comes of it."""
        if now - self.last > (LONGEST if self.busy else PATIENCE):
            self.send_away(now)


class _OneByOne:
    """Begins one request in each turn of the loop, however many come at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._turn:
            await asyncio.sleep(0)
        await self._app(scope, receive, send)


class WebServer(uvicorn.Server):
    """One application; signals stay with the daemon."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        super().__init__(
            uvicorn.Config(
                _OneByOne(app),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                h11_max_incomplete_event_size=_LARGEST_HEAD,
                timeout_keep_alive=int(2 * PATIENCE),  # ours is sooner
                timeout_graceful_shutdown=1,
            )
        )
        self._places = Places(most, max(1, most // 2))
        self._acceptors: list[Acceptor] = []
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start(self, listeners: list[socket.socket]) -> None:
        """Serve in a task of its own; returns when it accepts connections."""
        self._task = asyncio.create_task(self.serve(sockets=[]))
        while not self.started and not self._task.done():
            await asyncio.sleep(0)
        if self._task.done():
            await self._task
        self._acceptors += [Acceptor(listener, self._enter) for listener in listeners]

    def _enter(self) -> asyncio.Protocol:
        return _Visitor(
            self._places, config=self.config, server_state=self.server_state, app_state={}
        )

    async def main_loop(self) -> None:
        """Tick, once a second: for the Date header's sake, and to look after the connections."""
        while not await self.on_tick(0):
            now = time.monotonic()
            for visitor in tuple(self.server_state.connections):
                cast(_Visitor, visitor).look(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._ended.wait()

    async def stop(self) -> None:
        """Let requests finish, then end."""
        for acceptor in self._acceptors:
            acceptor.close()
        self.should_exit = True
        self._ended.set()
        if self._task is not None:
            await self._task
