"""Answer on the sockets: what the daemon calls to be asked.

Contract: `serve(settings, services, listeners)` returns when everything is answered;
`Servers.addresses` says where, `close()` ends it and closes the listeners.
Failure: none of its own; what cannot be answered is the endpoints' and the pages' matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette

from policyd.serve import control as control_api
from policyd.serve import http
from policyd.serve.endpoint import Endpoint
from policyd.serve.listen import BACKLOG
from policyd.serve.listeners import Listeners
from policyd.serve.policy import PolicyEndpoint
from policyd.serve.ports import Services
from policyd.serve.session import HookCounts
from policyd.serve.settings import ServeSettings
from policyd.serve.socketmap import SocketmapEndpoint

__all__ = ["Servers", "serve"]


@dataclass(slots=True)
class Servers:
    """What answers."""

    addresses: dict[str, list[str]] = field(default_factory=dict)  # by name, as Postfix writes them
    counts: dict[str, HookCounts] = field(default_factory=dict)  # by hook
    _listeners: Listeners = field(default_factory=Listeners)
    _endpoints: list[Endpoint] = field(default_factory=list)
    _servers: list[asyncio.AbstractServer] = field(default_factory=list)
    _web: list[_Web] = field(default_factory=list)

    async def close(self) -> None:
        """Stop listening, end the connections, take our unix sockets away."""
        self._listeners.close()
        for server in self._servers:
            server.close()
        for endpoint in self._endpoints:
            endpoint.close()
        await asyncio.gather(*(web.stop() for web in self._web))


async def serve(settings: ServeSettings, services: Services, listeners: Listeners) -> Servers:
    """Answer on all listeners."""
    servers = Servers(listeners.addresses, _listeners=listeners)
    try:
        await _hooks(servers, settings, services)
        await _publish(servers, http.app(services), listeners.sockets["http"])
        if services.control is not None:
            own = control_api.app(services.control, services.wall or services.clock)
            await _publish(servers, own, listeners.sockets["control"])
    except BaseException:
        await servers.close()
        raise
    return servers


async def _hooks(servers: Servers, settings: ServeSettings, ask: Services) -> None:
    most = settings.max_connections
    maps = SocketmapEndpoint(
        ask.maps,
        clock=ask.clock,
        max_connections=most,
        closed=ask.closed,
        may_fail=settings.may_fail,
    )
    policy = PolicyEndpoint(ask.policy, clock=ask.clock, max_connections=most)
    for endpoint in (maps, policy):
        servers._endpoints.append(endpoint)
        servers.counts[endpoint.hook] = endpoint.counts
        for listener in servers._listeners.sockets[endpoint.hook]:
            servers._servers.append(await _listen(endpoint.protocol, listener.dup()))


async def _listen(
    factory: Callable[[], asyncio.Protocol], listener: socket.socket
) -> asyncio.AbstractServer:
    loop = asyncio.get_running_loop()
    if listener.family == socket.AF_UNIX:
        return await loop.create_unix_server(factory, sock=listener, backlog=BACKLOG)
    return await loop.create_server(factory, sock=listener, backlog=BACKLOG)


async def _publish(servers: Servers, app: Starlette, listeners: list[socket.socket]) -> None:
    web = _Web(app)
    servers._web.append(web)
    await web.start([listener.dup() for listener in listeners])


class _Web(uvicorn.Server):
    """One uvicorn inside our loop; signals stay with the daemon."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
            )
        )
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start(self, listeners: list[socket.socket]) -> None:
        """Serve in a task of its own; returns when it accepts connections."""
        self._task = asyncio.create_task(self.serve(sockets=listeners))
        while not self.started and not self._task.done():
            await asyncio.sleep(0)
        if self._task.done():
            await self._task

    async def main_loop(self) -> None:
        """Tick once a second, for the Date header's sake: uvicorn's own loop wakes ten times."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 1.0)

    async def stop(self) -> None:
        """Let requests finish, then end."""
        self.should_exit = True
        self._ended.set()
        if self._task is not None:
            await self._task
