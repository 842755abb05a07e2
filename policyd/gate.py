"""The MX gate: Postfix asks for every DNS record an attempt is about to use; we keep or drop it.

Contract: `ask` answers one question of `smtp_dns_reply_filter` (`name ttl class type [preference]
value`) from memory: `NOTFOUND ` keeps the record, `OK IGNORE` drops it; when all are dropped
Postfix puts the message off. One smtp(8) process is one connection, and makes one attempt at a
time: its MX records and the address records after them belong together and cost one token. The
first record of a receiver decides, the others of the same receiver follow. A record asked again
begins a new attempt. A next hop in brackets has no MX record: its address record is gated.
What a session that is kept open delivers asks nothing; the log shows it. Where a turn comes soon,
the answer is a `Later`: the delivery agent waits for it; `closed` takes one that went away out of
the line.
Failure: a question that is not understood keeps its record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from policyd.receivers import Receivers
from policyd.serve.later import Later
from policyd.throttle.controller import Controller
from policyd.throttle.door import Waiter
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.lane import LaneState
from policyd.throttle.window import Attempt

__all__ = ["DROP", "KEEP", "Gate", "HasMemory"]

KEEP = b"NOTFOUND "
DROP = b"OK IGNORE"

_ADDRESSES = (b"A", b"AAAA")


class HasMemory(Protocol):
    """The part of a connection's session the gate uses."""

    memory: Any


class _Asking:
    """The attempt a delivery agent is making: what it asked and what it was told."""

    __slots__ = (
        "answers", "attempt", "domain", "hosts", "lane", "mx", "names", "seen", "waiter",
    )  # fmt: skip

    def __init__(self, domain: bytes, mx: bool) -> None:
        self.domain = domain
        self.mx = mx  # begun by MX records
        self.seen: set[bytes] = set()  # records asked
        self.hosts: set[bytes] = set()  # exchangers whose record was kept
        self.names: set[bytes] = set()  # names whose address records were asked
        self.answers: dict[str, bytes] = {}  # by receiver
        self.lane: LaneState | None = None
        self.attempt: Attempt | None = None
        self.waiter: Waiter | None = None  # at the door


class Gate:
    """Answers the MX gate's questions; keeps each connection's attempt in its session."""

    def __init__(
        self, controller: Controller, receivers: Receivers, clock: Callable[[], float]
    ) -> None:
        self._controller = controller
        self._receivers = receivers
        self._clock = clock
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._domains: dict[bytes, str] = {}
        self.held = 0
        self.admitted = 0
        self.odd = 0

    def ask(self, key: bytes, session: HasMemory, pool: str = "") -> bytes | Later:
        """Keep or drop one record, now or when its turn has come."""
        fields = key.split()
        if len(fields) < 5:
            self.odd += 1
            return KEEP
        kind = fields[3]
        if kind == b"MX" and len(fields) == 6:
            return self._exchanger(fields[0], fields[5], session, pool)
        if kind in _ADDRESSES:
            return self._address(fields[0], fields[4], session, pool)
        if kind == b"SRV" and len(fields) == 8:
            return self._exchanger(fields[0], fields[7], session, pool)
        return KEEP  # TLSA, CNAME…: no attempt is decided by them

    def _exchanger(
        self, domain: bytes, host: bytes, session: HasMemory, pool: str
    ) -> bytes | Later:
        asking: _Asking | None = session.memory
        if (
            asking is None
            or not asking.mx
            or asking.domain != domain
            or asking.names
            or host in asking.seen
        ):
            asking = self._begin(domain, True, session)
        asking.seen.add(host)
        if host == b".":
            return KEEP  # the null MX: Postfix knows what to do
        return self._decide(asking, host, self._receivers.of_raw_host(host), domain, pool)

    def _address(self, name: bytes, value: bytes, session: HasMemory, pool: str) -> bytes | Later:
        asking: _Asking | None = session.memory
        if asking is not None and asking.mx:
            if name in asking.hosts or len(asking.names) < len(asking.hosts):
                asking.names.add(name)  # an exchanger's, or what its name is an alias of
                return KEEP
            asking = None
        if asking is None or asking.domain != name or value in asking.seen:
            asking = self._begin(name, False, session)
        asking.seen.add(value)
        return self._decide(asking, name, self._receivers.of_raw_host(name), name, pool)

    def _begin(self, domain: bytes, mx: bool, session: HasMemory) -> _Asking:
        """A new attempt on this connection: the one before is over."""
        before: _Asking | None = session.memory
        if before is not None and before.attempt is not None and before.lane is not None:
            self._controller.end(before.lane, before.attempt, self._clock())
        asking = session.memory = _Asking(domain, mx)
        return asking

    def _decide(
        self, asking: _Asking, host: bytes, receiver: str, raw_domain: bytes, pool: str
    ) -> bytes | Later:
        answer = asking.answers.get(receiver)
        if answer is None:
            lane = self._lanes.get((pool, receiver))
            if lane is None:
                if len(self._lanes) > 50_000:
                    self._lanes.clear()
                lane = self._lanes[(pool, receiver)] = Lane(pool, receiver)
            now = self._clock()
            if asking.attempt is None:
                domain = self._domains.get(raw_domain) or self._domain(raw_domain)
                attempt, state, waiter = self._controller.admit(lane, domain, now, patient=True)
                if waiter is None:
                    return self._decided(asking, host, state, attempt)
                later = Later()
                asking.waiter = waiter
                waiter.tell = lambda told: later.come(self._decided(asking, host, state, told))
                return later
            # a fallback host of somebody else's: no second token
            answer = KEEP if self._controller.may_pass(lane, now) else DROP
            asking.answers[receiver] = answer
        if answer is KEEP:
            asking.hosts.add(host)
        return answer

    def _decided(
        self, asking: _Asking, host: bytes, state: LaneState, attempt: Attempt | None
    ) -> bytes:
        asking.waiter = None
        if attempt is None:
            self.held += 1
            answer = DROP
        else:
            asking.lane, asking.attempt = state, attempt
            asking.hosts.add(host)
            self.admitted += 1
            answer = KEEP
        asking.answers[state.lane.receiver] = answer
        return answer

    def closed(self, session: HasMemory) -> None:
        """The client has gone: it neither waits nor delivers any more."""
        asking, session.memory = session.memory, None
        if not isinstance(asking, _Asking):
            return
        if asking.waiter is not None:
            self._controller.door.leave(asking.waiter, self._clock())
        elif asking.attempt is not None and asking.lane is not None:
            self._controller.end(asking.lane, asking.attempt, self._clock())

    def _domain(self, raw: bytes) -> str:
        if len(self._domains) > 100_000:
            self._domains.clear()
        found = self._domains[raw] = raw.decode("ascii", "replace").rstrip(".").lower()
        return found

    def accepted(self, session: HasMemory) -> None:
        """The status filter was asked on this connection about mail that was accepted.

        One delivery agent uses one connection for both maps, so it is about the attempt it makes.
        """
        asking: _Asking | None = session.memory
        if asking is not None and asking.lane is not None and asking.attempt is not None:
            self._controller.accepted(asking.lane, asking.attempt, self._clock())

    def refused(self, evidence: Evidence, session: HasMemory) -> None:
        """The same about a refusal; one without an attempt is judged by the host it names."""
        asking: _Asking | None = session.memory
        lane, attempt = (asking.lane, asking.attempt) if asking is not None else (None, None)
        self._controller.heard(evidence, lane, attempt, self._clock())
