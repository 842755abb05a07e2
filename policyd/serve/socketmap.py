"""The socketmap server: `NAME key` in a netstring, `OK data` or `NOTFOUND ` in another.

Contract: a handler is `(key, session, pool) -> payload`, found by map name; `mx/two` asks the map
`mx` for the address pool `two`. The wildcard key `*`, which Postfix asks for on its own, is never
handed to a handler. The answers `TEMP`, `TIMEOUT` and `PERM` stop mail, so they are not passed on
unless `may_fail` says so.
Failure: an unknown map, a handler that raises and a payload that is none are answered `NOTFOUND `,
counted and logged; bytes that are no netstring close the connection after the answers before them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from policyd.serve.endpoint import Endpoint, HookProtocol
from policyd.serve.netstring import Reader, encode
from policyd.serve.session import Session

__all__ = ["NOTFOUND", "Handler", "SocketmapEndpoint", "SocketmapProtocol"]

Handler = Callable[[bytes, Session, str], bytes]
_Route = tuple[Handler, str, tuple[str, str]]  # the handler, the pool, what a miss is counted as

NOTFOUND = b"NOTFOUND "
_NOTFOUND = encode(NOTFOUND)
_LARGEST_KEY = 10_000  # Postfix sends no longer one (socketmap_max_query_size)
_LARGEST_REPLY = 100_000  # and takes no longer answer (socketmap_max_reply_size)
_MOST_ROUTES = 256


class SocketmapEndpoint(Endpoint):
    """The maps, by name, and the way of one question."""

    def __init__(
        self,
        maps: Mapping[str, Handler],
        *,
        clock: Callable[[], float],
        max_connections: int = 4096,
        closed: Callable[[Session], None] | None = None,
        may_fail: bool = False,
    ) -> None:
        super().__init__("socketmap", clock=clock, max_connections=max_connections, closed=closed)
        self._maps = dict(maps)
        self._may_fail = may_fail
        self._routes: dict[bytes, _Route] = {}

    def protocol(self) -> SocketmapProtocol:
        """Make the protocol object of one connection."""
        return SocketmapProtocol(self)

    def answer(self, request: bytes, session: Session) -> bytes:
        """One request to one framed answer; never raises."""
        name, _, key = request.partition(b" ")
        route = self._routes.get(name)
        if route is None and (route := self._find(name, session)) is None:
            return _NOTFOUND
        handler, pool, notfound = route
        try:
            if key == b"*" or (payload := handler(key, session, pool)) == NOTFOUND:
                self.counts.answers[notfound] += 1
                return _NOTFOUND
            return self._checked(payload, session, notfound[0])
        except Exception as error:  # an edge: whatever happens inside, Postfix gets the safe answer
            self.faults.note("handler", session.peer, repr(error), self.clock())
        return _NOTFOUND

    def _checked(self, payload: bytes, session: Session, asked: str) -> bytes:
        word = bytes(payload).partition(b" ")[0]
        allowed = word == b"OK" or (self._may_fail and word in (b"TEMP", b"TIMEOUT", b"PERM"))
        if allowed and len(payload) <= _LARGEST_REPLY:
            self.counts.answers[asked, word.decode()] += 1
            return encode(payload)
        self.faults.note("answer", session.peer, repr(payload[:80]), self.clock())
        return _NOTFOUND

    def _find(self, name: bytes, session: Session) -> _Route | None:
        base, _, pool = name.decode("ascii", "replace").partition("/")
        handler = self._maps.get(base)
        if handler is None or (pool and not pool.isprintable()):
            self.faults.note("map", session.peer, f"no map {name[:40]!r}", self.clock())
            return None
        route = (handler, pool, (base, "NOTFOUND"))
        if len(self._routes) < _MOST_ROUTES:
            self._routes[name] = route
        return route


class SocketmapProtocol(HookProtocol):
    """One client process that asks socketmap questions."""

    __slots__ = ("_reader",)

    endpoint: SocketmapEndpoint

    def __init__(self, endpoint: SocketmapEndpoint) -> None:
        super().__init__(endpoint)
        self._reader = Reader(_LARGEST_KEY)

    def data_received(self, data: bytes) -> None:
        reader, session = self._reader, self.session
        if (single := reader.one(data)) is not None:
            self.transport.write(self.endpoint.answer(single, session))
            return
        answer = self.endpoint.answer
        if requests := reader.feed(data):
            self.transport.write(b"".join([answer(request, session) for request in requests]))
        if reader.fault is not None:
            self.refuse("framing", reader.fault)
