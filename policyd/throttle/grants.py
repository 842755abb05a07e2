"""Who was let go and is on the way: promised the next places, until its question is seen.

Contract: a grant belongs to a lane and a recipient domain, for the gate's question names no
message; the first question for that domain uses it. It holds no token: the token is taken at the
door, which is how a message may be let go a little before its turn. `way` is how long that takes.
Failure: none; what is not used in time is withdrawn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from policyd.throttle.evidence import Lane
from policyd.throttle.lane import LaneState
from policyd.throttle.message import Message, Part

__all__ = ["Grants"]

_Key = tuple[Lane, str]

_WAY = 0.15  # seconds from a release to its question, before any was seen
_WEIGHT = 0.1  # of the newest one in the mean
_MARGIN = 1.5
_LEAST, _MOST = 0.05, 1.0
_LATE = 5.0  # times the usual way, or
_SOON = 1.0  # seconds, after which others need not step back for a grant any more


class _Grant:
    __slots__ = ("expires", "message", "must", "part", "promised", "state")

    def __init__(
        self, state: LaneState, message: Message, part: Part, expires: float, must: bool
    ) -> None:
        self.state = state
        self.message = message
        self.part = part
        self.expires = expires  # 0.0: used or withdrawn
        self.must = must  # a real attempt, whatever the lane says
        self.promised = True  # counted with the lane


class Grants:
    """All grants that are out."""

    def __init__(self, lifetime: float, lost: Callable[[], None]) -> None:
        self._lifetime = lifetime
        self._lost = lost
        self._by_key: dict[_Key, deque[_Grant]] = {}
        self._by_age: deque[tuple[float, _Key, _Grant]] = deque()
        self._young: deque[tuple[float, _Grant]] = deque()
        self.way = _WAY

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def reserve(
        self, state: LaneState, message: Message, part: Part, now: float, *, must: bool = False
    ) -> None:
        """Promise a place to one transaction of a message that is about to be let go."""
        state.granted += 1
        grant = _Grant(state, message, part, now + self._lifetime, must)
        key = (state.lane, part.domain)
        self._by_key.setdefault(key, deque()).append(grant)
        self._by_age.append((grant.expires, key, grant))
        self._young.append((now + max(_SOON, _LATE * self.way), grant))

    def take(self, lane: Lane, domain: str, now: float) -> _Grant | None:
        """Use a grant for this question, if there is one."""
        waiting = self._by_key.get((lane, domain))
        while waiting:
            grant = waiting.popleft()
            if not waiting:
                del self._by_key[(lane, domain)]
            if grant.expires:
                took = now - (grant.expires - self._lifetime)
                self.way += _WEIGHT * (took - self.way)
                self._used(grant)
                return grant
        return None

    @property
    def ahead(self) -> float:
        """So many seconds before its turn a message had better be let go."""
        return min(max(_MARGIN * self.way, _LEAST), _MOST)

    def use(self, message: Message, lane: Lane, domain: str) -> bool:
        """A released message was delivered without a question: its own grant is used up."""
        waiting = self._by_key.get((lane, domain), ())
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
                self._lost()

    def withdraw(self, message: Message) -> None:
        """Withdraw all grants of a message that could not be let go."""
        for part in message.pending.values():
            key = (part.lane, part.domain)
            for grant in self._by_key.get(key, ()):
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
        if not any(grant.expires for grant in self._by_key.get(key, ())):
            self._by_key.pop(key, None)
