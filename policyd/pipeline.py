"""The hot path: from blocks of log lines to counters and evidence.

Contract: `Pipeline.process(block, now)` takes whole lines. Per delivery record it finds the
receiver, judges the reply, counts, and calls `on_attempt(delivery, receiver, verdict)`; for
accepted mail only if `sent` is set, because that is most of a log. The verdict is None where there
is no fresh reply to judge: accepted, echoed ("suspended"), held, expired, probes. Recipients count
one by one in "deliveries"; a reply that several recipients of one transaction share counts once in
"replies" (each refused RCPT is a reply of its own). Accepted mail without a callback takes a short
cut that builds no values; a test holds both ways to the same numbers.

`snapshot()` is what must be saved together with the counters so that a restart in the middle of a
transaction counts nothing twice; `restore` takes it back.
Failure: none of its own; what `classify`, `receiver_of` or a callback raises comes through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Protocol
from zlib import crc32

from logparse.auto import AutoParser
from logparse.events import Delivery, Event, Removed, Unparsed
from logparse.postfix import RECLEN, records
from logparse.reason import LOCAL_AGENTS
from policyd.counters import OTHER, Counters, Tally, bucket_of
from policyd.sessions import Sessions, make_room
from rules.verdict import Verdict

__all__ = ["LOCAL", "Classify", "Pipeline", "ReceiverOf"]

LOCAL = "local"  # the receiver of what never left the machine
UNKNOWN = "unknown"

ReceiverOf = Callable[[str | None, str | None, str], str]  # host, address, recipient's domain
OnAttempt = Callable[[Delivery, str, Verdict | None], None]

_ACCEPTED = ("accepted", "eod")
_ATTEMPTS = frozenset({"sent", "deferred", "bounced", "tried"})
_QUEUE_AGAIN = frozenset({"deferred", "suspended", "held"})
_PATHS = ("/", "private/", "public/")  # a socket's path where an address would be

_CACHED = 65_536
_QUEUED = 512  # messages whose last receiver is remembered, for the line that says "expired"


class Classify(Protocol):
    """What judges a reply (`rules.Classifier.classify`)."""

    def __call__(
        self,
        reply: str,
        *,
        mx: str | None = None,
        receiver: str | None = None,
        stage: str | None = None,
        origin: str | None = "remote",
        dsn: str | None = None,
    ) -> Verdict: ...


class _Delays(dict[bytes, tuple[int, int]]):
    """Delay texts, each with its bucket and its microseconds: a log has few different ones."""

    def __missing__(self, text: bytes) -> tuple[int, int]:
        if len(self) >= _CACHED:
            self.clear()
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        found = self[text] = bucket_of(seconds)
        return found


class Pipeline:
    """See the module."""

    def __init__(
        self,
        classify: Classify,
        receiver_of: ReceiverOf,
        counters: Counters,
        *,
        on_attempt: OnAttempt | None = None,
        sent: bool = False,
        on_removed: Callable[[Removed], None] | None = None,
        on_unparsed: Callable[[Unparsed], None] | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self.counters = counters
        self._classify = classify
        self._receiver_of = receiver_of
        self._on_attempt = on_attempt
        self._sent = sent and on_attempt is not None
        self._on_removed = on_removed
        self._on_unparsed = on_unparsed
        self._parser = AutoParser(zone, removed=on_removed is not None)
        self._relays: dict[bytes, Tally] = {}
        self._delays = _Delays()
        self._sessions = Sessions()
        self._queued: dict[str, str] = {}

    def process(self, block: bytes, now: float) -> None:
        """Counts what `block` holds."""
        text = self._parser.plain(block)
        self.counters.lines += text.count(b"\n")
        last: re.Match[bytes] | None = None
        for record in records(text, self._on_removed is not None):
            if isinstance(record, bytes):
                event = self._parser.postfix.careful(record, now)
                if event is not None:
                    self._take(event)
                continue
            last = record
            if self._sent or not self._count_sent(record):
                delivery = self._parser.postfix.delivery(record, now)
                self._deliver(delivery)
                if delivery.outcome == "sent":
                    self._learn(record[7], delivery)
        if last is not None:
            self._saw(self._parser.postfix.stamps.posix(last[1], now))
        for event in self._parser.others(text, now):
            self._take(event)

    def _count_sent(self, record: re.Match[bytes]) -> bool:
        """The short cut for accepted mail; False: not that simple, go the long way."""
        status, text = record.group(15, 16)
        if status != b"sent" or text[:4] != b"250 " or text[-1:] != b")" or not text.isascii():
            return False
        if text[-2:-1].isspace() or record.end() - record.start(4) >= RECLEN:
            return False
        pid, queue_id, relay, total, a, b, c, d = record.group(3, 4, 7, 9, 10, 11, 12, 13)
        tally = self._relays.get(relay)
        if tally is None:
            return False
        outcomes = tally.outcomes
        outcomes["sent"] = outcomes.get("sent", 0) + 1
        known = self._delays
        before, in_queue, connect, send, whole = tally.delays
        bucket, in_a = known[a]
        before[bucket] += 1
        before[-1] += in_a
        bucket, in_b = known[b]
        in_queue[bucket] += 1
        in_queue[-1] += in_b
        bucket, microseconds = known[c]
        connect[bucket] += 1
        connect[-1] += microseconds
        bucket, microseconds = known[d]
        send[bucket] += 1
        send[-1] += microseconds
        bucket, microseconds = known[total]
        whole[bucket] += 1
        whole[-1] += microseconds
        tally.dirty = True
        if self._sessions.is_new(pid, (queue_id, in_a, in_b, crc32(text[:-1]))):
            replies = tally.replies
            replies[_ACCEPTED] = replies.get(_ACCEPTED, 0) + 1
        return True

    def _learn(self, relay: bytes, delivery: Delivery) -> None:
        """Remembers the row of a relay, so that its accepted mail can take the short cut."""
        if delivery.host is None or delivery.origin != "remote":
            return
        tally = self.counters.tallies.get(self._receiver(delivery))
        if tally is not None and tally.receiver != OTHER:
            if len(self._relays) >= _CACHED:
                self._relays.clear()
            self._relays[relay] = tally

    def _take(self, event: Event) -> None:
        """Counts one event, the long way."""
        if isinstance(event, Delivery):
            self._deliver(event)
        elif isinstance(event, Removed):
            if self._on_removed is not None:
                self._on_removed(event)
        else:
            self.counters.unparsed += 1
            if self._on_unparsed is not None:
                self._on_unparsed(event)

    def _deliver(self, delivery: Delivery) -> None:
        outcome = delivery.outcome
        receiver = self._receiver(delivery)
        tally = self.counters.tally(receiver)
        if outcome != "tried":
            tally.add_outcome(outcome)
        verdict: Verdict | None = None
        if outcome in _ATTEMPTS:
            self._delay(delivery, tally)
            fresh = self._sessions.fresh(delivery)
            if outcome != "sent":
                verdict = self._judge(delivery, receiver)
                if fresh and verdict.category == "unknown":
                    tally.unclassified += 1
            if fresh and (verdict is not None or delivery.origin == "remote"):
                category = verdict.category if verdict is not None else "accepted"
                tally.add_reply(category, delivery.stage or "none")
        if outcome in _QUEUE_AGAIN:
            self._queued.pop(delivery.queue_id, None)
            make_room(self._queued, _QUEUED)
            self._queued[delivery.queue_id] = receiver
        if self._on_attempt is not None and (self._sent or outcome != "sent"):
            self._on_attempt(delivery, receiver, verdict)
        if delivery.mta == "exim":
            self._saw(delivery.time)

    def _receiver(self, delivery: Delivery) -> str:
        if delivery.outcome == "expired" and not delivery.recipient:
            return self._queued.get(delivery.queue_id, UNKNOWN)
        if delivery.agent in LOCAL_AGENTS or (delivery.address or "").startswith(_PATHS):
            return LOCAL
        if delivery.mta == "exim" and delivery.host is None and delivery.outcome == "sent":
            return LOCAL
        domain = delivery.recipient.rpartition("@")[2].rstrip(".").lower()
        return self._receiver_of(delivery.host, delivery.address, domain)

    def _judge(self, delivery: Delivery, receiver: str) -> Verdict:
        return self._classify(
            delivery.reply,
            mx=delivery.host,
            receiver=None if ":" in receiver or receiver == UNKNOWN else receiver,
            stage=delivery.stage,
            origin=delivery.origin,
            dsn=delivery.dsn or None,
        )

    def _delay(self, delivery: Delivery, tally: Tally) -> None:
        for part, seconds in enumerate(delivery.delays or ()):
            tally.add_delay(part, seconds)
        if delivery.delays is not None or delivery.delay:
            tally.add_delay(4, delivery.delay)

    def _saw(self, when: float) -> None:
        if when > self.counters.last_time:
            self.counters.last_time = int(when)

    def use(self, classify: Classify, receiver_of: ReceiverOf) -> None:
        """Judges by other rules from now on."""
        self._classify = classify
        self._receiver_of = receiver_of
        self._relays.clear()

    def snapshot(self) -> dict[str, Any]:
        """What must be saved with the counters, as plain JSON values."""
        return {
            "sessions": self._sessions.snapshot(),
            "queued": [[queue_id, receiver] for queue_id, receiver in self._queued.items()],
            "parser": self._parser.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes a snapshot back."""
        self._sessions.restore(saved.get("sessions", ()))
        self._queued = dict(saved.get("queued", ()))
        self._parser.restore(saved.get("parser", {}))
