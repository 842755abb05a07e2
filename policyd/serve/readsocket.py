"""The server that Exim's `${readsocket}` asks: one question, one answer, the end.

Contract: a handler is `(question, session) -> answer`, `hold` or anything else; Exim takes all but
the very word `hold` for "go". The end of the connection ends the answer, and Exim closes its side
as soon as it has asked; an answer that comes `Later` is waited for all the same.
Failure: fails open. What is no question, a handler that raises and an answer it must not give are
answered `go`, counted and logged; a line that is too long gets no answer, which is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Unpack

from policyd.serve.connection import HookProtocol
from policyd.serve.endpoint import Endpoint, EndpointOptions
from policyd.serve.eximline import LineReader, Question, read
from policyd.serve.later import Later
from policyd.serve.session import Session

__all__ = ["GO", "HOLD", "TRIAL", "TRIAL_DOMAIN", "EximHandler", "ReadsocketEndpoint"]

GO = b"go"
HOLD = b"hold"
# a question of the doctor's: of a message and for a domain that cannot be, and always held
TRIAL, TRIAL_DOMAIN = "000000-000000-00", "mxheed.invalid"
_TRIAL = f"hold {TRIAL} {TRIAL_DOMAIN} ".encode()
# all that is ever answered, on one line, in ASCII: a text of ours becomes a reply to a client
_ALLOWED = re.compile(rb"go|hold|(?:defer|reject) [ -~]{1,400}")

EximHandler = Callable[[Question, Session], bytes | Later]


class _Asking(HookProtocol[bytes]):
    """One connection: it ends with its answer."""

    __slots__ = ()

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        if self.asked and not self.busy:
            self.transport.close()

    def eof_received(self) -> bool:
        """It has asked; True: the answer is still to come."""
        return self.busy

    def _came(self, answer: bytes) -> None:
        super()._came(answer)
        self.transport.close()


class ReadsocketEndpoint(Endpoint[bytes]):
    """The handler and the way of one question."""

    def __init__(
        self,
        handler: EximHandler,
        *,
        clock: Callable[[], float],
        **usual: Unpack[EndpointOptions],
    ) -> None:
        super().__init__("exim", clock=clock, **usual)
        self._handler = handler
        self._asked = {verb: self.counts.of(f"exim-{verb}") for verb in ("hold", "rcpt")}

    def reader(self) -> LineReader:
        return LineReader()

    def protocol(self) -> HookProtocol[bytes]:
        return _Asking(self)

    def answer(self, line: bytes, session: Session, began: float) -> bytes | Later:
        """One question to one answer, now or later; never raises."""
        if line.startswith(_TRIAL):
            return HOLD
        question = read(line)
        if question is None:
            self.faults.note("question", session.peer, repr(line[:80]), self.clock())
            return GO
        try:
            answer = self._handler(question, session)
            if isinstance(answer, Later):
                return answer.made(lambda late: self._sent(late, question, session, began))
            return self._sent(answer, question, session, began)
        except Exception as error:  # an edge: whatever happens inside, Exim gets the safe answer
            self.faults.note("handler", session.peer, repr(error), self.clock())
        return GO

    def _sent(self, answer: bytes, question: Question, session: Session, began: float) -> bytes:
        asked, now = self._asked[question.verb], self.ticks()
        if _ALLOWED.fullmatch(answer):
            asked.answered(answer.partition(b" ")[0].decode(), began, now)
            return answer
        asked.answered(None, began, now)
        self.faults.note("answer", session.peer, repr(answer[:80]), self.clock())
        return GO
