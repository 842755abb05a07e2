"""The book of waiting messages: what is held, since when, for which lanes, and who goes next.

Contract: pure. A message has parts, one per lane and recipient domain; it can only be let go as a
whole, which tries all its parts. Within a lane the next one is chosen by class share, then in turn
by sender, then oldest first; parts that are not due yet wait aside.
Failure: none; the book is bounded, and a message it forgot is retried by the MTA's own back-off.
Length: whichever way a part comes or goes, the same heaps, turns and tallies must agree.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count, islice

from policyd.throttle.book.mailboxes import Mailboxes
from policyd.throttle.book.message import Box, Message, Part
from policyd.throttle.book.waits import Waits
from policyd.throttle.evidence import Lane

__all__ = ["HoldBook"]

_CALM = 0.25  # seconds without news of a message that has several parts
_CALM_WIDE = 1.0  # or many, of which nobody knows yet when all were seen
_MANY = 5
_SWEPT = 2_000  # entries that may stand in queues for nothing


class _Turn:
    """One sender's waiting messages in one class of one lane."""

    __slots__ = ("heap", "virtual")

    def __init__(self, virtual: float) -> None:
        self.virtual = virtual
        self.heap: list[tuple[float, int, Message]] = []


class HoldBook:
    """All waiting messages, by queue id and by lane."""

    def __init__(self, limit: int, share: Callable[[str], float], patience: float = 20.0) -> None:
        self._limit = limit
        self._patience = patience
        self.share = share
        self._messages: dict[str, Message] = {}
        self._turns: dict[Lane, dict[str, dict[str, _Turn]]] = {}
        self._class_pass: dict[tuple[Lane, str], float] = {}
        self._aside: list[tuple[float, int, str, tuple[Lane, str]]] = []
        self.waits = Waits()
        self.mailboxes = Mailboxes()
        self._serial = count()
        self._pushed = 0  # entries of queues since they were made anew

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(list(self._messages.values()))

    def get(self, queue_id: str) -> Message | None:
        """The message with this queue id, if something of it is known."""
        return self._messages.get(queue_id)

    def waiting(self, lane: Lane) -> int:
        """Parts waiting for a lane, due or not."""
        return self.waits.parts(lane)

    def ready(self, lane: Lane) -> bool:
        """Whether something may wait for this lane alone, not for a time of its own."""
        return self.waits.parts(lane) > 0 and lane in self._turns

    def lanes(self) -> list[Lane]:
        """Lanes with something ready."""
        return list(self._turns)

    def message(self, queue_id: str, now: float, arrived: float = 0.0) -> Message:
        """The message, made known if it was not; the longest known makes room."""
        found = self._messages.get(queue_id)
        if found is None:
            if len(self._messages) >= self._limit:
                self.drop(next(iter(self._messages)))
            found = self._messages[queue_id] = Message(queue_id, now, arrived)
        return found

    def wait(
        self, message: Message, lane: Lane, domain: str, now: float, due: float,
        held: bool = False, box: Box | None = None,
    ) -> Part:  # fmt: skip
        """One more recipient of this part waits, until `due` at least; `held`: by our doing.

        `box`: its mailbox, if that is blamed.
        """
        key = (lane, domain)
        part = message.parts.get(key)
        message.last = now
        if part is None:
            earlier = message.pending.pop(key, None)
            part = message.parts[key] = Part(lane, domain, earlier.since if earlier else now)
            if earlier:
                part.refused = earlier.refused
                self.mailboxes.over(earlier)
            part.due, part.box = due, box
            part.held = held
            self.waits.begin(message, part)
            self._queue(message, part, now)
        else:
            self.waits.change(message, part, held)
            part.box = box if part.box == box else None
        if due > part.due:
            part.due = due
            self._queue(message, part, now)
        part.recipients += 1
        return part

    def _queue(self, message: Message, part: Part, now: float) -> None:
        self._pushed += 1
        if part.box is not None and part.due <= now:
            part.due = self.mailboxes.turn(part, now)
        if part.due > now:
            entry = (part.due, next(self._serial), message.queue_id, (part.lane, part.domain))
            heapq.heappush(self._aside, entry)
            return
        lane = part.lane
        if lane in message.queued:
            return
        message.queued.add(lane)
        classes = self._turns.setdefault(lane, {})
        senders = classes.setdefault(message.klass, {})
        if not senders:  # a class that comes back must not have saved up its turns
            floor = min(
                (self._class_pass.get((lane, k), 0.0) for k, s in classes.items() if s), default=0.0
            )
            key = (lane, message.klass)
            self._class_pass[key] = max(self._class_pass.get(key, 0.0), floor)
        turn = senders.get(message.sender)
        if turn is None:
            turn = _Turn(min((t.virtual for t in senders.values()), default=0.0))
            senders[message.sender] = turn
        heapq.heappush(turn.heap, (part.since, next(self._serial), message))

    def hurry(self, lane: Lane, due: Callable[[float], float], now: float) -> None:
        """The greylisted parts of a lane need not wait for longer than this."""
        for message in self._messages.values():
            for part in message.parts.values():
                if part.lane == lane and part.grey and part.due > max(now, due(part.grey)):
                    part.due = max(now, due(part.grey))
                    self._queue(message, part, now)

    def ripen(self, now: float) -> None:
        """Move what has become due to its lane's queue."""
        while self._aside and self._aside[0][0] <= now:
            _, _, queue_id, key = heapq.heappop(self._aside)
            message = self._messages.get(queue_id)
            part = message.parts.get(key) if message else None
            if message is not None and part is not None:
                self._queue(message, part, now)

    def sweep(self, now: float) -> None:
        """Make the queues anew when most of what stands there may have left: nobody may look."""
        if self._pushed < 4 * len(self._messages) + _SWEPT:
            return
        old, self._turns, self._aside = self._turns, {}, []
        for message in self._messages.values():
            message.queued.clear()
            for part in message.parts.values():
                self._queue(message, part, now)
        for lane, classes in self._turns.items():
            for klass, senders in classes.items():
                before = old.get(lane, {}).get(klass, {})
                for sender, turn in senders.items():
                    turn.virtual = before[sender].virtual if sender in before else turn.virtual
        self._pushed = 0

    def next_due(self) -> float | None:
        """When the next part that waits aside becomes due."""
        return self._aside[0][0] if self._aside else None

    def peek(self, lane: Lane, now: float) -> Message | None:
        """Whose turn it is in a lane."""
        classes = self._turns.get(lane)
        while classes:
            klass = min(classes, key=lambda k: self._class_pass.get((lane, k), 0.0))
            senders = classes[klass]
            while senders:
                sender = min(senders, key=lambda s: (senders[s].virtual, senders[s].heap[0][:2]))
                heap = senders[sender].heap
                while heap and not self._ready(heap[0][2], lane, now):
                    self._later(heapq.heappop(heap)[2], lane, now)
                if heap:
                    return heap[0][2]
                del senders[sender]
            del classes[klass]
            self._class_pass.pop((lane, klass), None)
        self._turns.pop(lane, None)
        return None

    def candidates(self, lane: Lane, now: float, most: int) -> list[Message]:
        """Some messages that may go by now, whosever turn it is."""
        senders = [turn for turns in self._turns.get(lane, {}).values() for turn in turns.values()]
        standing = (entry[2] for turn in senders for entry in turn.heap)
        return [one for one in islice(standing, most) if self._ready(one, lane, now)]

    def _ready(self, message: Message, lane: Lane, now: float) -> bool:
        """Whether something of this message waits for this lane and may go by now.

        While the MTA is busy with it, letting it go has no effect: so a message with several
        parts waits until all that was let go has been seen again, and no more of it comes.
        """
        if self._messages.get(message.queue_id) is not message:
            return False
        if not any(part.lane == lane and part.due <= now for part in message.parts.values()):
            return False
        if message.pending and now - message.released < self._patience:
            return False
        parts = len(message.parts)
        if parts > _MANY and message.tries == 0:
            return now - message.last >= _CALM_WIDE
        return (parts == 1 and message.tries == 0) or now - message.last >= _CALM

    def _later(self, message: Message, lane: Lane, now: float) -> None:
        """What was not ready is looked at again soon, if it still waits at all."""
        message.queued.discard(lane)
        if self._messages.get(message.queue_id) is not message:
            return
        for key, part in message.parts.items():
            if part.lane == lane and part.due <= now:
                entry = (now + _CALM, next(self._serial), message.queue_id, key)
                heapq.heappush(self._aside, entry)
                return

    def charge(self, lane: Lane, message: Message, tokens: int) -> None:
        """Count a turn that was taken: the class and the sender step back by what it cost."""
        key = (lane, message.klass)
        share = self.share(message.klass)
        self._class_pass[key] = self._class_pass.get(key, 0.0) + tokens / share
        turn = self._turns.get(lane, {}).get(message.klass, {}).get(message.sender)
        if turn is not None:
            turn.virtual += tokens

    def release(self, message: Message, now: float) -> None:
        """The message is let go: all its parts are on their way."""
        for part in message.parts.values():
            self.waits.end(message, part)
            part.asked = False
            message.pending[(part.lane, part.domain)] = part
        message.parts = {}
        message.released = now
        message.tries += 1

    def oldest(self) -> Iterator[Message]:
        """Messages in the order in which they became known; do not drop any meanwhile."""
        return iter(self._messages.values())

    def put_back(self, message: Message, parts: list[Part], now: float, due: float) -> None:
        """What was let go and never seen waits again."""
        for part in parts:
            key = (part.lane, part.domain)
            message.pending.pop(key, None)
            if key in message.parts:
                continue
            part.due = due
            message.parts[key] = part
            self.waits.begin(message, part)
            self._queue(message, part, now)

    def move_part(self, message: Message, lane: Lane, domain: str, now: float) -> None:
        """What of this domain waits behind another lane of the same receiver, waits behind this."""
        for known in (message.parts, message.pending):
            other = [k for k in known if k[1] == domain and k[0] != lane and k[0][:2] == lane[:2]]
            for key in other:
                part = known.pop(key)
                self.waits.end(message, part)  # if it does wait
                part.lane = lane
                if known.setdefault((lane, domain), part) is part and known is message.parts:
                    self.waits.begin(message, part)
                    self._queue(message, part, now)

    def settle(self, message: Message, lane: Lane, domain: str) -> None:
        """This part is done (or was refused for good)."""
        key = (lane, domain)
        if (earlier := message.pending.pop(key, None)) is not None:
            self.mailboxes.over(earlier)
        part = message.parts.pop(key, None)
        if part is not None:
            self.waits.end(message, part)
        if not message.parts and not message.pending:
            self._messages.pop(message.queue_id, None)

    def drop(self, queue_id: str) -> None:
        """The message left the queue."""
        message = self._messages.pop(queue_id, None)
        if message is not None:
            for part in (*message.parts.values(), *message.pending.values()):
                self.waits.end(message, part)
                self.mailboxes.over(part)

    def move(self, message: Message, sender: str, klass: str, now: float) -> None:
        """Its sender became known: queue it where it belongs."""
        if (message.sender, message.klass) == (sender, klass):
            return
        message.sender, message.klass = sender, klass
        message.queued.clear()
        for part in message.parts.values():
            if part.due <= now:
                self._queue(message, part, now)
