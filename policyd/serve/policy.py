"""The policy delegation server: attributes and an empty line in, `action=…` and an empty line out.

Contract: `Reader` cuts the stream into requests without a socket; a `Request` finds an attribute
only when it is asked for (most requests are decided by two of thirty). A handler is
`(request, session) -> action`. `OK`, `RELAY`, `PERMIT` and bare numbers would end Postfix's
restriction list, so they are never passed on: the answer without an opinion is `DUNNO`.
Failure: fails open. A handler that raises or says what it must not is answered `DUNNO`, counted and
logged; a request that is too long or has a NUL closes the connection after the answers before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from policyd.serve.endpoint import Endpoint, HookProtocol
from policyd.serve.session import Session

__all__ = ["DUNNO", "Handler", "PolicyEndpoint", "PolicyProtocol", "Reader", "Request"]

DUNNO = b"DUNNO"
_DUNNO = b"action=DUNNO\n\n"
_NO_OPINION = ("policy", "DUNNO")
_LARGEST = 65_536  # a request of Postfix has about 1 kB; a hostile sender may stretch it to 16
_END = re.compile(rb"\n\n").search  # three times as quick as bytes.find with so short a needle
# whole actions we ever use, on one line, in ASCII (SMTPUTF8 rejects broken UTF-8)
_ALLOWED = re.compile(
    rb"(?:DUNNO|HOLD(?: [ -~]*)?|(?:DEFER_IF_PERMIT|DEFER|REJECT|WARN|INFO)(?: [ -~]+)?"
    rb"|FILTER [!-~]+:[ -~]*|PREPEND [!-9;-~]+: [ -~]+|[45][0-9][0-9] [ -~]+)"
)


class Request:
    """One request, as it came; attributes are looked up by name."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw  # lines, the last one with its line feed

    def get(self, name: bytes) -> bytes:
        """The value of one attribute, the first if it is repeated; b"" when it is missing."""
        raw, sign = self.raw, b"\n%b=" % name
        if raw.startswith(sign[1:]):
            start = len(sign) - 1
        elif (start := raw.find(sign)) >= 0:
            start += len(sign)
        else:
            return b""
        return raw[start : raw.find(b"\n", start)]

    def attributes(self) -> dict[bytes, bytes]:
        """All of them, for a log line or a test; too slow for each request."""
        pairs = (line.partition(b"=") for line in reversed(self.raw.split(b"\n")))
        return {name: value for name, sign, value in pairs if sign}


class Reader:
    """Collects pieces of a stream and hands out whole requests in order."""

    __slots__ = ("_held", "_limit", "fault")

    def __init__(self, limit: int = _LARGEST) -> None:
        self.fault: str | None = None
        self._limit = limit
        self._held = bytearray()  # grows in place: a request may come byte by byte

    def feed(self, data: bytes) -> list[Request]:
        """Add `data`; return every request completed by it."""
        if self.fault is not None:
            return []
        held = self._held
        if held:
            seen = len(held) - 1  # the end of a request may be cut in two
            held += data
            if _END(held, seen) is None:
                self._check_part(held)
                return []
            data = bytes(held)
            held.clear()
        found: list[Request] = []
        start = 0
        while (end := _END(data, start)) is not None:
            raw = data[start : end.end() - 1]
            if not self._takes(raw):
                return found
            found.append(Request(raw))
            start = end.end()
        if start < len(data):
            held += data[start:]
            self._check_part(held)
        return found

    def one(self, data: bytes) -> Request | None:
        """The request, if nothing is held and `data` is just one, as nearly every read is.

        None: nothing was taken, `feed` it.
        """
        end, size = _END(data), len(data)
        if end is None or end.end() != size or self._held or self.fault is not None:
            return None
        if data[0] == 0x0A or 0 in data or size > self._limit:
            return None
        return Request(data[:-1])

    def _takes(self, raw: bytes) -> bool:
        if 0 in raw:
            self.fault = "a NUL in a request"
        else:
            self._check_part(raw)
        return self.fault is None

    def _check_part(self, part: bytes | bytearray) -> None:
        if len(part) > self._limit:
            self.fault = f"a request longer than {self._limit} bytes"
        elif part[:1] == b"\n":
            self.fault = "an empty request"


Handler = Callable[[Request, Session], bytes]


class PolicyEndpoint(Endpoint):
    """The handler and the way of one request."""

    def __init__(
        self,
        handler: Handler,
        *,
        clock: Callable[[], float],
        max_connections: int = 4096,
        closed: Callable[[Session], None] | None = None,
    ) -> None:
        super().__init__("policy", clock=clock, max_connections=max_connections, closed=closed)
        self._handler = handler

    def protocol(self) -> PolicyProtocol:
        """Make the protocol object of one connection."""
        return PolicyProtocol(self)

    def answer(self, request: Request, session: Session) -> bytes:
        """One request to one framed answer; never raises."""
        answers = self.counts.answers
        try:
            action = self._handler(request, session)
            if action is DUNNO:
                answers[_NO_OPINION] += 1
                return _DUNNO
            if _ALLOWED.fullmatch(action):
                answers["policy", action.partition(b" ")[0].decode()] += 1
                return b"action=%b\n\n" % action
            self.faults.note("answer", session.peer, repr(action[:80]), self.clock())
        except Exception as error:  # an edge: whatever happens inside, Postfix gets the safe answer
            self.faults.note("handler", session.peer, repr(error), self.clock())
        return _DUNNO


class PolicyProtocol(HookProtocol):
    """One client process (an smtpd) that asks for policy."""

    __slots__ = ("_reader",)

    endpoint: PolicyEndpoint

    def __init__(self, endpoint: PolicyEndpoint) -> None:
        super().__init__(endpoint)
        self._reader = Reader()

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
