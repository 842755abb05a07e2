"""What is kept of a receiver's hosts over a restart: those in trouble, and who answered lately.

Contract: `rows` gives plain values, replies masked; `restore` takes them back with their times
moved. A host's own limit is learnt anew. Failure: rows of another shape are the caller's to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from policyd.shape import AtLeast
from policyd.throttle.lane.host import Host
from policyd.throttle.lane.hosts import Hosts
from rules.masks import masked

__all__ = ["SAVED", "restore", "rows"]

_SOME = AtLeast(0.0)
# address, name; answered; why, reply, since, until, stop; latency
_ROW = (str, str, float, str, str, float, float, _SOME, _SOME)
SAVED = [_ROW]
_MOST = 64


def rows(hosts: Hosts) -> list[list[Any]]:
    """The hosts, as plain values."""
    told = sorted(hosts, key=lambda one: (not one.why, -one.seen))[:_MOST]
    return [
        [one.address, one.name, one.answered, one.why, masked(one.reply), one.since, one.until,
         one.stop, one.latency]
        for one in told
    ]  # fmt: skip


def restore(hosts: Hosts, saved: Iterable[Any], time: Callable[[float], float], now: float) -> None:
    """Take them back; nobody stays aside for longer than the longest stop."""
    for address, name, answered, why, reply, since, until, stop, latency in saved:
        host = Host(address, name, now)
        host.answered, host.latency = min(time(answered), now), latency
        host.why, host.reply = why, reply
        host.since, host.stop = min(time(since), now), stop
        host.until = min(time(until), now + stop) if why else 0.0
        hosts.put(host)
