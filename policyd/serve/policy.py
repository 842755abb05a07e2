"""The policy delegation server: attributes and an empty line in, `action=…` and an empty line out.

Contract: `RequestReader` cuts the stream into requests without a socket; a `Request` finds an
attribute only when it is asked for (most requests are decided by two of thirty). A handler is
`(request, session) -> action`. `OK`, `RELAY`, `PERMIT` and bare numbers would end Postfix's
restriction list, so they are never passed on: the answer without an opinion is `DUNNO`.
Failure: fails open. A handler that raises or says what it must not is answered `DUNNO`, counted and
logged; a request that is too long or has a NUL closes the connection after the answers before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Unpack

from policyd.serve.endpoint import Endpoint, EndpointOptions
from policyd.serve.session import Session

__all__ = ["DUNNO", "Handler", "PolicyEndpoint", "Request", "RequestReader"]

DUNNO = b"DUNNO"
_DUNNO = b"action=DUNNO\n\n"
_LARGEST = 65_536  # a request of Postfix has about 1 kB; a hostile sender may stretch it to 16
# three times as quick as bytes.find with so short a needle
_USUAL_END = re.compile(rb"\n\n").search
_END = re.compile(rb"\n\r?\n").search  # who asks by telnet, or in a language of CRLFs, is heard too
_CRLF_END = b"\n\r\n"
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


class RequestReader:
    """Collects pieces of a stream and hands out whole requests in order (as `netstring.Reader`)."""

    __slots__ = ("_at", "_held", "_limit", "_seen", "fault")

    def __init__(self, limit: int = _LARGEST) -> None:
        self.fault: str | None = None
        self._limit = limit
        self._held = bytearray()  # grows in place: a request may come byte by byte
        self._at = 0  # where in it the next request begins
        self._seen = 0  # no request ends before

    @property
    def pending(self) -> int:
        """How many bytes are held that were not taken."""
        return len(self._held) - self._at

    def feed(self, data: bytes) -> None:
        """Add `data`."""
        if self.fault is None:
            del self._held[: self._at]
            self._seen -= self._at
            self._at = 0
            self._held += data

    def take(self) -> Request | None:
        """The next whole request; None: there is none, or never will be (`fault`)."""
        held, start = self._held, self._at
        if start >= len(held) or self.fault is not None:
            return None
        end = _END(held, max(self._seen, start))
        if end is None:
            self._seen = max(start, len(held) - 2)  # the end of a request may be cut
            self._check(held[start : start + 2], len(held) - start)
            return None
        raw = bytes(held[start : end.start() + 1])
        self._at = self._seen = end.end()
        self._check(raw, len(raw))
        if 0 in raw:
            self.fault = "a NUL in a request"
        if self.fault is not None:
            return None
        return Request(raw.replace(b"\r\n", b"\n") if end[0] == _CRLF_END else raw)

    def one(self, data: bytes) -> Request | None:
        """The request, if nothing is held and `data` is just one, as nearly every read is.

        None: nothing was taken, `feed` it.
        """
        end, size = _USUAL_END(data), len(data)
        if end is None or end.end() != size or len(self._held) > self._at:
            return None
        if data[0] == 0x0A or 0 in data or 0x0D in data or size > self._limit or self.fault:
            return None
        return Request(data[:-1])

    def _check(self, begins: bytes | bytearray, size: int) -> None:
        if size > self._limit:
            self.fault = f"a request longer than {self._limit} bytes"
        elif begins[:1] == b"\n" or begins[:2] == b"\r\n":
            self.fault = "an empty request"


Handler = Callable[[Request, Session], bytes]


class PolicyEndpoint(Endpoint[Request]):
    """The handler and the way of one request."""

    def __init__(
        self,
        handler: Handler,
        *,
        clock: Callable[[], float],
        **usual: Unpack[EndpointOptions],
    ) -> None:
        super().__init__("policy", clock=clock, **usual)
        self._handler = handler
        self._asked = self.counts.of("policy")

    def reader(self) -> RequestReader:
        return RequestReader()

    def answer(self, request: Request, session: Session, began: float) -> bytes:
        """One request to one framed answer; never raises."""
        try:
            action = self._handler(request, session)
            if action is DUNNO:
                self._asked.answered("DUNNO", began, self.ticks())
                return _DUNNO
            if _ALLOWED.fullmatch(action):
                word = action.partition(b" ")[0].decode()
                self._asked.answered(word, began, self.ticks())
                return b"action=%b\n\n" % action
            self._asked.answered(None, began, self.ticks())
            self.faults.note("answer", session.peer, repr(action[:80]), self.clock())
        except Exception as error:  # an edge: whatever happens inside, Postfix gets the safe answer
            self.faults.note("handler", session.peer, repr(error), self.clock())
        return _DUNNO
