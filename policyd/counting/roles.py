"""What is told of a machine's lines, by what that machine is to us.

Contract: `make(role, machine)` builds the pipeline that reads them. Of this machine everything is
told: what pacing, the book of held mail and the senders need. Of one that shares our addresses, how
its attempts ended, without anything that could be taken for a message of ours. Of any other,
nothing: its mail is only counted. All count into the same counters.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from logparse.auto import AutoParser
from logparse.events import Delivery, HostTrouble, Removed, Unparsed
from policyd.counting.counters import Counters
from policyd.counting.fastpath import Delays, FastPath
from policyd.counting.fastpath_live import LiveFastPath
from policyd.counting.here import Role
from policyd.counting.pipeline import Classify, Pipeline, ReceiverOf
from policyd.counting.sessions import Sessions
from policyd.receiver.rollup import Receivers
from policyd.throttle.evidence import AcceptedMail, Evidence, from_delivery, from_trouble
from rules.verdict import Verdict

__all__ = ["LogListeners", "Roles"]

Attempted = Callable[[Delivery, str, Verdict | None], None]


@dataclass(frozen=True, slots=True)
class LogListeners:
    """Who is told what; `elsewhere` of mail that another machine sent from our addresses."""

    attempted: Attempted
    delivered: Callable[[AcceptedMail], None]
    elsewhere: Callable[[Evidence | AcceptedMail], None]
    steady: Callable[[float], float]  # a stamp's time on our own clock
    awaited: Callable[[str, tuple[object, ...]], bool]
    removed: Callable[[Removed], None]
    trouble: Callable[[Evidence], None]
    queue_lines: Callable[[bytes], None]
    unparsed: Callable[[Unparsed], None]


class Roles:
    """See the module."""

    def __init__(
        self,
        counters: Counters,
        listeners: LogListeners,
        wall: Callable[[], float],
        zone: tzinfo | None,
    ) -> None:
        self._counters = counters
        self._tell = listeners
        self._wall = wall
        self._zone = zone
        self._delays = Delays()
        self._pools: dict[str, str] = {}

    def use(
        self,
        classify: Classify,
        receivers: Receivers,
        receiver_of: ReceiverOf,
        pools: Mapping[str, str],
    ) -> None:
        """Rules and pools for those that are made from now on; `pools` reach the others too."""
        self._classify, self._receivers, self._receiver_of = classify, receivers, receiver_of
        self._pools.clear()
        self._pools.update(pools)

    def receiver_of(self, role: Role) -> ReceiverOf:
        """How the receiver of such a machine's mail is found."""
        return self._only_shown if role == "other" else self._receiver_of

    def _only_shown(self, host: str | None, address: str | None, domain: str) -> str:
        """The receiver of mail that is none of ours: nothing is learnt from it."""
        if host or address:
            return self._receivers.of_host(host or address or "")
        return self._receivers.of_domain(domain).receiver

    def front(self) -> AutoParser:
        """What takes the frames off a log's lines."""
        return AutoParser(self._zone, removed=True, postfix_removed=False)

    def make(self, role: Role, machine: str) -> Pipeline:
        """A pipeline for a machine's lines."""
        tell = self._tell
        if role == "other":
            return Pipeline(
                self._classify,
                self._only_shown,
                self._counters,
                zone=self._zone,
                on_unparsed=tell.unparsed,
                delays=self._delays,
            )
        here = role == "here"
        counting = FastPath(self._counters, sessions := Sessions(), self._delays)
        delivered = tell.delivered if here else _named(machine, tell.elsewhere)
        awaited = tell.awaited if here else _nobody
        quick = LiveFastPath(counting, awaited, delivered, self._wall)
        quick.pools = self._pools
        made = Pipeline(
            self._classify,
            self._receiver_of,
            self._counters,
            on_attempt=tell.attempted if here else self._attempted_by(machine),
            sent=True,
            on_removed=tell.removed if here else None,
            on_trouble=self._trouble if here else None,
            on_text=tell.queue_lines if here else None,
            on_unparsed=tell.unparsed,
            zone=self._zone,
            sessions=sessions,
            quick=quick,
            delays=self._delays,
        )
        quick.stamps = made.stamps
        return made

    def _trouble(self, trouble: HostTrouble, receiver: str) -> None:
        """A host that one of our messages could not be handed to."""
        told = trouble._replace(time=self._tell.steady(trouble.time))
        self._tell.trouble(from_trouble(told, receiver, self._pools.get(trouble.service)))

    def _attempted_by(self, machine: str) -> Attempted:
        """Another machine's attempts; its messages cannot be taken for ones of ours."""

        def told(delivery: Delivery, receiver: str, verdict: Verdict | None) -> None:
            time = self._tell.steady(delivery.time)
            there = _elsewhere(machine, delivery.queue_id)
            pool = self._pools.get(delivery.service)
            attempt = delivery._replace(time=time, queue_id=there)
            self._tell.elsewhere(from_delivery(attempt, verdict, receiver, pool=pool))

        return told


def _nobody(queue_id: str, group: tuple[object, ...]) -> bool:
    return False


def _named(machine: str, tell: Callable[[AcceptedMail], None]) -> Callable[[AcceptedMail], None]:
    """Accepted mail whose message cannot be taken for one of ours."""

    def told(mail: AcceptedMail) -> None:
        tell(mail._replace(queue_id=_elsewhere(machine, mail.queue_id)))

    return told


def _elsewhere(machine: str, queue_id: str) -> str:
    """A message's name that no queue id of ours can be: no MTA puts a slash into one."""
    return f"{machine}/{queue_id}"
