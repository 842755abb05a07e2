"""Counts what a log says, for the report: bounded in memory, and mergeable over files.

Contract: `add` takes deliveries with their receiver and verdict in any order; `merge` adds another
tally, so that files can be read in parallel. Every table has a cap: what no longer fits is counted
under "other" or left without detail, and `spilled` tells how often that happened.
Failure: none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logparse.events import Delivery
from policyd.report.skeleton import skeleton
from rules.verdict import Verdict

__all__ = ["ATTEMPTS", "OTHER", "PARTS", "ReceiverTally", "Refusal", "Tally", "Text"]

ATTEMPTS: Final = ("sent", "deferred", "bounced")  # outcomes of attempts that were really made
PARTS: Final = ("total", "before_queue", "in_queue", "connect", "send")
OTHER: Final = "other"

_RECEIVERS = 4000
_REFUSALS = 5000
_TEXTS = 5000
_DOMAINS = 50_000
_SPEAKERS = 50  # receivers remembered for one text
_CELLS = 200_000  # hours and delays of all receivers together
_LOOK = 8192  # attempts between two looks at how many cells there are
_SAMPLE = 400

RefusalKey = tuple[str, str, str, str, str]  # receiver, outcome, category, rule, stage
TextKey = tuple[str, str]  # the words, their category
_REFUSED = {"deferred": 1, "bounced": 2}


@dataclass(slots=True)
class Refusal:
    """How often a receiver refused for one reason."""

    recipients: int = 0
    replies: int = 0  # a session that failed for several recipients counts once
    first: float = 0.0
    last: float = 0.0
    sample: str = ""


@dataclass(slots=True)
class Text:
    """A refusal's text without its changing parts: how often, since when, who, one sample."""

    count: int
    first: float
    last: float
    receiver: str  # the first to say it
    receivers: set[str]  # all who say it, as far as there is room
    rule: str
    sample: str


@dataclass(slots=True)
class ReceiverTally:
    """What one receiver did with our mail."""

    outcomes: Counter[str] = field(default_factory=Counter)
    hours: dict[int, list[int]] = field(default_factory=dict)  # hour → ATTEMPTS
    delays: tuple[dict[float, int], ...] = field(default_factory=lambda: tuple({} for _ in PARTS))
    domains: dict[str, int] = field(default_factory=dict)
    detailed: bool = True  # False: hours and delays were given up for lack of room

    @property
    def attempts(self) -> int:
        """Attempts that were really made."""
        return sum(self.outcomes[outcome] for outcome in ATTEMPTS)


@dataclass
class Tally:
    """All that the report is made from."""

    lines: int = 0
    bytes: int = 0
    unparsed: int = 0
    undated: int = 0
    gap: int = 0
    first: float = 0.0
    last: float = 0.0
    receivers: dict[str, ReceiverTally] = field(default_factory=dict)
    refusals: dict[RefusalKey, Refusal] = field(default_factory=dict)
    texts: dict[TextKey, Text] = field(default_factory=dict)
    spilled: Counter[str] = field(default_factory=Counter)
    _unlooked: int = 0
    _domains: int = 0
    _previous: tuple[object, ...] = ()

    def add(self, delivery: Delivery, receiver: str, verdict: Verdict | None) -> None:
        """One recipient's result; `verdict` where the reply was judged."""
        time, outcome = delivery.time, delivery.outcome
        self.saw(time)
        row = self.receivers.get(receiver) or self._receiver(receiver)
        row.outcomes[outcome] += 1
        if outcome not in ATTEMPTS:
            return
        recipient = delivery.recipient
        self._domain(row, recipient[recipient.rfind("@") + 1 :], 1)
        if row.detailed:
            self._details(row, delivery)
        if outcome in _REFUSED and verdict is not None:
            self._refused(delivery, receiver, verdict)

    def saw(self, time: float) -> None:
        """A delivery happened at this time."""
        if time > self.last:
            self.last = time
        if time < self.first or not self.first:
            self.first = time

    def add_sent(
        self,
        receiver: str,
        hours: Mapping[int, int],
        domains: Mapping[str, int],
        delays: Sequence[Mapping[float, int]],
    ) -> None:
        """Accepted mail counted already, `delays` in the order of `PARTS`; `look` comes after."""
        row = self._receiver(receiver)
        row.outcomes["sent"] += sum(hours.values())
        for domain, count in domains.items():
            self._domain(row, domain, count)
        if row.detailed:
            for hour, count in hours.items():
                row.hours.setdefault(hour, [0, 0, 0])[0] += count
            for known, more in zip(row.delays, delays, strict=True):
                for value, count in more.items():
                    seconds = _rounded(value)
                    known[seconds] = known.get(seconds, 0) + count

    def merge(self, other: Tally) -> None:
        """Adds what another tally counted."""
        self.lines += other.lines
        self.bytes += other.bytes
        self.unparsed += other.unparsed
        self.undated += other.undated
        self.gap += other.gap
        self.first = min(filter(None, (self.first, other.first)), default=0.0)
        self.last = max(self.last, other.last)
        self.spilled += other.spilled
        for name, theirs in other.receivers.items():
            self._merge_receiver(name, theirs)
        self.look()
        for key, refusal in other.refusals.items():
            mine = self._refusal(key, refusal.first, refusal.sample)
            mine.recipients += refusal.recipients
            mine.replies += refusal.replies
            if refusal.first < mine.first:
                mine.first, mine.sample = refusal.first, refusal.sample
            mine.last = max(mine.last, refusal.last)
        for place, text in other.texts.items():
            self._text(place, replace(text, receivers={*text.receivers}))  # the other's stays

    def _receiver(self, name: str) -> ReceiverTally:
        row = self.receivers.get(name)
        if row is None:
            if len(self.receivers) >= _RECEIVERS and name != OTHER:
                self.spilled["receivers"] += 1
                return self._receiver(OTHER)
            row = self.receivers[name] = ReceiverTally()
        return row

    def _domain(self, row: ReceiverTally, name: str, count: int) -> None:
        domain, domains = name.lower(), row.domains
        if domain in domains:
            domains[domain] += count
        elif self._domains < _DOMAINS:
            self._domains += 1
            domains[domain] = count
        else:
            self.spilled["domains"] += count

    def _details(self, row: ReceiverTally, delivery: Delivery) -> None:
        hour = int(delivery.time // 3600)
        slot = row.hours.get(hour)
        if slot is None:
            slot = row.hours[hour] = [0, 0, 0]
        slot[_REFUSED.get(delivery.outcome, 0)] += 1
        if delivery.outcome == "sent" and (delivery.delays is not None or delivery.delay):
            parts = delivery.delays or ()  # Exim logs the whole delay only
            for known, value in zip(row.delays, (delivery.delay, *parts), strict=False):
                seconds = _rounded(value)
                known[seconds] = known.get(seconds, 0) + 1
        self._unlooked += 1
        if self._unlooked >= _LOOK:
            self.look()

    def _refused(self, delivery: Delivery, receiver: str, verdict: Verdict) -> None:
        """Counts the reason, and the text where it is not the same session's once more."""
        reply, time = delivery.reply, delivery.time
        stage, rule = delivery.stage or "", verdict.rule or ""
        key = (receiver, delivery.outcome, verdict.category, rule, stage)
        refusal = self._refusal(key, time, reply)
        refusal.recipients += 1
        refusal.last = max(refusal.last, time)
        if time < refusal.first:  # lines need not be in order
            refusal.first, refusal.sample = time, reply[:_SAMPLE]
        session = (delivery.queue_id, delivery.host, delivery.delays, reply)
        if stage != "rcpt" and session == self._previous:
            return
        self._previous = session
        refusal.replies += 1
        text = Text(1, time, time, receiver, {receiver}, rule, reply[:_SAMPLE])
        self._text((skeleton(reply), verdict.category), text)

    def _refusal(self, key: RefusalKey, time: float, sample: str) -> Refusal:
        refusal = self.refusals.get(key)
        if refusal is None:
            if len(self.refusals) >= _REFUSALS and key[0] != OTHER:
                self.spilled["refusals"] += 1
                return self._refusal((OTHER, key[1], key[2], "", ""), time, sample)
            refusal = self.refusals[key] = Refusal(0, 0, time, time, sample[:_SAMPLE])
        return refusal

    def _text(self, place: TextKey, text: Text) -> None:
        mine = self.texts.get(place)
        if mine is None:
            if len(self.texts) < _TEXTS:
                self.texts[place] = text
            else:
                self.spilled["texts"] += 1
            return
        mine.count += text.count
        mine.last = max(mine.last, text.last)
        if len(mine.receivers) < _SPEAKERS:
            mine.receivers |= text.receivers
        if text.first < mine.first:
            mine.first, mine.receiver, mine.sample = text.first, text.receiver, text.sample

    def _merge_receiver(self, name: str, theirs: ReceiverTally) -> None:
        row = self._receiver(name)
        row.outcomes.update(theirs.outcomes)
        for domain, count in theirs.domains.items():
            self._domain(row, domain, count)
        if not (row.detailed and theirs.detailed):
            self._drop_details(row)
            return
        for hour, counts in theirs.hours.items():
            slot = row.hours.setdefault(hour, [0, 0, 0])
            slot[:] = map(sum, zip(slot, counts, strict=True))
        for known, more in zip(row.delays, theirs.delays, strict=True):
            for seconds, count in more.items():
                known[seconds] = known.get(seconds, 0) + count

    def look(self) -> None:
        """While hours and delays are too many, the smaller half of the receivers gives them up."""
        self._unlooked = 0
        while self._cells() > _CELLS:
            detailed = sorted(
                (row for row in self.receivers.values() if row.detailed),
                key=lambda row: row.outcomes.total(),
            )
            for row in detailed[: max(1, len(detailed) // 2)]:
                self._drop_details(row)
                self.spilled["details"] += 1

    def _cells(self) -> int:
        return sum(len(r.hours) + sum(map(len, r.delays)) for r in self.receivers.values())

    def _drop_details(self, row: ReceiverTally) -> None:
        row.detailed = False
        row.hours.clear()
        for known in row.delays:
            known.clear()


def _rounded(seconds: float) -> float:
    """Two significant digits are enough for a percentile, and few enough to count."""
    return seconds if seconds < 100 else float(f"{seconds:.2g}")
