"""Tokens reserved for released messages, until their question is seen or they expire.

Contract: a grant belongs to a lane and a recipient domain, for the gate's question names no
message; the first question for that domain uses it. What is not used in time goes back to the
bucket.
Failure: none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from policyd.throttle.evidence import Lane
from policyd.throttle.lane import LaneState
from policyd.throttle.message import Message, Part

__all__ = ["Grants"]

_Key = tuple[Lane, str]


class _Grant:
    __slots__ = ("epoch", "expires", "message", "part", "state")

    def __init__(self, state: LaneState, message: Message, part: Part, expires: float) -> None:
        self.state = state
        self.epoch = state.epoch
        self.message = message
        self.part = part
        self.expires = expires  # 0.0: used or given back


class Grants:
    """All grants that are out."""

    def __init__(self, lifetime: float, lost: Callable[[], None]) -> None:
        self._lifetime = lifetime
        self._lost = lost
        self._by_key: dict[_Key, deque[_Grant]] = {}
        self._by_age: deque[tuple[float, _Key, _Grant]] = deque()

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def reserve(self, state: LaneState, message: Message, part: Part, now: float) -> None:
        """Take a token for one transaction of a message that is about to be let go."""
        state.use(now)
        state.granted += 1
        grant = _Grant(state, message, part, now + self._lifetime)
        key = (state.lane, part.domain)
        self._by_key.setdefault(key, deque()).append(grant)
        self._by_age.append((grant.expires, key, grant))

    def take(self, lane: Lane, domain: str) -> bool:
        """Use a grant for this question, if there is one."""
        waiting = self._by_key.get((lane, domain))
        while waiting:
            grant = waiting.popleft()
            if not waiting:
                del self._by_key[(lane, domain)]
            if grant.expires:
                grant.expires = 0.0
                grant.part.asked = True
                grant.state.granted -= 1
                return True
        return False

    def use(self, message: Message, lane: Lane, domain: str) -> bool:
        """A released message was delivered without a question: its own grant paid for it."""
        waiting = self._by_key.get((lane, domain), ())
        for grant in waiting:
            if grant.message is message and grant.expires:
                grant.expires = 0.0
                grant.part.asked = True
                grant.state.granted -= 1
                if not any(g.expires for g in waiting):
                    del self._by_key[(lane, domain)]
                return True
        return False

    def expire(self, now: float) -> None:
        """Return the tokens of grants that nobody used in time."""
        while self._by_age and self._by_age[0][0] <= now:
            _, key, grant = self._by_age.popleft()
            if grant.expires:
                self._return(key, grant)
                self._lost()

    def withdraw(self, message: Message) -> None:
        """Return all tokens of a message that could not be let go."""
        for part in message.pending.values():
            key = (part.lane, part.domain)
            for grant in list(self._by_key.get(key, ())):
                if grant.message is message and grant.expires:
                    self._return(key, grant)

    def _return(self, key: _Key, grant: _Grant) -> None:
        grant.expires = 0.0
        grant.state.granted -= 1
        if grant.epoch == grant.state.epoch:
            grant.state.give_back()
        waiting = self._by_key.get(key)
        if waiting is not None and not any(g.expires for g in waiting):
            del self._by_key[key]
