"""Who stays when there are more connections than places: whoever asks.

A place costs a stranger nothing, and Postfix, which would use it, finds the door closed. So when
all places are taken, who came in vain makes way for who comes: first those that never asked
anything, the oldest first; then those that are idle, the longest first. Postfix takes the end of an
idle connection for what it is, and connects anew.

Contract: no socket; time is an argument. `enter` finds a place, sending a guest away for it if it
must; who asked within `REGULAR` seconds or waits for our answer is never sent away. One peer (an
address, a process) has no more than its share. Costs no more for many guests than for few: who is
idle is looked up at most once a second.
Failure: `enter` says False when everybody who is there has a right to be.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

__all__ = ["REGULAR", "Guest", "Places"]

REGULAR = 10.0  # seconds; Postfix itself ends a socketmap connection that was idle for so long
_LOOK = 1.0  # seconds between two looks at who is idle


class Guest(Protocol):
    """One connection."""

    @property
    def peer(self) -> Hashable | None:
        """Who it belongs to; None: to nobody in particular."""

    @property
    def asked(self) -> int:
        """How many questions came on it."""

    @property
    def last(self) -> float:
        """When it came, or asked last."""

    @property
    def busy(self) -> bool:
        """Whether it waits for us."""

    def send_away(self, now: float) -> None:
        """End it."""


class _Room:
    """Some places, and who might leave them."""

    __slots__ = ("_idle", "_look", "_most", "_new", "guests")

    def __init__(self, most: int) -> None:
        self.guests: dict[Guest, None] = {}
        self._most = most
        self._new: dict[Guest, None] = {}  # nobody else is sure never to have asked
        self._idle: list[Guest] = []  # the longest idle last
        self._look = float("-inf")

    @property
    def full(self) -> bool:
        return len(self.guests) >= self._most

    def add(self, guest: Guest) -> None:
        self.guests[guest] = self._new[guest] = None

    def remove(self, guest: Guest) -> None:
        self.guests.pop(guest, None)
        self._new.pop(guest, None)

    def in_vain(self, now: float) -> Guest | None:
        """Who should make way."""
        while self._new:
            guest = next(iter(self._new))
            del self._new[guest]
            if not guest.asked:
                return guest
        if not self._idle and now >= self._look:
            self._look = now + _LOOK
            idle = [guest for guest in self.guests if self._is_idle(guest, now)]
            self._idle = sorted(idle, key=lambda guest: guest.last, reverse=True)
        while self._idle:
            guest = self._idle.pop()
            if guest in self.guests and self._is_idle(guest, now):
                return guest
        return None

    def _is_idle(self, guest: Guest, now: float) -> bool:
        return now - guest.last > REGULAR and not guest.busy


class Places:
    """The places of one kind of connection."""

    def __init__(self, most: int, most_of_peer: int) -> None:
        self._all = _Room(most)
        self._most_of_peer = most_of_peer
        self._peers: dict[Hashable, _Room] = {}

    def __len__(self) -> int:
        return len(self._all.guests)

    def enter(self, guest: Guest, now: float) -> bool:
        """Give it a place if there is one, or can be one."""
        rooms = [self._all]
        if guest.peer is not None:
            rooms.append(self._peers.get(guest.peer) or _Room(self._most_of_peer))
        if not all(self._make_way(room, now) for room in reversed(rooms)):
            return False
        for room in rooms:
            room.add(guest)
        if guest.peer is not None:
            self._peers[guest.peer] = rooms[1]
        return True

    def leave(self, guest: Guest) -> None:
        """It has ended; of who never entered this says nothing."""
        self._all.remove(guest)
        own = self._peers.get(guest.peer) if guest.peer is not None else None
        if own is not None:
            own.remove(guest)
            if not own.guests:
                del self._peers[guest.peer]

    def _make_way(self, room: _Room, now: float) -> bool:
        if room.full:
            guest = room.in_vain(now)
            if guest is None:
                return False
            self.leave(guest)
            guest.send_away(now)
        return True
