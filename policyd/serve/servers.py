"""Open all sockets and answer on them: what the daemon calls to be asked.

Contract: `serve(settings, services, passed)` returns when everything listens; `Servers.addresses`
says where, `close()` ends it and takes our unix sockets away. Sockets passed by systemd, named
`socketmap`, `policy`, `http` or `control`, stand in for the configured addresses of that name and
stay open for the next start.
Failure: `ListenError` for an address that cannot be opened; what was open until then is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette

from policyd.errors import ListenError
from policyd.serve import control as control_api
from policyd.serve import http
from policyd.serve.endpoint import Endpoint
from policyd.serve.listen import BACKLOG, open_socket, parse, remove
from policyd.serve.paths import control_path
from policyd.serve.policy import PolicyEndpoint
from policyd.serve.ports import Services
from policyd.serve.session import HookCounts
from policyd.serve.settings import ServeSettings
from policyd.serve.socketmap import SocketmapEndpoint

__all__ = ["NAMES", "Servers", "serve"]

NAMES = ("socketmap", "policy", "http", "control")

Passed = Mapping[str, list[socket.socket]]
_Loop = asyncio.AbstractEventLoop


@dataclass(slots=True)
class Servers:
    """What listens."""

    addresses: dict[str, list[str]] = field(default_factory=dict)  # by name, as Postfix writes them
    counts: dict[str, HookCounts] = field(default_factory=dict)  # by hook
    _endpoints: list[Endpoint] = field(default_factory=list)
    _listeners: list[asyncio.AbstractServer] = field(default_factory=list)
    _web: list[_Web] = field(default_factory=list)
    _paths: list[tuple[str, int]] = field(default_factory=list)

    async def close(self) -> None:
        """Stop listening, end the connections, take our unix sockets away."""
        for path, inode in self._paths:
            remove(path, inode)
        for listener in self._listeners:
            listener.close()
        for endpoint in self._endpoints:
            endpoint.close()
        await asyncio.gather(*(web.stop() for web in self._web))


async def serve(
    settings: ServeSettings, services: Services, passed: Passed | None = None
) -> Servers:
    """Open everything that `settings` names and answer on it."""
    passed = passed or {}
    if unknown := sorted(set(passed) - set(NAMES)):
        raise ListenError(
            f"systemd passed a socket named {unknown[0]!r}; "
            f"FileDescriptorName must be one of {', '.join(NAMES)}"
        )
    servers = Servers()
    try:
        await _hooks(servers, settings, services, passed)
        await _pages(servers, settings, services, passed)
    except BaseException:
        await servers.close()
        raise
    return servers


async def _hooks(servers: Servers, settings: ServeSettings, ask: Services, passed: Passed) -> None:
    most = settings.max_connections
    maps = SocketmapEndpoint(
        ask.maps,
        clock=ask.clock,
        max_connections=most,
        closed=ask.closed,
        may_fail=settings.may_fail,
    )
    policy = PolicyEndpoint(ask.policy, clock=ask.clock, max_connections=most)
    for endpoint, texts in ((maps, settings.socketmap), (policy, settings.policy)):
        servers._endpoints.append(endpoint)
        servers.counts[endpoint.hook] = endpoint.counts
        mode = int(settings.mode, 8)
        for listener in _sockets(servers, endpoint.hook, texts, passed, mode, settings.group):
            servers._listeners.append(await _listen(endpoint.protocol, listener))


async def _pages(servers: Servers, settings: ServeSettings, ask: Services, passed: Passed) -> None:
    listeners = _sockets(servers, "http", settings.http, passed, 0o660, settings.group)
    await _publish(servers, http.app(ask), list(listeners))
    if ask.control is None:
        return
    path = control_path(settings.control, os.environ, os.geteuid())
    mode = 0o660 if settings.control_group else 0o600
    texts = (f"unix:{path}",)
    own = _sockets(servers, "control", texts, passed, mode, settings.control_group)
    await _publish(servers, control_api.app(ask.control, ask.clock), list(own))


def _sockets(
    servers: Servers, name: str, texts: tuple[str, ...], passed: Passed, mode: int, group: str
) -> Iterator[socket.socket]:
    told = servers.addresses.setdefault(name, [])
    if name in passed:
        for listener in passed[name]:
            told.append(_where(listener))
            # a copy: closing ours must not close systemd's way to the next start
            yield listener.dup()
        return
    for address in map(parse, texts):
        listener = open_socket(address, mode=mode, group=group)
        if address.path:
            servers._paths.append((address.path, os.stat(address.path).st_ino))
        told.append(str(address) if address.path else _where(listener))
        yield listener


def _where(listener: socket.socket) -> str:
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"inet:{host}:{name[1]}"


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
    await web.start(listeners)


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

    async def stop(self) -> None:
        """Let requests finish, then end."""
        self.should_exit = True
        if self._task is not None:
            await self._task
