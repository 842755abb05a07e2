"""What the tests of the sockets share: a transport without a socket, a small set of services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from policyd.errors import ControlError
from policyd.serve.connection import READ, HookProtocol
from policyd.serve.endpoint import Endpoint
from policyd.serve.policy import DUNNO
from policyd.serve.session import Session
from policyd.serve.turns import Steps, Turns
from policyd.web.ports import Services
from policyd.web.view import Page

READ_SIZES = (4096, 128, 16, 1)


class Wire(asyncio.Transport):
    """A transport that keeps what is written and remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False
        self.aborted = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closed, "written after close"
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limit = high

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.7", 4711) if name == "peername" else default


class Loop:
    """As much of an event loop as `Turns` needs: what is called soon waits until `run`."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.turns = Turns(soon=self.calls.append)

    def run(self) -> None:
        """Turn after turn until nothing is left to do."""
        while self.calls:
            self.calls.pop(0)()


def send(protocol: HookProtocol[Any], data: bytes) -> None:
    """What arrives at once, as the loop hands it over: in its buffer."""
    for piece in cut(data, READ):
        protocol.get_buffer(-1)[: len(piece)] = piece
        protocol.buffer_updated(len(piece))


def talk(endpoint: Endpoint[Any], pieces: Iterable[bytes]) -> Wire:
    """One connection that sends `pieces` one by one until it is closed."""
    wire, loop = Wire(), Loop()
    endpoint.turns = loop.turns
    protocol = endpoint.protocol()
    protocol.connection_made(wire)
    for piece in pieces:
        if wire.closed:
            break
        send(protocol, piece)
        loop.run()
    protocol.connection_lost(None)
    return wire


def cut(stream: bytes, size: int) -> list[bytes]:
    """The stream as a reader of `size` bytes a time would get it."""
    return [stream[at : at + size] for at in range(0, len(stream), size)]


class Operator:
    """A control that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.lane = {
            "pool": "",
            "state": "suspended",
            "since": 900.0,
            "until": 1300.0,
            "rate": None,
            "window": 16,
            "in_flight": 2,
            "held": 7,
            "pinned": True,
            "why": "",
            "next": "One message probes it.",
            "reasons": [
                {
                    "category": "flow.rate",
                    "rule": "google.ip.rate",
                    "reply": "421 4.7.28 slow down\x1b[31m",
                    "count": 3,
                    "first": 880.0,
                    "last": 900.0,
                    "host": "mx.google.com",
                }
            ],
        }

    trouble = ""  # what the hand, or the configuration, suffers from

    def overview(self) -> dict[str, Any]:
        return {"active": True, "lanes": [{"receiver": "google", **self.lane}]}

    def explain(self, receiver: str, pool: str | None) -> dict[str, Any]:
        self.told.append(("explain", receiver, pool))
        if receiver == "nobody":
            raise ControlError("nothing was sent to 'nobody' yet")
        return {"receiver": receiver, "lanes": [self.lane]}

    def change(self, verb: str, receiver: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if receiver == "broken":
            raise RuntimeError("inside")
        self.told.append((verb, receiver, dict(arguments)))
        return {"receiver": receiver, "lanes": [self.lane]}

    def switch(self, on: bool) -> dict[str, Any]:
        self.told.append(("switch", on))
        return {"active": on, "held": 7}

    async def release(self) -> dict[str, Any]:
        return {"enabled": True, "trouble": self.trouble}

    async def reload(self) -> dict[str, Any]:
        if self.trouble:
            raise ControlError(self.trouble)
        return {"reloaded": True}


def services(**changed: Any) -> Services:
    """Services that answer something harmless, with what a test wants to be different."""
    usual: dict[str, Any] = {
        "clock": lambda: 1000.0,
        "maps": {"mx": lambda key, session, pool: b"OK " + key},
        "policy": lambda request, session: DUNNO,
        "metrics": lambda: b"mxheed_build_info 1\n",
        "troubles": dict,
        "page": lambda: Page(now=1000.0, started=100.0, version="1.2.3", host="mail.example.org"),
        "control": Operator(),
    }
    chosen = {**usual, **changed}
    text = chosen["metrics"]
    chosen["metrics"] = _at_one_go(lambda: text() and [text()])
    chosen["page"] = _at_one_go(chosen["page"])
    return Services(**chosen)


def _at_one_go(make: Callable[[], Any]) -> Callable[[], Steps[Any]]:
    """Something that is made in a single step."""

    def steps(*asked: Any) -> Steps[Any]:
        yield
        return make()

    return steps


def handler(answer: bytes | Exception) -> Callable[[Any, Session], bytes]:
    """A policy handler that says (or raises) this."""

    def ask(request: Any, session: Session) -> bytes:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return cast("Callable[[Any, Session], bytes]", ask)
