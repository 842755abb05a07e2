"""Exim's questions, one line each (docs/exim.md has the grammar): bytes in, values out.

Contract: no socket, no clock. `LineReader` cuts the stream at line feeds, wherever it was cut into
pieces before; it holds `LONGEST` bytes at most. `read` makes a `Question` of a line. Names and
domains stay as they came: what they mean is not decided here.
Failure: a longer line is a `fault` and nothing more comes out; a line of another form is None.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["LONGEST", "LineReader", "Question", "read"]

LONGEST = 8192  # bytes of a question; Exim's own strings may be longer, those of DNS are not
_MOST_HOSTS = 64
_MOST_WORDS = 16  # attributes
_TEXTS = (b"sender", b"user", b"context")

_ID = re.compile(
    rb"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})"
)
_DOMAIN = re.compile(rb"[^\x00- \x7f]{1,255}")
_NAME = re.compile(rb"[a-z]{1,16}")
_HOST = re.compile(rb"(?:([0-9]{1,5}) )?([^\x00- ,\x7f]{0,255})")


class Question(NamedTuple):
    """One question about one address of one message."""

    verb: str  # "hold", or "rcpt" at submission
    message: str  # the message id; "" at submission
    domain: bytes
    hosts: tuple[tuple[int, bytes], ...]  # preference and name; none: nobody looked them up
    none: bool = False  # a domain that takes no mail (null MX): Exim knows what to do
    pool: str = ""
    sender: bytes = b""  # the envelope sender's domain
    wait: float = 0.0  # seconds the asker waits for an answer
    told: Mapping[bytes, bytes] = MappingProxyType({})  # texts that came in base64, decoded


def read(line: bytes) -> Question | None:
    """The question of a line; None: it is none."""
    verb, _, rest = line.partition(b" ")
    words = rest.split(b" ", _MOST_WORDS + 2)
    message = b""
    if verb == b"hold":
        message, *words = words
        if not _ID.fullmatch(message):
            return None
    elif verb != b"rcpt":
        return None
    if not words or not _DOMAIN.fullmatch(words[0]):
        return None
    told: dict[bytes, bytes] = {}
    at = 1
    while at < len(words) and b"=" in words[at]:
        name, _, value = words[at].partition(b"=")
        if not _NAME.fullmatch(name):
            return None
        told.setdefault(name, value)
        at += 1
    hosts = _hosts(b" ".join(words[at:]))
    if hosts is None:
        return None
    real = tuple(host for host in hosts if host[1] not in (b"", b"."))
    return Question(
        verb.decode(),
        message.decode(),
        words[0].lower(),
        real,
        bool(hosts) and not real,
        told.get(b"pool", b"").decode("utf-8", "replace"),
        told.get(b"from", b"").lower(),
        _number(told.get(b"wait", b"")) or 0.0,
        {name: _text(told[name]) for name in _TEXTS if name in told},
    )


def _hosts(text: bytes) -> list[tuple[int, bytes]] | None:
    """`PREFERENCE HOST,…` or `HOST,…` (a smarthost); None: neither."""
    found = []
    for one in text.split(b",")[:_MOST_HOSTS] if text else ():
        host = _HOST.fullmatch(one)
        if host is None:
            return None
        found.append((int(host[1] or 0), host[2].lower()))
    return found


def _text(encoded: bytes) -> bytes:
    """What may be anything, blanks and all: an address."""
    try:
        return b64decode(encoded, validate=True)
    except ValueError:
        return b""


def _number(text: bytes) -> float | None:
    return float(text) if text.isdigit() and len(text) <= 9 else None


class LineReader:
    """Collects pieces of a stream and hands out whole lines in order."""

    __slots__ = ("_held", "_seen", "fault")

    def __init__(self) -> None:
        self.fault: str | None = None
        self._held = bytearray()
        self._seen = 0  # no line ends before

    @property
    def pending(self) -> int:
        """How many bytes are held that were not taken."""
        return len(self._held)

    def feed(self, data: bytes) -> None:
        """Add `data`."""
        if self.fault is None:
            self._held += data

    def take(self) -> bytes | None:
        """The next whole line, without its end; None: there is none, or never will be."""
        if self.fault is not None:
            return None
        held = self._held
        end = held.find(b"\n", self._seen)
        if (end if end >= 0 else len(held)) > LONGEST:
            self.fault = f"a line longer than {LONGEST} bytes"
            held.clear()
            return None
        if end < 0:
            self._seen = len(held)
            return None
        line = bytes(held[:end])
        del held[: end + 1]
        self._seen = 0
        return line

    def one(self, data: bytes) -> bytes | None:
        """The line, if nothing is held and `data` is just one, as nearly every read is.

        None: nothing was taken, `feed` it.
        """
        if self._held or self.fault is not None or len(data) > LONGEST:
            return None
        return data[:-1] if data.find(b"\n") == len(data) - 1 and data else None
