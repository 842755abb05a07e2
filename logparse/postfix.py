"""Reads Postfix logs: delivery records, single hosts' refusals and trouble, ends of messages.

Contract: `PostfixParser.feed(block, now)` takes whole lines, returns the events in their order.
`records` and `careful` are the two steps of it, for callers in a hurry (see
policyd.counting.pipeline). What a record looks like, and why text from outside cannot forge one, is
told in `logparse.record`.
Failure: none; a line that begins like a record and cannot be read is an `Unparsed`. Time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from typing import Any

from logparse.dates import rfc3339
from logparse.events import Delivery, Event, Removed, Unparsed, number_of, text_of
from logparse.framing import ASIDE, MTA_FRAME, program_of
from logparse.hostlines import trouble_of
from logparse.line import INSIDE, begins_anew, canonical
from logparse.reason import Relay, Statement, read, relay_of
from logparse.record import FRAMED_SENT, RECORD, SENT, groups_of, seconds_of
from logparse.shapes import BROKEN, CONNECT, QUEUE_ID, TO
from logparse.stamps import Stamps
from logparse.wrapping import unwrap

__all__ = ["RECLEN", "PostfixParser"]

RECLEN = 2000  # Postfix cuts the text of a record to this many bytes, without a sign
_KEPT = 16_384  # relays
_FRAME = re.compile(MTA_FRAME + rb"(?!" + ASIDE + rb")")
_QUEUE_ID = re.compile(rb"(" + QUEUE_ID + rb"): ")
_OTHER_ID = re.compile(rb"[A-Za-z]*+[0-9][0-9A-Za-z]*+" + TO)
# what a line holds that is no delivery record and tells something all the same
_OTHERS = (
    b"expired, returned to sender\n", b": host ", b": " + CONNECT, *BROKEN, b": removed\n"
)  # fmt: skip
_SPEAKERS = (b"/smtp", b"/lmtp")
_BROKEN = tuple(words.removeprefix(b": ") for words in BROKEN)
_NOBODY = Relay()
_GIVEN_UP = Statement("expired", "local", None, _NOBODY, "returned to sender", False)
_EXPIRED = re.compile(rb"from=<[^\n]*>, status=(expired|force-expired), returned to sender")


class PostfixParser:
    """Reads blocks of whole log lines."""

    def __init__(
        self, zone: tzinfo | None = None, removed: bool = True, stamps: Stamps | None = None
    ) -> None:
        self.stamps = stamps or Stamps(zone)
        self.undated = 0  # lines without a readable time that were dated by their arrival
        self._removed = removed
        self._relays: dict[bytes, Relay] = {}

    def feed(self, block: bytes, now: float, places: list[int] | None = None) -> list[Event]:
        """The events in `block`, in the order of its lines; `places`: where such lines begin."""
        events: list[Event] = []
        for record in self.records(block, places=places):
            event = (
                self.careful(record, now)
                if isinstance(record, bytes)
                else self.delivery(record, now)
            )
            if event is not None:
                events.append(event)
        return events

    def records(
        self,
        block: bytes,
        take: Callable[[re.Match[bytes]], bool] | None = None,
        places: list[int] | None = None,
        scan: Callable[[bytes, list[int], int], int] | None = None,
    ) -> Iterator[re.Match[bytes] | bytes]:
        """The lines of `block` that may hold an event: matches of `RECORD`, or raw bytes.

        Where `take` is given, it is shown each match of `SENT` first and says if it has dealt with
        it. `places` is where these lines begin, as `logparse.dull` tells it; they are looked for if
        it is not known. `scan` is asked at each of them, and says at which it is not ours yet.
        """
        if places is None:
            return _searched(block, self._removed, take)
        return _found(block, places, take, scan)

    def delivery(self, match: re.Match[bytes], now: float) -> Delivery:
        """The value of a line that `RECORD` matched."""
        return self._build(match.groups(), match.end() - match.start(4) >= RECLEN, now)

    def careful(self, line: bytes, now: float) -> Event | None:
        """The event of a line that is not an ordinary record; None: it is none of ours."""
        frame = _FRAME.match(line)
        if frame is None:
            part = unwrap(line)
            read = canonical(part.text, part.stamp, rfc3339(int(now)))
            if read.why:
                return Unparsed(line, read.why)
            self.undated += read.undated
            line, frame = read.text, _FRAME.match(read.text)
        if frame is None:
            return None  # another program's
        head, start = frame.groups(), frame.end()
        found = _QUEUE_ID.match(line, start)
        if found is None:
            if _OTHER_ID.match(line, start):
                return Unparsed(line, "a delivery record with a queue id no Postfix gives")
            if line.startswith(CONNECT, start) and head[1].endswith(_SPEAKERS):
                when = self.stamps.posix(head[0], now)
                return trouble_of(line[start:], head[1], b"", when)
            inside = TO in line and begins_anew(line[start:])
            return Unparsed(line, INSIDE) if inside else None
        rest = found.end()
        if line.startswith(TO[2:], rest):
            groups = groups_of(line, rest)
            if isinstance(groups, str):
                return Unparsed(line, groups)
            return self._build((*head, found[1], *groups), len(line) - start >= RECLEN, now)
        when = self.stamps.posix(head[0], now)
        if line[rest:] == b"removed":
            return Removed(when, "postfix", text_of(found[1]))
        expired = _EXPIRED.fullmatch(line, rest)
        if expired is not None:
            return _note(when, head, found[1], text_of(expired[1]), _GIVEN_UP)
        if head[1].endswith(_SPEAKERS):
            if line.startswith(b"host ", rest):
                return self._one_host(line, rest, when, head, found[1])
            if line.startswith(_BROKEN, rest):
                return trouble_of(line[rest:], head[1], found[1], when)
        return None

    def _one_host(
        self, line: bytes, rest: int, when: float, head: Sequence[bytes], queue_id: bytes
    ) -> Delivery | None:
        """A host refused and another one is tried next: its words stand without parentheses."""
        agent = program_of(head[1])[1]
        reading = read("deferred", "", text_of(line[rest:]) + ")", agent, _NOBODY, False)
        if reading.origin != "remote":
            return None
        return _note(when, head, queue_id, "", reading._replace(outcome="tried"))

    def _build(self, groups: Sequence[Any], cut: bool, now: float) -> Delivery:
        stamp, program, pid, queue_id, to, orig, relay, uses = groups[:8]
        total, a, b, c, d, dsn, status, text = groups[8:]
        service, agent = program_of(program)
        dsn = text_of(dsn)
        status = text_of(status)
        outcome, origin, stage, peer, reply, cut = read(
            status, dsn, text_of(text), agent, self._relay(relay), cut
        )
        try:
            delay = float(total)
            delays = float(a), float(b), float(c), float(d)
        except ValueError:
            delay = seconds_of(total)
            delays = seconds_of(a), seconds_of(b), seconds_of(c), seconds_of(d)
        return Delivery(
            self.stamps.posix(stamp, now),
            "postfix",
            service,
            agent,
            text_of(queue_id),
            text_of(to),
            None if orig is None else text_of(orig),
            peer.host,
            peer.address,
            peer.port,
            number_of(uses) if uses else 1,
            delay,
            delays,
            dsn,
            status,
            outcome,
            origin,
            stage,
            reply,
            number_of(pid) if pid else 0,
            cut,
        )

    def _relay(self, relay: bytes) -> Relay:
        known = self._relays.get(relay)
        if known is None:
            if len(self._relays) >= _KEPT:
                self._relays.clear()
            known = self._relays[relay] = relay_of(text_of(relay))
        return known


def _note(
    when: float, head: Sequence[bytes], queue_id: bytes, status: str, reading: Statement
) -> Delivery:
    """A line about a message that names no recipient."""
    service, agent = program_of(head[1])
    return Delivery(
        time=when,
        mta="postfix",
        service=service,
        agent=agent,
        queue_id=text_of(queue_id),
        recipient="",
        orig_recipient=None,
        host=reading.relay.host,
        address=reading.relay.address,
        port=reading.relay.port,
        conn_use=1,
        delay=0.0,
        delays=None,
        dsn="",
        status=status,
        outcome=reading.outcome,
        origin=reading.origin,
        stage=reading.stage,
        reply=reading.reply,
        pid=number_of(head[2] or b"0"),
        cut=reading.cut,
    )


def _found(
    block: bytes,
    places: list[int],
    take: Callable[[re.Match[bytes]], bool] | None,
    scan: Callable[[bytes, list[int], int], int] | None,
) -> Iterator[re.Match[bytes] | bytes]:
    """Records whose places are known."""
    match, sent = RECORD.fullmatch, FRAMED_SENT.match
    index, count = 0, len(places)
    while index < count:
        if scan is not None and (index := scan(block, places, index)) == count:
            return
        begin = places[index]
        index += 1
        if take is not None and (record := sent(block, begin)) is not None and take(record):
            continue
        end = block.find(b"\n", begin)
        end = len(block) if end < 0 else end
        yield match(block, begin, end) or block[begin:end]


def _searched(
    block: bytes, removed: bool, take: Callable[[re.Match[bytes]], bool] | None
) -> Iterator[re.Match[bytes] | bytes]:
    """Records that have to be looked for."""
    match, find, rfind = RECORD.fullmatch, block.find, block.rfind
    sent = SENT.match
    others = _others(block, removed)
    at = find(TO)
    while at >= 0:
        begin = rfind(b"\n", 0, at) + 1
        while others and others[-1][0] <= begin:
            place, line = others.pop()
            if place < begin:  # else it is this very line, whose sender has ": to=" in it
                yield line
        if take is not None and (record := sent(block, begin)) is not None and take(record):
            at = find(TO, record.end())
            continue
        end = find(b"\n", at)
        if end < 0:
            end = len(block)
        yield match(block, begin, end) or block[begin:end]
        at = find(TO, end)
    while others:
        yield others.pop()[1]


def _others(block: bytes, removed: bool) -> list[tuple[int, bytes]]:
    """Lines that tell an event and are no record, last first, each with its place."""
    found: dict[int, bytes] = {}
    for words in _OTHERS if removed else _OTHERS[:-1]:
        at = block.find(words)
        while at >= 0:
            begin = block.rfind(b"\n", 0, at) + 1
            end = block.find(b"\n", at + len(words) - 1)
            end = len(block) if end < 0 else end
            found[begin] = block[begin:end]
            at = block.find(words, end)
    return sorted(found.items(), reverse=True)
