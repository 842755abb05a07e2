"""Hosts that keep attempts waiting without a word, told by elimination.

Which of several hosts an attempt went to is not seen before it ends. But where several attempts
have no end, and one of the hosts they may have gone to has not spoken since while another one has,
they are there.
Contract: pure; attempts that may go to several hosts are told by `offered`. Bounded.
Failure: none; a host that is blamed wrongly is left out for a while, and others take the mail.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable

from policyd.throttle.lane.host import Host
from policyd.throttle.lane.window import Attempt, Window

__all__ = ["Silence"]

_OVERDUE = 3  # attempts
_PENDING = 512
_LONGEST = 300.0  # seconds Postfix waits for a greeting


class Silence:
    """The attempts of one lane that may go to several hosts."""

    __slots__ = ("_pending", "_stuck")

    def __init__(self) -> None:
        self._pending: deque[Attempt] = deque(maxlen=_PENDING)
        self._stuck: dict[str, float] = {}  # domain → since when one of its attempts waits there

    def offered(self, attempt: Attempt) -> None:
        """An attempt may go to several hosts."""
        self._pending.append(attempt)

    def late(self, before: float) -> list[Attempt]:
        """Those that began before and have no end."""
        pending = self._pending
        while pending and not pending[0].open:
            pending.popleft()
        return [one for one in pending if one.open and one.began <= before]

    def awaited(self) -> set[str]:
        """The hosts that open attempts may wait for."""
        return {address for one in self._pending if one.open for address in one.offered}

    @staticmethod
    def silent(late: list[Attempt], hosts: Iterable[Host]) -> str:
        """The host they wait for, if that can be known."""
        if len(late) < _OVERDUE:
            return ""
        known = {one.address: one for one in hosts}
        heard = {address for address, one in known.items() if one.answered > late[0].began}
        for address, times in Counter(a for one in late for a in set(one.offered)).items():
            host = known.get(address)
            if times < _OVERDUE or address in heard or (host is not None and host.why):
                continue
            alike = {one for one in heard if (":" in one) == (":" in address)}
            if any(alike.intersection(one.offered) for one in late if address in one.offered):
                return address
        return ""

    def set_aside(self, late: Iterable[Attempt], slow: set[str], window: Window) -> bool:
        """Those that may be at a slow host take no place any more; True: there were some."""
        stuck = [one for one in late if not slow.isdisjoint(one.offered)] if slow else []
        for attempt in stuck:
            window.set_aside(attempt)
            if len(self._stuck) < _PENDING:
                self._stuck[attempt.domain] = attempt.began
        return bool(stuck)

    def stuck(self, now: float) -> Collection[str]:
        """The domains of which an attempt waits at a slow host."""
        if not self._stuck:
            return ()
        self._stuck = {name: at for name, at in self._stuck.items() if now - at < _LONGEST}
        return self._stuck

    def over(self, domain: str) -> None:
        """It does not wait there any more."""
        self._stuck.pop(domain, None)
