"""Which log lines tell the same reply: one transaction that failed or went through as a whole.

When a session fails for several recipients at once (greeting, MAIL, DATA, end of data), an MTA logs
the one reply once per recipient. For Postfix the lines of one transaction share the delivery
agent's process, the queue id, the times before and in the queue (fixed when the message is handed
to the agent, different at the next attempt) and the reply. Exim logs the lines of one delivery
process of a message together.

Contract: `fresh(delivery)` is False for the second and further lines of such a reply; `is_new` is
the same question from the bare values. The last transaction of `KEPT` agents is remembered, oldest
forgotten first, so the answer depends on the lines only, not on how they were cut into blocks.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any
from zlib import crc32

from logparse.events import Delivery
from logparse.record import seconds_of

__all__ = ["KEPT", "Session", "Sessions", "make_room"]

# Postfix: queue id, times before and in the queue (as logged, in seconds, or whole microseconds),
# reply or its checksum: texts become numbers only where two are to be compared, or kept;
# Exim: address, whole seconds, nothing, checksum
Session = tuple[bytes, float | bytes, float | bytes, int | bytes]

KEPT = 512  # agents
_TOGETHER = 30  # seconds; no Exim retries a message that soon


def make_room(table: dict[Any, Any], size: int) -> None:
    """Forgets the oldest entries of a full table, several at once: that is cheap on average."""
    if len(table) >= size:
        for key in list(islice(table, max(1, size // 8))):
            del table[key]


def _microseconds(time: float | bytes) -> int:
    if isinstance(time, int):
        return time
    return round((seconds_of(time) if isinstance(time, bytes) else time) * 1_000_000)


def _numbers(session: Session) -> tuple[int, int, int]:
    """What a session holds beside its queue id, without any text."""
    _, a, b, reply = session
    checksum = crc32(reply) if isinstance(reply, bytes) else reply
    return _microseconds(a), _microseconds(b), checksum


def _same(one: Session, other: Session) -> bool:
    """Whether two transactions of one message are the same one."""
    if isinstance(one[3], bytes) and isinstance(other[3], bytes) and one[3] != other[3]:
        return False  # spares the reading of numbers
    return one == other or _numbers(one) == _numbers(other)


class Sessions:
    """The last transaction of each delivery agent."""

    def __init__(self) -> None:
        self.last: dict[bytes, Session] = {}  # by agent

    def fresh(self, delivery: Delivery) -> bool:
        """Whether this is the first line that tells this reply."""
        if delivery.stage == "rcpt":
            return True  # each recipient got an answer of its own
        reply, queue_id = delivery.reply.encode("utf-8", "replace"), delivery.queue_id.encode()
        if delivery.mta == "exim":
            address = (delivery.address or delivery.host or "").encode()
            return self.is_new_exim(queue_id, address, int(delivery.time), crc32(reply))
        a, b = (delivery.delays or (0.0, 0.0))[:2]
        return self.is_new(b"%d" % delivery.pid, (queue_id, a, b, reply))

    def is_new(self, key: bytes, session: Session) -> bool:
        """Whether `session` is another one than the last of this agent; remembers it."""
        last = self.last
        known = last.get(key)
        if known is None:
            make_room(last, KEPT)
        elif known[0] == session[0] and _same(known, session):
            return False
        last[key] = session
        return True

    def is_new_exim(self, queue_id: bytes, address: bytes, when: int, reply: int) -> bool:
        """The same for Exim; lines of one transaction may be some seconds apart."""
        last = self.last
        known = last.get(queue_id)
        if known is None:
            make_room(last, KEPT)
        last[queue_id] = (address, when, 0, reply)
        if known is None or known[0] != address or known[3] != reply:
            return True
        return abs(when - int(known[1])) > _TOGETHER

    def snapshot(self) -> list[list[str | int]]:
        """What is remembered, oldest first, as plain JSON values."""
        return [
            [key.decode("latin-1"), session[0].decode("latin-1"), *_numbers(session)]
            for key, session in self.last.items()
        ]

    def restore(self, saved: Iterable[Sequence[Any]]) -> None:
        """Takes a snapshot back."""
        self.last.clear()
        for key, first, a, b, reply in saved:
            self.last[key.encode("latin-1")] = (first.encode("latin-1"), a, b, reply)
