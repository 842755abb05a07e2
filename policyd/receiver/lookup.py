"""Look mail exchangers up in the background; answer from memory meanwhile.

Contract: `known` never waits: it answers what is remembered and puts the domain on the list of
those to look up, once. They are looked up one by one at a steady pace, so that a flood of new
names takes no time from the answers. `look_up` is the awaited form for commands. Answers live for
their TTL within bounds, negative ones too; a domain's alias is followed by the resolver, a mail
exchanger is rolled up by the name its MX record gives, for that is what the gate and the log show.
Failure: an outage never blocks and never raises: the last answer serves on as stale, else the
domain's receiver is unknown for a short while; each case is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver

from policyd.bounded import Bounded
from policyd.receiver.rollup import UNKNOWN, DomainRollup, Receivers, canonical
from policyd.settings.lookup import LookupSettings

__all__ = ["Answer", "MxLookup", "Resolve", "resolve_mx"]


class Answer(NamedTuple):
    """The MX records of a domain; `exists` is False for a name that is not there at all."""

    records: tuple[tuple[int, str], ...]
    ttl: float
    exists: bool = True


Resolve = Callable[[str, float], Awaitable[Answer]]


class _Entry(NamedTuple):
    rollup: DomainRollup
    expires: float
    answered: float  # when DNS last answered; 0.0: never


async def resolve_mx(
    domain: str, deadline: float, resolver: dns.asyncresolver.Resolver | None = None
) -> Answer:
    """Ask the system's resolver, or this one.

    Raises `dns.exception.DNSException` or OSError when it fails.
    """
    resolver = resolver or dns.asyncresolver.Resolver()
    name = dns.name.from_text(domain)
    try:
        answer = await resolver.resolve(
            name, "MX", lifetime=deadline, raise_on_no_answer=False, search=False
        )
    except dns.resolver.NXDOMAIN as error:
        responses = error.kwargs.get("responses", {})
        ttl = min((_negative_ttl(response) for response in responses.values()), default=60.0)
        return Answer((), ttl, exists=False)
    if answer.rrset is None:
        return Answer((), _negative_ttl(answer.response))
    records = tuple((int(mx.preference), mx.exchange.to_text()) for mx in answer.rrset)
    return Answer(records, float(answer.rrset.ttl))


def _negative_ttl(response: dns.message.Message) -> float:
    """How long "there is none" holds: the smaller of the SOA's TTL and its minimum field."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum))
    return 60.0


class MxLookup:
    """A cache of domains' receivers with look-ups behind it."""

    def __init__(
        self,
        receivers: Receivers,
        clock: Callable[[], float],
        settings: LookupSettings | None = None,
        resolve: Resolve = resolve_mx,
    ) -> None:
        self._receivers = receivers
        self._clock = clock
        self._settings = settings or LookupSettings()
        self._resolve = resolve
        self._cache: Bounded[str, _Entry] = Bounded(self._settings.size)
        self._flights: dict[str, asyncio.Task[DomainRollup]] = {}
        self._wanted: dict[str, None] = {}  # to be looked up, the first first
        self._most = 20 * self._settings.concurrency  # of those
        self._turn: asyncio.Handle | None = None  # when the next of them is begun
        self._slots = asyncio.Semaphore(self._settings.concurrency)
        self.counts = {
            "hit": 0, "miss": 0, "stale": 0, "unknown": 0, "answered": 0, "failed": 0, "refused": 0
        }  # fmt: skip

    def known(self, domain: str) -> DomainRollup:
        """What is known of a domain, at once; what is not known or old is looked up behind."""
        name = self._name(domain)
        entry = self._cache.get(name) if name else None
        now = self._clock()
        if entry is not None and now < entry.expires:
            self.counts["hit"] += 1
            return entry.rollup
        if name and self._settings.enabled:
            self._want(name)
        if entry is not None and entry.answered and now - entry.answered < self._settings.stale:
            self.counts["stale"] += 1
            return entry.rollup
        learnt = self._receivers.of_domain(name or domain)
        self.counts["miss" if learnt.receiver != UNKNOWN else "unknown"] += 1
        return learnt

    def receiver(self, domain: str) -> str:
        """`known(domain).receiver`; quick where the domain is spelled as DNS spells it."""
        entry = self._cache.get(domain)
        if entry is not None and self._clock() < entry.expires:
            self.counts["hit"] += 1
            return entry.rollup.receiver
        if entry is None and (domain in self._wanted or len(self._wanted) >= self._most):
            self.counts["unknown"] += 1  # being looked up, or a flood: no time to be lost
            return self._receivers.quick_of_domain(domain)
        return self.known(domain).receiver

    async def look_up(self, domain: str) -> DomainRollup:
        """The same, waiting for the answer as long as the deadline allows."""
        name = self._name(domain)
        if not name:
            return self._receivers.of_mx(domain, ())
        entry = self._cache.get(name)
        if entry is not None and self._clock() < entry.expires:
            return entry.rollup
        return await asyncio.shield(self._flights.get(name) or self._start(name))

    def _name(self, domain: str) -> str:
        """The name to ask for; "" for a literal and for what is no name."""
        return "" if domain.startswith("[") else canonical(domain)

    def _want(self, name: str) -> None:
        """Look a name up when its turn comes, unless that is on its way."""
        if name in self._wanted or name in self._flights:
            return
        if len(self._wanted) >= self._most:
            self.counts["refused"] += 1  # a flood of unknown names: later
            return
        self._wanted[name] = None
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Begin one look-up; the next one has its turn a while later, if there is any."""
        if not self._wanted:
            self._turn = None
            return
        if len(self._flights) < self._settings.concurrency:
            self._start(next(iter(self._wanted)))
        pause = 1.0 / self._settings.rate
        self._turn = asyncio.get_running_loop().call_later(pause, self._next)

    def _start(self, name: str) -> asyncio.Task[DomainRollup]:
        self._wanted.pop(name, None)  # who could not wait has begun it: its turn is over
        flight = self._flights[name] = asyncio.get_running_loop().create_task(self._fly(name))
        flight.add_done_callback(lambda _: self._flights.pop(name, None))
        return flight

    async def _fly(self, name: str) -> DomainRollup:
        settings = self._settings
        try:
            async with self._slots, asyncio.timeout(settings.deadline + 1.0):
                answer = await self._resolve(name, settings.deadline)
        except (TimeoutError, dns.exception.DNSException, OSError):
            return self._failed(name)
        now = self._clock()
        self.counts["answered"] += 1
        if answer.exists:
            rollup = self._receivers.of_mx(name, answer.records)
            life = min(max(answer.ttl, settings.shortest), settings.longest)
            self._receivers.remember(rollup, now)
        else:
            rollup = DomainRollup(name, UNKNOWN, "unknown")
            life = min(max(answer.ttl, min(settings.shortest, 60.0)), settings.negative)
        self._put(name, _Entry(rollup, now + life, now))
        return rollup

    def _failed(self, name: str) -> DomainRollup:
        """DNS did not answer: what was known serves on, and DNS is left alone for a while."""
        self.counts["failed"] += 1
        now = self._clock()
        old = self._cache.get(name)
        if old is not None and old.answered and now - old.answered < self._settings.stale:
            rollup, answered = old.rollup, old.answered
        else:
            rollup, answered = self._receivers.of_domain(name), 0.0
        self._put(name, _Entry(rollup, now + self._settings.outage, answered))
        return rollup

    def _put(self, name: str, entry: _Entry) -> None:
        self._cache.pop(name)
        self._cache[name] = entry

    async def close(self) -> None:
        """End what is under way."""
        if self._turn is not None:
            self._turn.cancel()
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
