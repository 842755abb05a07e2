"""The values a log line can become: what the parsers say to everything behind them.

Contract: values only, immutable, no I/O, no clock. Times are POSIX seconds (UTC) as float, texts
are str (bytes decoded as UTF-8 with ``backslashreplace``), host names are lower case without a
final dot.
Failure: none; a line nobody understands is an ``Unparsed``, never an exception.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "Delivery",
    "Event",
    "HostTrouble",
    "Origin",
    "Outcome",
    "Removed",
    "Stage",
    "Unparsed",
    "number_of",
    "text_of",
]

# accepted by the remote side · refused for now · refused for good · given up after its lifetime ·
# an echo of an earlier failure (no attempt was made) · held by our own gate · an address probe ·
# one host refused, the verdict on the recipients is still to come (no recipient is named)
Outcome = Literal["sent", "deferred", "bounced", "expired", "suspended", "held", "probe", "tried"]

# "remote": `reply` is what the other server said · "local": the words of our own MTA
Origin = Literal["remote", "local"]

Stage = Literal["connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "eod"]


class Delivery(NamedTuple):
    """One recipient's result of one delivery attempt (or of an attempt that was not made)."""

    time: float
    mta: Literal["postfix", "exim"]
    service: str  # as logged: "postfix/smtp", "postfix-out/relay/smtp", "exim"
    agent: str  # last part of the service ("smtp", "lmtp", "error", "local"); Exim: the transport
    queue_id: str
    recipient: str  # as logged, without <>; quoted local parts keep their quotes
    orig_recipient: str | None
    host: str | None  # the remote host's name; None: relay=none or local delivery
    address: str | None  # its address, or a unix socket's path
    port: int | None
    conn_use: int  # 1: a fresh connection
    delay: float  # seconds, whole life of the message so far
    delays: tuple[float, float, float, float] | None  # a/b/c/d: before qmgr, in qmgr, connect, send
    dsn: str  # "4.2.1"; "" where the MTA logs none
    status: str  # as logged: "sent", "deferred", "bounced", "SOFTBOUNCE", "==", "**"…
    outcome: Outcome
    origin: Origin
    stage: Stage | None
    reply: str  # a remote reply unfolded to one line, or the local words
    pid: int = 0  # of the delivery agent; 0: not logged
    cut: bool = False  # the record was cut short: the end of the reply is missing


class HostTrouble(NamedTuple):
    """One host could not be spoken with; the attempt may go on with the next one."""

    time: float
    mta: Literal["postfix", "exim"]
    service: str
    queue_id: str  # "": not logged
    host: str
    address: str
    stage: Stage
    reply: str  # our own MTA's words


class Removed(NamedTuple):
    """The message left the queue for good."""

    time: float
    mta: Literal["postfix", "exim"]
    queue_id: str


class Unparsed(NamedTuple):
    """A line that looks like a delivery but was not understood: counted, never dropped."""

    line: bytes
    reason: str


Event = Delivery | HostTrouble | Removed | Unparsed


def number_of(digits: str | bytes) -> int:
    """Decimal digits of a log as a number, the first 18 of them: `int` raises beyond 4,300."""
    return int(digits[:18])


def text_of(data: bytes) -> str:
    """Bytes of a log as text: UTF-8, and what is not UTF-8 stays visible as \\xNN."""
    return data.decode("utf-8", "backslashreplace")
