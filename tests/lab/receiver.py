"""One scripted SMTP receiver: a small server that plays a behaviour and remembers what it saw.

Contract: speaks enough ESMTP for any MTA (PIPELINING, SIZE, optionally STARTTLS); everything that
happens is appended to `events` with its time, in order. Refuses nothing on its own account.
Failure: a client that goes away is an event of kind "lost"; an unknown command gets a 500.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .behaviour import Behaviour, Rcpt

__all__ = ["Receiver"]

_PATH = re.compile(r"<(.*)>")  # greedy: a quoted local part may hold a ">"


@dataclass
class _Session:
    number: int
    peer: str
    tls: bool = False
    sender: str | None = None
    tried: int = 0  # RCPT TO commands of the message at hand
    recipients: list[str] = field(default_factory=list)


@dataclass
class Receiver:
    """A server on one address; `behaviour` may be exchanged while it runs."""

    name: str
    address: str
    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    latency: float = 0.0  # seconds each message takes
    clock: Callable[[], float] = time.time
    events: list[dict[str, Any]] = field(default_factory=list)
    _open: dict[str, int] = field(default_factory=dict)
    _sessions: int = 0
    _server: asyncio.Server | None = None

    async def start(self, port: int = 25) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, self.address, port, backlog=500, limit=2**20
        )

    async def stop(self) -> None:
        """Refuse connections from now on; open sessions go on to their end."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _note(self, session: _Session, kind: str, **more: Any) -> None:
        self.events.append(
            {"t": self.clock(), "session": session.number, "peer": session.peer, "kind": kind}
            | more
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sessions += 1
        session = _Session(self._sessions, writer.get_extra_info("peername")[0])
        self._open[session.peer] = self._open.get(session.peer, 0) + 1
        try:
            await self._talk(session, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            self._note(session, "lost")
        finally:
            self._open[session.peer] -= 1
            writer.close()

    async def _talk(
        self, session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.sleep(self.behaviour.greets)
        refusal = self.behaviour.connect(session.peer, self._open[session.peer], self.clock())
        self._note(session, "connect", reply=refusal or "220")
        self._say(writer, refusal or f"220 {self.name} ESMTP")
        while refusal is None:
            await writer.drain()
            line = (await reader.readuntil(b"\n")).decode("utf-8", "backslashreplace").strip()
            verb = line[:4].upper()
            if verb == "DATA" and session.recipients:
                self._say(writer, "354 go on")
                await writer.drain()
                body = await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(self.latency)
                self._say(writer, self._end_of_data(session, body))
            elif verb == "STAR" and self.tls is not None and not session.tls:
                self._say(writer, "220 2.0.0 ready")
                await writer.start_tls(self.tls)
                session.tls = True
                self._note(session, "tls")
            else:
                reply = self._command(session, verb, line)
                self._say(writer, reply)
                if verb == "QUIT" or reply.startswith("421"):
                    break
        await writer.drain()

    def _command(self, session: _Session, verb: str, line: str) -> str:
        if verb in ("EHLO", "HELO"):
            extensions = [self.name, "PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8"]
            if self.tls is not None and not session.tls:
                extensions.append("STARTTLS")
            if verb == "HELO":
                return f"250 {self.name}"
            return "\r\n".join(
                f"250{'-' if n < len(extensions) else ' '}{text}"
                for n, text in enumerate(extensions, 1)
            )
        if verb == "MAIL":
            session.sender = _path(line)
            session.recipients, session.tried = [], 0
            return "250 2.1.0 ok"
        if verb == "RCPT":
            return self._rcpt(session, _path(line))
        if verb == "RSET":
            session.recipients, session.tried = [], 0
            return "250 2.0.0 ok"
        if verb == "DATA":
            return "554 5.5.1 no valid recipients"
        return {"QUIT": "221 2.0.0 bye", "NOOP": "250 2.0.0 ok"}.get(verb, "500 5.5.2 unknown")

    def _rcpt(self, session: _Session, recipient: str) -> str:
        session.tried += 1
        asked = Rcpt(session.peer, session.sender or "", recipient, session.tried)
        refusal = self.behaviour.rcpt(asked, self.clock())
        if refusal is None:
            session.recipients.append(recipient)
        self._note(
            session,
            "rcpt",
            sender=session.sender,
            recipient=recipient,
            nth=session.tried,
            reply=refusal or "250",
        )
        return refusal or "250 2.1.5 ok"

    def _end_of_data(self, session: _Session, body: bytes) -> str:
        refusal = self.behaviour.data(session.peer, len(session.recipients), self.clock())
        subject = re.search(rb"^Subject: ([^\r\n]*)", body, re.M | re.I)
        self._note(
            session,
            "data",
            sender=session.sender,
            recipients=session.recipients,
            subject=subject[1].decode("utf-8", "replace") if subject else "",
            reply=refusal or "250",
        )
        session.recipients, session.tried = [], 0
        return refusal or f"250 2.0.0 ok, taken as {len(self.events)}"

    @staticmethod
    def _say(writer: asyncio.StreamWriter, reply: str) -> None:
        writer.write(reply.replace("\r\n", "\n").replace("\n", "\r\n").encode() + b"\r\n")


def _path(line: str) -> str:
    found = _PATH.search(line)
    return found[1] if found else line.partition(":")[2].strip()
