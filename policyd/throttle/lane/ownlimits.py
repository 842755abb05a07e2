"""Whether the hosts of a receiver have limits of their own, and what they take together.

Contract: pure. They have, as soon as one host took what another one had refused in the same
attempt. They share one after all where twice all are refused and nobody took anything meanwhile:
then the lane is limited as a whole, and for some time no single host is. So a shared limit is not
evaded: who refuses speaks for all until the opposite was seen.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from policyd.throttle.lane.host import Host
from policyd.throttle.lane.hostpace import HostPace
from policyd.throttle.settings.pacing import PacingSettings

__all__ = ["OwnLimits", "flow", "limited", "share"]

_DOUBT = 600.0
_ENOUGH = 2  # times in a row


class OwnLimits:
    """What is known of the hosts of one lane."""

    __slots__ = ("_doubts", "_shared_until", "_until", "apart")

    def __init__(self) -> None:
        self.apart = False
        self._until = self._shared_until = 0.0
        self._doubts = 0

    def seen(self, settings: PacingSettings, now: float) -> bool:
        """One host took what another refused; False: that was believed before, and wrong."""
        if now >= self._shared_until:
            self.apart, self._until = True, now + settings.free_after
            self._doubts = 0
        return self.apart

    def confirmed(self) -> None:
        """One host took what began after another one had refused."""
        self._doubts = 0

    def expire(self, now: float) -> None:
        """Nothing of the kind was seen for long."""
        self.apart = self.apart and now < self._until

    def doubted(self, host: Host, others: Iterable[Host], now: float) -> bool:
        """Whether the limit is shared, now that this one refuses, too."""
        others = list(others)
        taken = max([host.taken, *(one.taken for one in others)])
        if not others or not all(one.why and taken < one.failed for one in others):
            return False
        self._doubts += 1
        if self._doubts < _ENOUGH:
            return False  # two limits may be reached in the same moment
        self.apart, self._shared_until = False, now + _DOUBT
        return True


def limited(host: Host, settings: PacingSettings, now: float) -> None:
    """It refused one more than it takes."""
    if host.pace is None:
        host.pace = HostPace(settings, host.run, host.run_since, now)
    host.pace.refuses(now)


def share(hosts: Mapping[str, Host], offered: Sequence[str], now: float) -> None:
    """An attempt may go to one more host: each of them gives its part of a token."""
    count = len(offered)
    for number, address in enumerate(offered, 1):
        host = hosts.get(address)
        if host is not None and host.pace is not None:
            before = 1 / (count - 1) if number < count else 0.0
            host.pace.share(1 / count - before, now)


def flow(hosts: Iterable[Host], now: float) -> tuple[float | None, float]:
    """What all of them take a second, where each has a limit; until when none takes anything.

    None: one of them has no limit that is known.
    """
    total, until, all_known = 0.0, 0.0, True
    for one in hosts:
        if one.why and now < one.until:
            until = min(until or one.until, one.until)
            continue
        rate = one.pace.rate if one.pace is not None else None
        all_known = all_known and rate is not None
        total += rate or 0.0
    if not all_known:
        return None, 0.0
    return (total, 0.0) if total else (None, until)
