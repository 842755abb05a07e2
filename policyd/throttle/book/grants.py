"""Who was let go and is on the way: promised the next places, until its question is seen.

Contract: a grant belongs to a message, a lane and a recipient domain. The gate's question names no
message, but the asking client has locked its queue file, whose inode the queue id names: where that
is seen, only the message itself uses its grant, else the first question for that domain does. It
holds no token: the token is taken at the door, which is how a message may be let go a little before
its turn. `way` is how long that takes; `counts` tells how those who asked were known.
Failure: none; what is not used in time is withdrawn. Where locks and queue ids number files
differently nobody must be shut out: the inodes of a device are believed only once one has fitted a
promise, and until a promise is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from policyd.throttle.book.message import Message, Part
from policyd.throttle.book.queueid import Locked, inode_of, is_named
from policyd.throttle.evidence import Lane
from policyd.throttle.lane.state import LaneState

__all__ = ["Grants", "Who", "nobody"]

# which message asks: the queue file that its client has locked, or its id where the question names
# it; None: not seen
Who = Callable[[], Locked | str | None]
_Key = tuple[Lane, str]

_WAY = 0.15  # seconds from a release to its question, before any was seen
_WEIGHT = 0.1  # of the newest one in the mean
_MARGIN = 1.5
_LEAST, _MOST = 0.05, 1.0
_LATE = 5.0  # times the usual way, or
_SOON = 1.0  # seconds, after which others need not step back for a grant any more


def nobody() -> None:
    """A `Who` that sees no locked queue file."""


class _Grant:
    __slots__ = ("expires", "inode", "message", "must", "named", "part", "promised", "state")

    def __init__(
        self, state: LaneState, message: Message, part: Part, expires: float, must: bool
    ) -> None:
        self.state = state
        self.message = message
        self.inode = inode_of(message.queue_id)
        self.named = is_named(message.queue_id)
        self.part = part
        self.expires = expires  # 0.0: used or withdrawn
        self.must = must  # a real attempt, whatever the lane says
        self.promised = True  # counted with the lane


class Grants:
    """All grants that are out."""

    def __init__(self, lifetime: float, lost: Callable[[], None]) -> None:
        self._lifetime = lifetime
        self._lost = lost
        self.out: dict[_Key, deque[_Grant]] = {}
        self._by_age: deque[tuple[float, _Key, _Grant]] = deque()
        self._young: deque[tuple[float, _Grant]] = deque()
        self._believed: set[str] = set()  # devices whose inodes have been those of queue ids
        self.counts = {"message": 0, "domain": 0, "other": 0}
        self.way = _WAY

    def reserve(
        self, state: LaneState, message: Message, part: Part, now: float, *, must: bool = False
    ) -> None:
        """Promise a place to one transaction of a message that is about to be let go."""
        state.granted += 1
        grant = _Grant(state, message, part, now + self._lifetime, must)
        key = (state.lane, part.domain)
        self.out.setdefault(key, deque()).append(grant)
        self._by_age.append((grant.expires, key, grant))
        self._young.append((now + max(_SOON, _LATE * self.way), grant))

    def take(self, lane: Lane, domain: str, now: float, who: Who = nobody) -> _Grant | None:
        """Use a grant for this question, if there is one for who asks."""
        waiting = self.out.get((lane, domain))
        if not waiting:
            return None
        grant = self._choose(waiting, who())
        if grant is not None:
            took = now - (grant.expires - self._lifetime)
            self.way += _WEIGHT * (took - self.way)
            self._used(grant)
        while waiting and not waiting[0].expires:
            waiting.popleft()
        if not waiting:
            del self.out[(lane, domain)]
        return grant

    def _choose(self, waiting: deque[_Grant], asker: Locked | str | None) -> _Grant | None:
        """Its own grant; the oldest where it cannot be known whose that is."""
        if isinstance(asker, str):
            named = (one for one in waiting if one.expires and one.message.queue_id == asker)
            own = next(named, None)
            self.counts["other" if own is None else "message"] += 1
            return own
        live = (grant for grant in waiting if grant.expires and not grant.named)
        if asker is None:
            self.counts["domain"] += 1
            return next(live, None)
        own = next((grant for grant in live if grant.inode == asker.inode), None)
        if own is not None:
            self._believed.add(asker.device)
            self.counts["message"] += 1
        elif asker.device in self._believed:
            self.counts["other"] += 1
        else:
            return self._choose(waiting, None)
        return own

    @property
    def ahead(self) -> float:
        """So many seconds before its turn a message had better be let go."""
        return min(max(_MARGIN * self.way, _LEAST), _MOST)

    def use(self, message: Message, lane: Lane, domain: str) -> bool:
        """A released message was delivered without a question: its own grant is used up."""
        waiting = self.out.get((lane, domain), ())
        for grant in waiting:
            if grant.message is message and grant.expires:
                self._used(grant)
                self._forget((lane, domain))
                return True
        return False

    def expire(self, now: float) -> None:
        """Withdraw grants that nobody used in time; those that are late keep nobody waiting."""
        while self._young and self._young[0][0] <= now:
            grant = self._young.popleft()[1]
            if grant.state.state != "probing":
                self._unpromise(grant)
        while self._by_age and self._by_age[0][0] <= now:
            _, key, grant = self._by_age.popleft()
            if grant.expires:
                self._end(grant)
                self._forget(key)
                self._believed.clear()
                self._lost()

    def withdraw(self, message: Message) -> None:
        """Withdraw all grants of a message that could not be let go."""
        for part in message.pending.values():
            key = (part.lane, part.domain)
            for grant in self.out.get(key, ()):
                if grant.message is message and grant.expires:
                    self._end(grant)
            self._forget(key)

    def _used(self, grant: _Grant) -> None:
        grant.part.asked = True
        self._end(grant)

    def _end(self, grant: _Grant) -> None:
        grant.expires = 0.0
        self._unpromise(grant)

    @staticmethod
    def _unpromise(grant: _Grant) -> None:
        if grant.promised:
            grant.promised = False
            grant.state.granted -= 1

    def _forget(self, key: _Key) -> None:
        """No grant of this key is out any more: neither is the key."""
        if not any(grant.expires for grant in self.out.get(key, ())):
            self.out.pop(key, None)
