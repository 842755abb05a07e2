"""The hot path: from blocks of log lines to counters and evidence.

Contract: `Pipeline.process(block, now)` takes whole lines of one machine; `read` takes them as
`AutoParser.parts` gives them. Per delivery record it finds the
receiver, judges the reply, counts, and calls `on_attempt(delivery, receiver, verdict)`; for
accepted mail only if `sent` is set, because that is most of a log. The verdict is None where there
is no fresh reply to judge: accepted, echoed ("suspended"), held, expired, probes. Recipients count
one by one in "deliveries"; a reply that several recipients of one transaction share counts once in
"replies" (each refused RCPT is a reply of its own). Accepted mail no callback is told of takes
fast paths that build no values; a test holds both ways to the same numbers. Who counts accepted
mail in another manner brings fast paths of his own (`quick`): `on_attempt` is then told of the
accepted mail that could not take it, and the counters miss the rest. `on_text` gets each block's
plain lines first; who takes it reads by himself there which messages Postfix removed.

`snapshot()` is what must be saved together with the counters so that a restart in the middle of a
transaction counts nothing twice; `restore` takes it back.
Failure: none of its own; what `classify`, `receiver_of` or a callback raises comes through.
Length: each kind of line goes one way through it, and all ways end in the same counters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, ClassVar, Protocol

from logparse.auto import AutoParser
from logparse.events import Delivery, Event, Removed, Unparsed
from logparse.exim_lines import Found
from logparse.machines import MachineLines
from logparse.reason import LOCAL_AGENTS
from policyd.counting.counters import Counters
from policyd.counting.fastpath import Delays, EximPath, FastPath, PostfixPath
from policyd.counting.fastpath_exim import EximFastPath
from policyd.counting.logclock import LogClock
from policyd.counting.receivercounts import ReceiverCounts
from policyd.counting.sessions import Sessions, make_room
from rules.verdict import Verdict

__all__ = ["LOCAL", "Classify", "Pipeline", "ReceiverOf"]

LOCAL = "local"  # the receiver of what never left the machine
UNKNOWN = "unknown"

ReceiverOf = Callable[[str | None, str | None, str], str]  # host, address, recipient's domain
Take = Callable[[re.Match[bytes]], bool]
OnAttempt = Callable[[Delivery, str, Verdict | None], None]

_ATTEMPTS = frozenset({"sent", "deferred", "bounced", "tried"})
_QUEUE_AGAIN = frozenset({"deferred", "suspended", "held"})
_PATHS = ("/", "private/", "public/")  # a socket's path where an address would be

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
        now: float | None = None,
    ) -> Verdict: ...


class Pipeline:
    """See the module."""

    SAVED: ClassVar = {
        "sessions": [(str, str, int, int, int)],
        "queued": [(str, str)],
        "parser": AutoParser.SAVED,
    }

    def __init__(
        self,
        classify: Classify,
        receiver_of: ReceiverOf,
        counters: Counters,
        *,
        on_attempt: OnAttempt | None = None,
        sent: bool = False,
        on_removed: Callable[[Removed], None] | None = None,
        on_text: Callable[[bytes], None] | None = None,
        on_unparsed: Callable[[Unparsed], None] | None = None,
        zone: tzinfo | None = None,
        sessions: Sessions | None = None,
        quick: PostfixPath | None = None,
        quick_exim: EximPath | None = None,
        neighbours: bool = False,
        delays: Delays | None = None,
    ) -> None:
        self.counters = counters
        self._classify = classify
        self._receiver_of = receiver_of
        self._on_attempt = on_attempt
        self._sent = sent and on_attempt is not None
        self._on_removed = on_removed
        self._on_text = on_text
        self._on_unparsed = on_unparsed
        self._parser = AutoParser(
            zone,
            removed=on_removed is not None,
            postfix_removed=on_text is None,
            neighbours=neighbours,
        )
        self._delays = Delays() if delays is None else delays
        self._sessions = sessions or Sessions()
        self._takes = not self._sent or quick is not None
        self._quick = quick or FastPath(counters, self._sessions, self._delays)
        self._quick_exim = quick_exim or EximFastPath(counters, self._sessions, self._delays)
        self._tell_sent = self._sent or (quick is not None and on_attempt is not None)
        self._queued: dict[str, str] = {}
        self.by_outcome: dict[str, int] | None = None  # recipients, where somebody wants to know
        self.stamps = self._parser.stamps
        self.clock = LogClock(self.stamps, counters)

    def process(self, block: bytes, now: float) -> None:
        """Counts what `block` holds, as of one machine."""
        self.read(self._parser.whole(block, now), now)
        self.unread(self._parser.unread())

    def read(self, part: MachineLines, now: float) -> None:
        """Counts plain lines."""
        self.counters.lines += part.lines
        if self._on_text is not None:
            self._on_text(part.text)
        if part.telling != []:
            self._postfix(part, now)
        if part.exim:
            self._exim(part.exim, now)
        self.counters.undated += self._parser.take_undated()
        self.clock.look(part.text, now)

    def unread(self, found: Iterable[Unparsed]) -> None:
        """Counts lines that look like a delivery."""
        for event in found:
            self._take(event)

    def _postfix(self, part: MachineLines, now: float) -> None:
        """Counts Postfix's lines."""
        take: Take | None = self._quick.postfix if self._takes else None
        if take is not None and self.by_outcome is not None:
            take = _counted(take, self.by_outcome)
        scan = self._quick.scan if self.by_outcome is None else None
        for record in self._parser.postfix.records(part.text, take, part.telling, scan):
            if isinstance(record, bytes):
                event = self._parser.postfix.careful(record, now)
                if event is not None:
                    self._take(event)
            else:
                delivery = self._parser.postfix.delivery(record, now)
                self._deliver(delivery)
                self._learn(self._quick, record[7], delivery)

    def _exim(self, found: Sequence[Found], now: float) -> None:
        """Counts lines of Exim's."""
        parser = self._parser.exim
        lines: Iterable[tuple[bytes, bytes]] = ((line, b"") for line, *_ in found)
        if not self._sent:
            lines = self._quick_exim.exim(found, parser.stamps, now)
        taken = len(found)
        for line, relay in lines:
            taken -= 1
            event = parser.line(line, now)
            if event is not None:
                self._take(event)
                if relay and isinstance(event, Delivery):
                    self._learn(self._quick_exim, relay, event)
        if taken and self.by_outcome is not None:
            self.by_outcome["sent"] = self.by_outcome.get("sent", 0) + taken

    def _learn(self, quick: PostfixPath | EximPath, relay: bytes, delivery: Delivery) -> None:
        """Lets this relay's accepted mail take the fast path from now on."""
        if delivery.outcome == "sent" and delivery.host is not None and self._takes:
            quick.learn(relay, self._receiver(delivery))

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
        if self.by_outcome is not None:
            self.by_outcome[outcome] = self.by_outcome.get(outcome, 0) + 1
        receiver = self._receiver(delivery)
        tally = self.counters.tally(receiver)
        if outcome == "sent":
            tally.sent += 1
        elif outcome != "tried":
            tally.add_outcome(outcome)
        tally.dirty = True
        verdict: Verdict | None = None
        if outcome in _ATTEMPTS:
            self._delay(delivery, tally)
            fresh = self._sessions.fresh(delivery)
            if outcome != "sent":
                verdict = self._judge(delivery, receiver)
                if fresh and verdict.category == "unknown":
                    tally.unclassified += 1
            if fresh and verdict is not None:
                tally.add_reply(verdict.category, delivery.stage or "none")
            elif fresh and delivery.origin == "remote":
                tally.accepted += 1
        if outcome in _QUEUE_AGAIN:
            self._queue_again(delivery.queue_id, receiver)
        if self._on_attempt is not None and (self._tell_sent or outcome != "sent"):
            self._on_attempt(delivery, receiver, verdict)

    def _queue_again(self, queue_id: str, receiver: str) -> None:
        """Remembers whom a message waits for."""
        self._queued.pop(queue_id, None)
        make_room(self._queued, _QUEUED)
        self._queued[queue_id] = receiver

    def _receiver(self, delivery: Delivery) -> str:
        if delivery.outcome == "expired" and not delivery.recipient:
            return self._queued.get(delivery.queue_id, UNKNOWN)
        if delivery.mta == "exim":  # whose transports may have any name
            if delivery.host is None and (
                delivery.outcome == "sent" or delivery.agent in LOCAL_AGENTS
            ):
                return LOCAL
        elif delivery.agent in LOCAL_AGENTS or (delivery.address or "").startswith(_PATHS):
            return LOCAL
        domain = delivery.recipient.rpartition("@")[2].rstrip(".").lower()
        return self._receiver_of(delivery.host, delivery.address, domain)

    def _judge(self, delivery: Delivery, receiver: str) -> Verdict:
        return self._classify(
            delivery.reply,
            mx=delivery.host,
            receiver=_known(receiver),
            stage=delivery.stage,
            origin=delivery.origin,
            dsn=delivery.dsn or None,
            now=delivery.time,
        )

    def _delay(self, delivery: Delivery, tally: ReceiverCounts) -> None:
        known = self._delays
        if delivery.delays is not None:
            for part, seconds in enumerate(delivery.delays):
                tally.delays[part] += known[seconds]
        if delivery.delays is not None or delivery.delay:
            tally.delays[-1] += known[delivery.delay]

    def use(self, classify: Classify, receiver_of: ReceiverOf) -> None:
        """Judges by other rules from now on."""
        self._classify = classify
        self._receiver_of = receiver_of
        self._quick.forget()
        self._quick_exim.forget()

    def snapshot(self) -> dict[str, Any]:
        """What must be saved with the counters, as plain JSON values."""
        return {
            "sessions": self._sessions.snapshot(),
            "queued": [[queue_id, receiver] for queue_id, receiver in self._queued.items()],
            "parser": self._parser.snapshot(),
            "offset": self.clock.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes a snapshot back."""
        self._sessions.restore(saved.get("sessions", ()))
        self._queued = dict(saved.get("queued", ()))
        self._parser.restore(saved.get("parser", {}))
        self.clock.restore(saved.get("offset"))  # older snapshots have none


def _counted(take: Take, counts: dict[str, int]) -> Take:
    """The short cut, counting what takes it."""

    def taking(match: re.Match[bytes]) -> bool:
        if not take(match):
            return False
        counts["sent"] = counts.get("sent", 0) + 1
        return True

    return taking


def _known(receiver: str) -> str | None:
    """The receiver, if it is one that rules may know by name."""
    return None if ":" in receiver or receiver == UNKNOWN else receiver
