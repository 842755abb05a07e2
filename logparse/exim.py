"""Reads Exim's main log: deliveries, deferrals, failures, single hosts' refusals, messages' ends.

Contract: `EximParser.feed(block, now)` takes whole lines of the main log as Exim writes it, or as
it comes through syslog (then pieces of one long line are joined again), and returns the events in
their order. A line on one host of several that refused becomes a `Delivery` without recipient,
outcome "tried". Where a deferral names no host, because no connection came about, it is the host of
the line before for the same message. Exim logs no total delay by default: the message id tells it.
Failure: none; a delivery line of no known form is an `Unparsed`. Time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Any, ClassVar

from logparse.events import (
    Delivery,
    Event,
    Origin,
    Outcome,
    Removed,
    Stage,
    Unparsed,
    number_of,
    text_of,
)
from logparse.exim_lines import Found, found_in
from logparse.exim_message import is_given_up, is_held, is_no_attempt, read_message
from logparse.exim_record import HOST, Record, duration, host_name, parse
from logparse.framing import FRAME
from logparse.reply import code_of, unfold
from logparse.shapes import EVENT, EXIM_ID
from logparse.stamps import OWN, Stamps

__all__ = ["EximParser", "waited"]

_LINE = re.compile(
    rb"(?:(" + OWN + rb") )?(?:\[([0-9]++)\] )?(" + EXIM_ID + rb") (" + EVENT + rb")"
)
_FRAME = re.compile(FRAME)
_PIECE = re.compile(rb"\[(\d{1,3})([/\\])(\d{1,3})\] ")
_HOST_LINE = re.compile(
    HOST + r"(?:: (?=SMTP |LMTP |PRDR |Remote host |Malformed SMTP |smtp send |bad first read"
    r"|a TLS session is required|TLS |DANE )"
    r"| (?=SMTP error from remote mail server after RCPT |Connection |No route to host"
    r"|Network is unreachable|Operation timed out|Host is down|Cannot assign requested))(.*)\Z",
    re.DOTALL,
)
_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_LONGEST_LIFE = 60 * 86_400.0
_KEPT = 256  # messages whose last host is remembered, and long lines that wait for their end

_Host = tuple[str, str | None, int | None]


class EximParser:
    """See the module."""

    # what `restore` needs
    SAVED: ClassVar = {
        "hosts": [(str, str, str | None, int | None)],
        "pieces": [(str, [str])],
    }

    def __init__(
        self, zone: tzinfo | None = None, removed: bool = True, stamps: Stamps | None = None
    ) -> None:
        self.stamps = stamps or Stamps(zone)
        self._removed = removed
        self._hosts: dict[str, _Host] = {}
        self._pieces: dict[bytes, list[bytes]] = {}

    def feed(self, block: bytes, now: float) -> list[Event]:
        """The events in `block`, in the order of its lines."""
        events = (self.line(line, now) for line, *_ in self.lines(block))
        return [event for event in events if event is not None]

    def lines(self, block: bytes) -> list[Found]:
        """The lines of `block` that may hold an event."""
        return found_in(block, self._removed)

    def line(self, line: bytes, now: float) -> Event | None:
        """The event of one line; None: it tells none."""
        stamp = pid = b""
        head = _LINE.match(line)
        if head is None:
            frame = _FRAME.match(line)
            if frame is None or not frame[2].rpartition(b"/")[2].startswith(b"exim"):
                return None
            stamp, _, pid = frame.groups()
            whole = self._joined(line[frame.end() :], pid)
            head = None if whole is None else _LINE.match(line := whole)
            if head is None:
                return None
        stamp = _own(head[1], stamp)
        if not stamp:
            return None
        when = self.stamps.posix(stamp, now)
        return self._event(head, line, when, number_of(head[2] or pid or b"0"))

    def _event(self, head: re.Match[bytes], line: bytes, when: float, pid: int) -> Event | None:
        queue_id, mark = head[3].decode(), head[4].decode()
        if mark == "Completed":
            self._hosts.pop(queue_id, None)
            return Removed(when, "exim", queue_id) if self._removed else None
        if mark == "H=":
            return self._host_line(text_of(line[head.start(4) :]), queue_id, when, pid)
        text = text_of(line[head.end() + 1 :])
        record = parse(text, mark) if line[head.end() : head.end() + 1] == b" " else None
        if record is None:
            return Unparsed(line, "an Exim delivery line of another form")
        outcome, origin, stage, reply = _judge(record, mark)
        host = self._host_of(record, queue_id, mark)
        name, address, port = host or (None, None, None)
        return Delivery(
            when,
            "exim",
            "exim",
            record.transport,
            queue_id,
            record.address,
            record.top,
            name,
            address,
            port,
            2 if record.reused else 1,
            waited(record.queue_time, head[3], when),
            None,
            "",
            mark,
            outcome,
            origin,
            stage,
            reply,
            pid,
            text.endswith("**** log string overflowed log buffer ****"),
        )

    def _host_line(self, text: str, queue_id: str, when: float, pid: int) -> Delivery | None:
        match = _HOST_LINE.match(text)
        if match is None:
            return None  # an incoming connection's, or a warning
        name, ip, port, _, words = match.groups()
        message = read_message(words)
        host = (host_name(name), ip, number_of(port) if port and port.isdecimal() else None)
        self._remember(queue_id, host)
        return Delivery(
            time=when,
            mta="exim",
            service="exim",
            agent="",
            queue_id=queue_id,
            recipient="",
            orig_recipient=None,
            host=host[0],
            address=ip,
            port=host[2],
            conn_use=1,
            delay=0.0,
            delays=None,
            dsn="",
            status="H=",
            outcome="tried",
            origin=message.origin,
            stage=message.stage,
            reply=message.reply,
            pid=pid,
        )

    def _host_of(self, record: Record, queue_id: str, mark: str) -> _Host | None:
        if record.ip is not None and record.host is not None:
            host = record.host, record.ip, record.port
            if mark == "==":  # a timeout's line for a further recipient names none
                self._remember(queue_id, host)
            return host
        if mark == "==" and record.number is not None and record.number > 0:
            return self._hosts.get(queue_id)
        return None

    def _remember(self, queue_id: str, host: _Host) -> None:
        if queue_id not in self._hosts and len(self._hosts) >= _KEPT:
            del self._hosts[next(iter(self._hosts))]
        self._hosts[queue_id] = host

    def _joined(self, text: bytes, pid: bytes) -> bytes | None:
        """A line that syslog got in pieces, once its last piece is there."""
        piece = _PIECE.match(text)
        if piece is None:
            return text
        number, total = int(piece[1]), int(piece[3])
        if number == 1:
            if len(self._pieces) >= _KEPT:
                del self._pieces[next(iter(self._pieces))]
            self._pieces[pid] = []
        known = self._pieces.get(pid)
        if known is None or len(known) != number - 1:
            self._pieces.pop(pid, None)
            return None
        known.append(text[piece.end() :])
        if number < total:
            return None
        del self._pieces[pid]
        return b"".join(known)

    def snapshot(self) -> dict[str, Any]:
        """What must outlive a restart, as plain JSON values."""
        return {
            "hosts": [[queue_id, *host] for queue_id, host in self._hosts.items()],
            "pieces": [
                [pid.decode(), [piece.decode("latin-1") for piece in pieces]]
                for pid, pieces in self._pieces.items()
            ],
        }

    def restore(self, saved: dict[str, Sequence[Any]]) -> None:
        """Takes a snapshot back."""
        self._hosts = {row[0]: (row[1], row[2], row[3]) for row in saved.get("hosts", ())}
        self._pieces = {
            pid.encode(): [piece.encode("latin-1") for piece in pieces]
            for pid, pieces in saved.get("pieces", ())
        }


def _judge(record: Record, mark: str) -> tuple[Outcome, Origin, Stage | None, str]:
    """How it ended, in whose words, at which stage."""
    if mark in ("=>", "->", ">>", "*>"):
        outcome: Outcome = "probe" if mark == "*>" else "sent"
        reply = record.confirmation or record.message
        if record.ip is not None and code_of(reply) is not None:
            return outcome, "remote", "eod", unfold(reply, "\\n")
        return outcome, "local", None, reply
    words = record.message or record.error
    message = read_message(words, record.number)
    if record.message and record.error and record.host is None and message.stage is None:
        words = f"{record.error}: {record.message}"
        message = read_message(words, record.number)
    if mark == "**":
        outcome = "expired" if is_given_up(words) else "bounced"
    elif is_held(words, record.number):
        outcome = "held"
    else:
        outcome = "suspended" if is_no_attempt(words) else "deferred"
    return outcome, message.origin, message.stage, message.reply


def _own(own: bytes | None, outer: bytes) -> bytes:
    """Exim's own stamp, unless only syslog's tells the zone."""
    if own is None or (len(outer) > 19 and (outer.endswith(b"Z") or outer[-6:-5] in b"+-")):
        return own if own is not None and len(own) >= 25 else outer
    return own


def waited(queue_time: bytes | str, queue_id: bytes, when: float) -> float:
    """Seconds since the message came in: as logged, else from the time its id was made."""
    if queue_time:
        return duration(queue_time)
    since = when - _made_at(queue_id[:6])
    return since if 0 <= since <= _LONGEST_LIFE else 0.0


@lru_cache(maxsize=4096)
def _made_at(digits: bytes) -> int:
    """When a message id was made, told by its first six characters."""
    made = 0
    for digit in digits:
        made = made * 62 + _VALUES[digit]
    return made
