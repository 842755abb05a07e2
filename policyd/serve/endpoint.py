"""What every data socket has in common: connections are counted, bounded, and served in turn.

Contract: an `Endpoint` is shared by all listeners of one protocol and makes a `HookProtocol` for
each connection. A subclass has the framing (`reader`) and the answers (`answer`): no answer waits
for anything. A healthy connection is never closed by us before the client does, unless its place is
needed (`Places`).
Failure: what cannot be answered is counted and logged by `Faults`; a connection that finds no place
is closed at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypedDict, TypeVar

from policyd.serve.connection import READ, HookProtocol, Reader
from policyd.serve.faults import Faults
from policyd.serve.later import Later
from policyd.serve.peer import Peer
from policyd.serve.places import Places
from policyd.serve.session import HookCounts, Session
from policyd.serve.turns import Turns

__all__ = ["Endpoint", "EndpointOptions"]

Q = TypeVar("Q")  # a question, as the reader gives it


class EndpointOptions(TypedDict, total=False):
    """What every endpoint may be told."""

    max_connections: int  # over TCP, and as many over unix sockets
    max_per_peer: int
    closed: Callable[[Session], None] | None
    turns: Turns | None
    ticks: Callable[[], float]


class Endpoint(Generic[Q]):
    """The part of one protocol that outlives its connections."""

    def __init__(
        self,
        hook: str,
        *,
        clock: Callable[[], float],
        max_connections: int = 4096,
        max_per_peer: int = 1024,
        closed: Callable[[Session], None] | None = None,
        turns: Turns | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` is the daemon's; `ticks`, read twice for each question, is the quickest."""
        self.hook = hook
        self.clock = clock
        self.ticks = ticks
        self.counts = HookCounts(behind=lambda: clock() - ticks())
        self.faults = Faults(hook, self.counts)
        self.closed = closed
        self.turns = turns if turns is not None else Turns()
        self.room = memoryview(bytearray(READ))  # reads come one after the other: one for all
        self._places = {kind: Places(max_connections, max_per_peer) for kind in ("inet", "unix")}
        self._most = max_connections
        self._open: set[HookProtocol[Q]] = set()
        self._ended = False

    def reader(self) -> Reader[Q]:
        """The framing of one connection."""
        raise NotImplementedError

    def answer(self, question: Q, session: Session, began: float) -> bytes | Later:
        """One question, asked when it `began`, to one framed answer, now or later; never raises."""
        raise NotImplementedError

    def protocol(self) -> HookProtocol[Q]:
        """Make the protocol object of one connection."""
        return HookProtocol(self)

    def enter(self, guest: HookProtocol[Q], peer: Peer) -> Session | None:
        """Count a new connection; None: there is no place for it."""
        counts = self.counts
        counts.opened += 1
        session = Session(counts.opened, peer.name, peer.process)
        if self._ended:
            return None  # accepted by the kernel while the daemon was stopping
        if not self._places[peer.kind].enter(guest, guest.last):
            what = f"no place: {len(self._places[peer.kind])} connections are in use"
            self.faults.note("connections", session.peer, what, self.clock())
            return None
        self._open.add(guest)
        counts.connections = len(self._open)
        return session

    def leave(self, guest: HookProtocol[Q]) -> None:
        """Count a connection that has ended, and tell who wants to know."""
        self._places[guest.kind].leave(guest)
        self._open.discard(guest)
        self.counts.connections = len(self._open)
        if self.closed is not None:
            self.closed(guest.session)

    def close(self) -> None:
        """End every connection: the daemon stops, and the clients shall ask the next one."""
        self._ended = True
        for guest in tuple(self._open):
            guest.transport.close()
