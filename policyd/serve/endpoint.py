"""What every data socket has in common: connections are counted, bounded and never idle-closed.

Contract: an `Endpoint` is shared by all listeners of one protocol and makes a `HookProtocol` for
each connection. A subclass turns bytes into answers in `data_received`, at once, without a task: no
answer waits for anything. A client that asks but does not read is not read from either
(back-pressure). A healthy connection is never closed by us before the client does.
Failure: what cannot be answered is counted and logged by `Faults`; a peer that does not speak the
protocol loses its connection, and a connection beyond `max_connections` is closed at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from policyd.serve.faults import Faults
from policyd.serve.session import HookCounts, Session

__all__ = ["Endpoint", "HookProtocol"]


class Endpoint:
    """The part of one protocol that outlives its connections."""

    def __init__(
        self,
        hook: str,
        *,
        clock: Callable[[], float],
        max_connections: int = 4096,
        closed: Callable[[Session], None] | None = None,
    ) -> None:
        self.hook = hook
        self.clock = clock
        self.counts = HookCounts()
        self.faults = Faults(hook, self.counts)
        self.max_connections = max_connections
        self.closed = closed
        self._open: set[asyncio.Transport] = set()
        self._ended = False

    def protocol(self) -> HookProtocol:
        """Make the protocol object of one connection."""
        raise NotImplementedError

    def enter(self, transport: asyncio.Transport) -> Session | None:
        """Count a new connection; None: there are too many already."""
        counts = self.counts
        counts.opened += 1
        session = Session(counts.opened, _name_of(transport))
        if self._ended:
            return None  # accepted by the kernel while the daemon was stopping
        if len(self._open) >= self.max_connections:
            what = f"more than {self.max_connections} connections"
            self.faults.note("connections", session.peer, what, self.clock())
            return None
        self._open.add(transport)
        counts.connections = len(self._open)
        return session

    def leave(self, transport: asyncio.Transport, session: Session) -> None:
        """Count a connection that has ended, and tell who wants to know."""
        self._open.discard(transport)
        self.counts.connections = len(self._open)
        if self.closed is not None:
            self.closed(session)

    def close(self) -> None:
        """End every connection: the daemon stops, and the clients shall ask the next one."""
        self._ended = True
        for transport in tuple(self._open):
            transport.close()


class HookProtocol(asyncio.Protocol):
    """One connection; `transport` and `session` are there from `connection_made` on."""

    __slots__ = ("endpoint", "session", "transport")

    transport: asyncio.Transport
    session: Session

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        session = self.endpoint.enter(self.transport)
        self.session = session or Session()
        if session is None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.endpoint.leave(self.transport, self.session)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def refuse(self, kind: str, what: object) -> None:
        """Note a peer that does not speak the protocol, and end its connection."""
        self.endpoint.faults.note(kind, self.session.peer, what, self.endpoint.clock())
        self.transport.close()


def _name_of(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) > 1 else "unix"
