"""What is told of the hosts of a receiver: those in trouble, or with a limit of their own.

Contract: pure; reads, changes nothing. Names and replies are remote text, cut but not cleaned.
Failure: none.
"""

from __future__ import annotations

from dataclasses import dataclass

from policyd.settings.units import spell
from policyd.throttle.lane.host import Host
from policyd.throttle.lane.hosts import Hosts

__all__ = ["HostTold", "sentences", "told"]

_MOST = 20
_NAMED = 3


@dataclass(frozen=True, slots=True)
class HostTold:
    """One host."""

    address: str
    name: str
    state: str  # "left out", "to be tried again", "limited", "well"
    why: str  # a category, "slow" or ""
    since: float
    until: float
    rate: float | None  # messages a second, where it has a limit of its own
    latency: float  # seconds a message takes there; 0.0: not known
    accepted: int
    refused: int
    skipped: int  # attempts it was left out of
    reply: str


def told(hosts: Hosts, now: float) -> tuple[HostTold, ...]:
    """The hosts, those in trouble first; one that is well and alone has nothing to tell."""
    listed = sorted(hosts, key=lambda one: (not one.why, one.pace is None, -one.seen))
    if len(listed) < 2 and not any(one.why for one in listed):
        return ()
    return tuple(_told(one, now) for one in listed[:_MOST])


def _told(host: Host, now: float) -> HostTold:
    rate = host.pace.rate if host.pace is not None else None
    state = "well" if rate is None else "limited"
    if host.why:
        state = "left out" if now < host.until else "to be tried again"
    return HostTold(
        host.address, "" if host.name == host.address else host.name, state, host.why, host.since,
        host.until, rate, host.latency, host.accepted, host.refused, host.skipped, host.reply,
    )  # fmt: skip


def sentences(hosts: Hosts, now: float) -> list[str]:
    """What people had better know of them."""
    words = []
    aside = [one for one in hosts if one.why]
    for one in aside[:_NAMED]:
        name = one.address if one.name in ("", one.address) else f"{one.name} ({one.address})"
        when = f"in {spell(one.until - now)}" if one.until > now else "with the next message"
        words.append(
            f"{name} is left out where an equal host answers ({one.why}, last"
            f' "{one.reply}"); it is tried again {when}.'
        )
    if len(aside) > _NAMED:
        words.append(f"So are {len(aside) - _NAMED} more hosts.")
    if hosts.apart:
        words.append("Its hosts have limits of their own.")
    return words
