"""Which hosts of an admitted attempt are left out: those in trouble, while an equal one answers.

Contract: `keeps` decides about one address of an attempt that may start. It is dropped only where
another address of the same preference was kept in this attempt, which answers (for IPv6 as a whole
any IPv4 without trouble will do), or belongs to an exchanger that is still to be asked for and
answered lately: so nothing goes to a worse preference, and nothing is held, by our doing. Where it
is doubtful whose an address is, it is kept.
Failure: an exchanger that answered lately may have lost its addresses since. Then all that follows
is held (`Asking.bereft`) and Postfix finds no host; that is known for a hold of ours, and hosts are
left alone there for a while.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.hooks.asking import Asking, HasMemory
from policyd.throttle.controller import Controller
from policyd.throttle.evidence import Lane
from policyd.throttle.lane.hosts import SIX, Hosts
from rules.verdict import Verdict

__all__ = ["HostSkip"]

_LOOKED_AT = 16  # equals to come: a domain may have thousands, and answers wait meanwhile
_MOST = 8  # addresses of one attempt that are remembered


class HostSkip:
    """See the module; `lane` and `name` say what an exchanger's lane and name are."""

    def __init__(
        self,
        controller: Controller,
        lane: Callable[[str, bytes], Lane],
        name: Callable[[bytes], str],
    ) -> None:
        self._controller = controller
        self._lane = lane
        self._name = name

    def keeps(self, asking: Asking, host: bytes, value: bytes, now: float) -> bool:
        """Whether an admitted attempt may use this address."""
        address = value.decode("ascii", "replace")
        hosts = self._hosts_of(asking, host)
        one = hosts.left_out(address, now) if hosts is not None and hosts.aside else None
        preference = asking.questions.hosts[host]
        if one is None:
            if hosts is not None and hosts.answers(address, now):
                asking.good = preference
            if ":" not in address:
                asking.four = preference
        elif asking.attempt is not None and one.may_probe(now):
            one.probe = asking.attempt
        elif (one.address == SIX and asking.four == preference) or self._another(
            asking, host, preference, now
        ):
            one.skipped += 1
            asking.left = preference
            names = [self._name(other) for other in asking.questions.equals(host)]
            domain, lane = self._name(asking.questions.domain), self._lane(asking.pool or "", host)
            self._controller.skipped(lane, domain, names, now)
            return False
        if asking.best < 0:
            asking.best = preference
        if preference == asking.best and hosts is not None:
            self._offer(asking, hosts, address, now)
        return True

    def _another(self, asking: Asking, host: bytes, preference: int, now: float) -> bool:
        """Whether an equal host that answers stays in the attempt."""
        if asking.good == preference:
            return True
        if asking.questions.vague:
            return False
        for other in asking.questions.to_come(host)[:_LOOKED_AT]:
            hosts = self._hosts_of(asking, other)
            if hosts is not None and hosts.any_well(self._name(other), now):
                return True
        return False

    def _hosts_of(self, asking: Asking, host: bytes) -> Hosts | None:
        return self._controller.hosts_of(self._lane(asking.pool or "", host))

    def by_six(self, session: HasMemory, address: str, verdict: Verdict) -> bool:
        """Whether a block is of our IPv6 address only: the next attempt goes by IPv4."""
        asking: Asking | None = session.memory
        if asking is None or asking.lane is None or asking.attempt is None:
            return False
        if ":" not in address or verdict.scope != "ip" or verdict.stance != "pause":
            return False
        hosts = self._controller.hosts_of(asking.lane.lane.of_sender(""))
        return hosts is not None and hosts.spares_six(asking.attempt)

    @staticmethod
    def _offer(asking: Asking, hosts: Hosts, address: str, now: float) -> None:
        """Remember where the attempt may go: to hosts of the best preference."""
        offered, attempt = asking.offered, asking.attempt
        if attempt is None or len(offered) >= _MOST:
            return
        offered.append(address)
        whole = attempt.under or attempt  # in the receiver's own lane
        attempt.offered = whole.offered = offered
        hosts.offered(whole, now)
