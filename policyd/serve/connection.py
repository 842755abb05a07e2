"""One connection of a data socket: questions in, answers out, in their order, a few at a time.

Contract: a single question is answered at once, without a task. Who asks more at once is read no
further until that is answered, a few questions in each of its `Turns`; who does not read its
answers is neither read from nor answered. So a connection holds one read (`READ`), one unfinished
question and little more than `UNREAD` bytes of answers, whatever it does.
Failure: a peer that does not speak the protocol loses its connection after the answers before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar, cast

from policyd.serve.faults import Faults
from policyd.serve.later import Later
from policyd.serve.peer import Peer, peer_of
from policyd.serve.session import Session
from policyd.serve.turns import Turns

__all__ = ["READ", "UNREAD", "HookProtocol", "Hosting", "Reader"]

READ = 16_384  # bytes of one read; many times what Postfix ever asks
UNREAD = 16_384  # bytes of answers that wait for the peer before it is asked to read them
_IN_TURN = 8  # questions

Q = TypeVar("Q")  # a question, as the reader gives it
Q_co = TypeVar("Q_co", covariant=True)


class Reader(Protocol[Q_co]):
    """What cuts a stream into questions; see `netstring.Reader`."""

    fault: str | None

    @property
    def pending(self) -> int: ...
    def feed(self, data: bytes) -> None: ...
    def take(self) -> Q_co | None: ...
    def one(self, data: bytes) -> Q_co | None: ...


class Hosting(Protocol[Q]):
    """What outlives the connection (`policyd.serve.endpoint.Endpoint`)."""

    clock: Callable[[], float]
    ticks: Callable[[], float]
    faults: Faults
    turns: Turns
    room: memoryview

    def reader(self) -> Reader[Q]:
        """The framing of one connection."""

    def answer(self, question: Q, session: Session, began: float) -> bytes | Later:
        """One question, asked when it `began`, to one framed answer, now or later; never raises."""

    def enter(self, guest: HookProtocol[Q], peer: Peer) -> Session | None:
        """A new connection; None: there is no place for it."""

    def leave(self, guest: HookProtocol[Q]) -> None:
        """A connection has ended."""


class HookProtocol(asyncio.BufferedProtocol, Generic[Q]):
    """One connection; `transport` and `session` are there from `connection_made` on."""

    __slots__ = (
        "_answer", "_behind", "_full", "_in_line", "_one", "_reader", "_room", "_ticks",
        "_waiting", "asked", "endpoint", "kind", "last", "peer", "session", "transport",
    )  # fmt: skip

    transport: asyncio.Transport
    session: Session

    def __init__(self, endpoint: Hosting[Q]) -> None:
        self.endpoint = endpoint
        self.kind = "inet"
        self.peer: Hashable | None = None
        self.asked = 0
        self.last = 0.0
        self._behind = False  # has asked more than was answered: it is not read from
        # what each question needs, at hand
        self._answer, self._ticks, self._room = endpoint.answer, endpoint.ticks, endpoint.room
        self._reader = endpoint.reader()
        self._one = self._reader.one
        self._waiting = False  # for an answer that comes later
        self._in_line = False
        self._full = False  # of answers that its peer does not read

    @property
    def busy(self) -> bool:
        """Whether it waits for us, not we for it."""
        return self._waiting or self._in_line

    # what the event loop calls ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = peer_of(transport)
        self.kind, self.peer, self.last = peer.kind, peer.owner, self._ticks()
        session = self.endpoint.enter(self, peer)
        self.session = session or Session()
        if session is None:
            self.transport.abort()
        else:
            self.transport.set_write_buffer_limits(UNREAD)

    def connection_lost(self, exc: Exception | None) -> None:
        self.endpoint.leave(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Answer what is a single question, as nearly every read is; all else in turn."""
        data = self._room[:nbytes].tobytes()
        if self._behind or (single := self._one(data)) is None:
            self._read(data)
            return
        self.asked += 1
        began = self.last = self._ticks()
        answer = self._answer(single, self.session, began)
        if isinstance(answer, bytes):
            self.transport.write(answer)
        else:
            self._wait(answer)

    def pause_writing(self) -> None:
        self._full = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        if not self._behind:
            self.transport.resume_reading()
        elif not self._waiting:
            self._line_up()

    # questions and answers --------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        """The long way, for whatever came."""
        self._reader.feed(data)
        if self._behind:
            self.transport.pause_reading()  # it does not wait for its answer: enough of it
        elif self._some(1):
            self._behind = True
            self.transport.pause_reading()
            self._line_up()

    def _line_up(self) -> None:
        if not self._in_line:
            self._in_line = True
            self.endpoint.turns.add(self._turn)

    def _turn(self) -> bool:
        """A few answers; True: it stays in the line for more."""
        if self._full or self._waiting or self.transport.is_closing():
            self._in_line = False
        elif not self._some(_IN_TURN):
            self._in_line = False
            if not self._waiting:
                self._listen()
        return self._in_line

    def _listen(self) -> None:
        """All is answered."""
        self._behind = False
        if not self._full:
            self.transport.resume_reading()

    def _some(self, most: int) -> bool:
        """Answer so many questions, in their order; True: there may be more."""
        answers: list[bytes] = []
        later: Later | None = None
        while len(answers) < most and (question := self._reader.take()) is not None:
            self.asked += 1
            began = self.last = self._ticks()
            answer = self._answer(question, self.session, began)
            if not isinstance(answer, bytes):
                later = answer
                break
            answers.append(answer)
        if answers:
            self.transport.write(b"".join(answers))
        if later is not None:
            self._wait(later)
        elif self._reader.fault is not None:
            self._refuse(self._reader.fault)
        done = later is not None or len(answers) == most
        return done and not self._waiting and not self._reader.fault and self._reader.pending > 0

    def _wait(self, later: Later) -> None:
        self._behind = self._waiting = True
        later.then(self._came)

    def _came(self, answer: bytes) -> None:
        self._waiting = False
        self.transport.write(answer)
        if self._reader.pending:
            self._line_up()
        else:
            self._listen()

    def _refuse(self, fault: str) -> None:
        """Note a peer that does not speak the protocol, and end its connection."""
        self.endpoint.faults.note("framing", self.session.peer, fault, self.endpoint.clock())
        self.transport.close()

    def send_away(self, now: float) -> None:
        """Its place is needed."""
        what = f"sent away after {now - self.last:.0f} s in which it asked nothing"
        self.endpoint.faults.note("idle", self.session.peer, what, self.endpoint.clock())
        self.transport.abort()
