"""The socketmap server: `NAME key` in a netstring, `OK data` or `NOTFOUND ` in another.

Contract: a handler is `(key, session, pool) -> payload`, found by map name; `mx/two` asks the map
`mx` for the address pool `two`. The wildcard key `*`, which Postfix asks for on its own, is never
handed to a handler. A payload that comes `Later` keeps the questions behind it on its connection
waiting, and nobody else. The answers `TEMP`, `TIMEOUT` and `PERM` stop mail, so they are not passed
on unless `may_fail` says so.
Failure: an unknown map, a handler that raises and a payload that is none are answered `NOTFOUND `,
counted and logged; bytes that are no netstring close the connection after the answers before them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Unpack

from policyd.serve.endpoint import Endpoint, EndpointOptions
from policyd.serve.later import Later
from policyd.serve.netstring import NetstringReader, encode
from policyd.serve.session import Asked, Session

__all__ = ["NOTFOUND", "Handler", "SocketmapEndpoint"]

Handler = Callable[[bytes, Session, str], bytes | Later]
_Route = tuple[Handler, str, Asked]  # the handler, the pool, where it is counted

NOTFOUND = b"NOTFOUND "
_NOTFOUND = encode(NOTFOUND)
_LARGEST_KEY = 10_000  # Postfix sends no longer one (socketmap_max_query_size)
_LARGEST_REPLY = 100_000  # and takes no longer answer (socketmap_max_reply_size)
_MOST_ROUTES = 256


class SocketmapEndpoint(Endpoint[bytes]):
    """The maps, by name, and the way of one question."""

    def __init__(
        self,
        maps: Mapping[str, Handler],
        *,
        clock: Callable[[], float],
        may_fail: bool = False,
        **usual: Unpack[EndpointOptions],
    ) -> None:
        super().__init__("socketmap", clock=clock, **usual)
        self._maps = dict(maps)
        self._may_fail = may_fail
        self._routes: dict[bytes, _Route] = {}

    def reader(self) -> NetstringReader:
        return NetstringReader(_LARGEST_KEY)

    def answer(self, request: bytes, session: Session, began: float) -> bytes | Later:
        """One request to one framed answer, now or later; never raises."""
        name, _, key = request.partition(b" ")
        route = self._routes.get(name)
        if route is None and (route := self._find(name, session)) is None:
            return _NOTFOUND
        handler, pool, asked = route
        try:
            if key == b"*" or (payload := handler(key, session, pool)) == NOTFOUND:
                asked.answered("NOTFOUND", began, self.ticks())
                return _NOTFOUND
            if isinstance(payload, Later):
                return payload.made(lambda late: self._sent(late, session, asked, began))
            return self._sent(payload, session, asked, began)
        except Exception as error:  # an edge: whatever happens inside, Postfix gets the safe answer
            self.faults.note("handler", session.peer, repr(error), self.clock())
        return _NOTFOUND

    def _sent(self, payload: bytes, session: Session, asked: Asked, began: float) -> bytes:
        now = self.ticks()
        if payload == NOTFOUND:
            asked.answered("NOTFOUND", began, now)
            return _NOTFOUND
        word = bytes(payload).partition(b" ")[0]
        allowed = word == b"OK" or (self._may_fail and word in (b"TEMP", b"TIMEOUT", b"PERM"))
        if allowed and len(payload) <= _LARGEST_REPLY:
            asked.answered(word.decode(), began, now)
            return encode(payload)
        asked.answered(None, began, now)
        self.faults.note("answer", session.peer, repr(payload[:80]), self.clock())
        return _NOTFOUND

    def _find(self, name: bytes, session: Session) -> _Route | None:
        base, _, pool = name.decode("ascii", "replace").partition("/")
        handler = self._maps.get(base)
        if handler is None or (pool and not pool.isprintable()):
            self.faults.note("map", session.peer, f"no map {name[:40]!r}", self.clock())
            return None
        route = (handler, pool, self.counts.of(base))
        if len(self._routes) < _MOST_ROUTES:
            self._routes[name] = route
        return route
