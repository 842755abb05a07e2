"""Answer on the sockets: what the daemon calls to be asked.

Contract: `serve(settings, services, listeners)` returns when everything is answered;
`Servers.addresses` says where, `close()` ends it and closes the listeners.
Failure: none of its own; what cannot be answered is the endpoints' and the pages' matter.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from policyd.serve.accept import Acceptor
from policyd.serve.endpoint import Endpoint, EndpointOptions
from policyd.serve.listeners import Listeners
from policyd.serve.policy import PolicyEndpoint
from policyd.serve.readsocket import ReadsocketEndpoint
from policyd.serve.session import HookCounts
from policyd.serve.settings import ServeSettings
from policyd.serve.socketmap import SocketmapEndpoint
from policyd.serve.turns import Turns
from policyd.web import control as control_api
from policyd.web import http
from policyd.web.guest import WebServer
from policyd.web.hosts import OurNames
from policyd.web.ports import Services

__all__ = ["Servers", "serve"]


@dataclass(slots=True)
class Servers:
    """What answers."""

    addresses: dict[str, list[str]] = field(default_factory=dict)  # by name, as Postfix writes them
    counts: dict[str, HookCounts] = field(default_factory=dict)  # by hook
    _listeners: Listeners = field(default_factory=Listeners)
    _endpoints: list[Endpoint[Any]] = field(default_factory=list)
    _acceptors: list[Acceptor] = field(default_factory=list)
    _web: list[WebServer] = field(default_factory=list)

    async def close(self, *, listening: bool = False) -> None:
        """End the connections; stop listening, unless somebody else shall answer there."""
        if not listening:
            self._listeners.close()
        for acceptor in self._acceptors:
            acceptor.close()
        for endpoint in self._endpoints:
            endpoint.close()
        await asyncio.gather(*(web.stop() for web in self._web))


async def serve(settings: ServeSettings, services: Services, listeners: Listeners) -> Servers:
    """Answer on all listeners."""
    servers, turns = Servers(listeners.addresses, _listeners=listeners), Turns()
    try:
        _hooks(servers, settings, services, turns)
        pages = OurNames(http.app(services, turns), settings.http_hosts)
        await _publish(servers, pages, "http", listeners.shares.http)
        if services.control is not None:
            own = control_api.app(services.control, services.wall or services.clock)
            await _publish(servers, own, "control", listeners.shares.control)
    except BaseException:
        await servers.close()
        raise
    return servers


def _hooks(servers: Servers, settings: ServeSettings, ask: Services, turns: Turns) -> None:
    most = servers._listeners.shares.hook
    usual: EndpointOptions = {
        "max_connections": most,
        "max_per_peer": min(most, settings.max_per_peer),
        "turns": turns,
    }
    told: EndpointOptions = {**usual, "closed": ask.closed}
    maps = SocketmapEndpoint(ask.maps, clock=ask.clock, may_fail=settings.may_fail, **told)
    policy = PolicyEndpoint(ask.policy, clock=ask.clock, **usual)
    exim = ReadsocketEndpoint(ask.exim, clock=ask.clock, **usual)
    endpoints: tuple[Endpoint[Any], ...] = (maps, policy, exim)
    for endpoint in endpoints:
        servers._endpoints.append(endpoint)
        servers.counts[endpoint.hook] = endpoint.counts
        for listener in servers._listeners.sockets[endpoint.hook]:
            servers._acceptors.append(Acceptor(listener.dup(), endpoint.protocol))


async def _publish(servers: Servers, app: ASGIApp, name: str, most: int) -> None:
    web = WebServer(app, most)
    servers._web.append(web)
    await web.start([listener.dup() for listener in servers._listeners.sockets[name]])
