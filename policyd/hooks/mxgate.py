"""The MX gate: Postfix asks for every DNS record an attempt is about to use; we keep or drop it.

Contract: `ask` answers one question of `smtp_dns_reply_filter` (`name ttl class type [preference]
value`) from memory: `NOTFOUND ` keeps the record, `OK IGNORE` drops it. MX records are kept, all of
them: without the best one Postfix takes a worse host, and where that is this machine it bounces the
mail as a loop. A host is held by its addresses. The first address decides, for then all exchangers
are known: the attempt costs one token of its receiver's lane, and the hosts of that preference are
kept or held as a whole, and so are those of each worse one; behind what is held, all is held. What
Postfix turns to next in the same attempt (a fallback relay, a second relay host) is held with it.
Where a turn comes soon, the answer is a `Later`: the delivery agent waits for it; `closed` takes
one that went away out of the line.
Failure: a question that is not understood keeps its record.
Length: what one attempt is asked and told is one story, told in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from policyd.bounded import Bounded
from policyd.hooks.asking import Asking, HasMemory
from policyd.hooks.beyond import Beyond
from policyd.hooks.hostskip import HostSkip
from policyd.hooks.namefirst import NameFirst
from policyd.hooks.names import Names
from policyd.hooks.questions import Questions, preference_of
from policyd.receiver.rollup import Receivers
from policyd.serve.later import Later
from policyd.throttle.book.grants import Who, nobody
from policyd.throttle.book.queueid import Locked, locked
from policyd.throttle.controller import Controller
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.window import Attempt

__all__ = ["DECISIONS", "DROP", "KEEP", "Gate", "HasMemory"]

KEEP = b"NOTFOUND "
DROP = b"OK IGNORE"
DECISIONS = ("admitted", "held", "unreadable")  # the last: questions that were let pass

_ADDRESSES = frozenset((b"A", b"AAAA"))
_EXCHANGERS = {b"MX": 6, b"SRV": 8}  # words of such a record
_MOST_NAMED = 32  # exchangers by which a hold line is recognised
_LONGEST = 10.0  # seconds between the first question of an attempt and its last


class Gate:
    """See the module; `whose` tells which message a connection's client delivers, if it can.

    `beyond` tells what is known of Postfix's configuration.
    """

    def __init__(
        self,
        controller: Controller,
        receivers: Receivers,
        clock: Callable[[], float],
        whose: Callable[[Any], object] = lambda session: None,
        beyond: Callable[[], Beyond] = Beyond,
    ) -> None:
        self._controller = controller
        self._clock = clock
        self._whose = whose
        self._beyond = beyond
        names = Names(receivers)
        self._lane, self._domain = names.lane, names.domain
        self.skip = HostSkip(controller, names.lane, names.domain)
        self._born = clock()
        self.names = NameFirst(controller.blame.present, controller.door.soon, clock)
        # pools of whose agents the status filter has spoken; a client may name as many as it likes
        self._telling: Bounded[str | None, bool] = Bounded(256)
        self.decisions = dict.fromkeys(DECISIONS, 0)

    def ask(self, key: bytes, session: HasMemory, pool: str = "") -> bytes | Later:
        """Keep or drop one record, now or when its turn has come."""
        fields = key.split()
        if len(fields) < 5:
            self.decisions["unreadable"] += 1
            return KEEP
        kind = fields[3]
        if kind in _ADDRESSES:
            return self._address(fields[0].lower(), fields[4], session, pool)
        words = _EXCHANGERS.get(kind)
        if words is None:
            return KEEP  # TLSA, CNAME…: no attempt is decided by them
        preference = preference_of(fields[4])
        if preference is None or len(fields) != words:
            self.decisions["unreadable"] += 1
        else:
            self._exchanger(fields[0].lower(), preference, fields[-1].lower(), session)
        return KEEP

    def _exchanger(self, domain: bytes, preference: int, host: bytes, session: HasMemory) -> None:
        asking = self._same(session)
        if asking is not None:
            if not asking.beside and asking.questions.exchanger(domain, preference, host):
                return
            self._forsake(asking, domain, None, session)
            if self._goes_beside(asking, domain):
                self._named(asking, [host])
                return
        asking = self._begin(Questions(domain), session)
        if asking.shut:
            self._named(asking, [host])
        if host != b".":  # the null MX: Postfix knows what to do
            asking.questions.exchanger(domain, preference, host)

    def _address(self, name: bytes, value: bytes, session: HasMemory, pool: str) -> bytes | Later:
        asking, host = self._same(session), None
        if asking is not None:
            if not asking.beside:
                host = asking.questions.address(name, value)
            self._forsake(asking, name, host, session)
            if host is None and self._goes_on(asking, name, value):
                if not asking.shut:
                    return KEEP
                self._named(asking, [name])
                return DROP
        if asking is None or host is None:
            asking = self._begin(Questions.of_host(name), session)
            if asking.shut:
                self._named(asking, [name])
            host = asking.questions.address(name, value) or name
        asking.at = host, value
        return self._decide(asking, host, session, pool)

    def _chosen(self, asking: Asking) -> bytes:  # of an attempt that may start
        return KEEP if self.skip.keeps(asking, *asking.at, self._clock()) else DROP

    def _same(self, session: HasMemory) -> Asking | None:
        """The attempt that was under way on this connection, unless its end is known.

        The status filter tells it. Where it may speak, but did not yet on this connection, another
        message tells it, of an attempt that was held: the others end with what they deliver.
        """
        asking: Asking | None = session.memory
        if asking is not None and asking.message is not None and not asking.tells:
            now = self._whose(session)
            asking.ended = asking.ended or (now is not None and now != asking.message)
            asking.seen = now is not None
        return None if asking is None or asking.ended else asking

    def _goes_on(self, asking: Asking, name: bytes, value: bytes) -> bool:
        """Whether an address of no exchanger that is known is of this attempt all the same.

        The worse hosts of one that is held must stay held: they may be behind this machine.
        """
        alone = not asking.beside and (asking.shut or asking.tells)
        beside = self._goes_beside(asking, name)
        if asking.part and asking.shut and self._young():
            return True
        return beside or (alone and asking.questions.unplaced(name, value))

    @staticmethod
    def _goes_beside(asking: Asking, name: bytes) -> bool:
        """Whether this next-hop is asked for because the one before is held: no attempt began.

        Where that is unknown, it is another attempt: perhaps of the message's next recipient.
        """
        if not asking.shut or name == asking.questions.domain:
            return False
        asking.beside = asking.tells or asking.seen
        return asking.beside

    def _begin(self, questions: Questions, session: HasMemory) -> Asking:
        """A new attempt on this connection: the one before is over."""
        before: Asking | None = session.memory
        if before is not None and before.attempt is not None and before.lane is not None:
            self._controller.end(before.lane, before.attempt, self._clock())
        session.memory = made = Asking(questions, before)
        if before is None or (before.part and not before.ended and questions.bare):
            made.part = self._young()
        elif before.shut and not before.ended and questions.domain in self._beyond().fallbacks:
            # no status filter tells, but who configures a fallback turns to it just here
            first = before.behind or before.questions.domain
            if questions.domain not in (first, before.questions.domain):
                made.behind, made.shut = first, True
        return made

    def _young(self) -> bool:
        return self._clock() - self._born < _LONGEST

    def _decide(self, asking: Asking, host: bytes, session: HasMemory, pool: str) -> bytes | Later:
        questions, asking.pool = asking.questions, pool
        if asking.shut:
            return DROP
        preference = questions.hosts[host]
        if preference == asking.checked:
            return self._chosen(asking)
        if asking.attempt is not None and questions.vague:
            return KEEP  # which host this is cannot be told: what was admitted goes its usual way
        now, lane = self._clock(), self._lane(pool, host)
        stopped = self._stopped_beside(asking, host, lane, now)
        if stopped is not None:
            return self._shut(asking, stopped, session)
        asking.checked = preference
        if asking.attempt is not None:
            return self._chosen(asking)
        domain = self._domain(questions.domain)
        if lane in self._controller.senders:
            asking.asker = own = self._locked(session)
            admit = partial(self._admit, asking, lane, domain, session, lambda: own)
            return self.names.first(session, own, admit)
        who = partial(self._locked, session) if self._controller.promised else nobody
        return self._admit(asking, lane, domain, session, who)

    def _admit(
        self, asking: Asking, lane: Lane, domain: str, session: HasMemory, who: Who
    ) -> bytes | Later:
        told = self._controller.admit(lane, domain, self._clock(), patient=True, who=who)
        if told.waiter is None:
            return self._decided(asking, told.lane, told.attempt, session)
        later, asking.waiter = Later(), told.waiter
        told.waiter.tell = lambda may: later.come(self._decided(asking, told.lane, may, session))
        return later

    def _stopped_beside(self, asking: Asking, host: bytes, own: Lane, now: float) -> Lane | None:
        """The lane of an equal host that takes nothing, or of this one beside what was admitted.

        Half of a preference might lack just this machine, which tells Postfix where loops begin.
        """
        equals = asking.questions.equals(host)
        if asking.attempt is None and len(equals) == 1:
            return None
        for lane in {self._lane(own.pool, one) for one in equals}:
            asks = lane != own or asking.attempt is not None
            if asks and not self._controller.may_pass(lane, now):
                return lane
        return None

    def _locked(self, session: HasMemory) -> Locked | None:  # which queue file the client has
        return locked(self._whose(session))

    def _decided(
        self, asking: Asking, state: LaneState, attempt: Attempt | None, session: HasMemory
    ) -> bytes:
        asking.waiter = None
        if attempt is None:
            return self._shut(asking, None, session)
        asking.lane, asking.attempt = state, attempt
        self.decisions["admitted"] += 1
        return self._chosen(asking)

    def _shut(self, asking: Asking, lane: Lane | None, session: HasMemory) -> bytes:
        """Drop this address and all that follow; `lane`: whose equal or worse host stands there."""
        asking.shut = True
        asking.tells = asking.tells or asking.pool in self._beyond().tells
        if asking.attempt is None:
            self.decisions["held"] += 1
            if lane is not None:
                self._controller.held(lane, self._domain(asking.questions.domain), self._clock())
            self._named(asking, list(asking.questions.hosts)[:_MOST_NAMED])
        if asking.first and not asking.tells and asking.pool in self._telling:
            asking.message = self._whose(session)
        return DROP

    def _forsake(self, asking: Asking, name: bytes, host: bytes | None, session: HasMemory) -> None:
        """Hold what is asked for behind hosts that were left out for nobody."""
        if asking.bereft and not (asking.is_equal(host) and name not in self._beyond().fallbacks):
            self._named(asking, list(asking.questions.hosts)[:_MOST_NAMED])
            self._shut(asking, None, session)

    def _named(self, asking: Asking, hosts: list[bytes]) -> None:
        """The hold line will name one of these hosts."""
        domain = self._domain(asking.behind or asking.questions.domain)
        names = [self._domain(host) for host in hosts]
        self._controller.hops.held(domain, names, self._clock())

    def closed(self, session: HasMemory) -> None:
        """The client has gone: it neither waits nor delivers any more."""
        self.names.gone(session)
        asking, session.memory = session.memory, None
        if not isinstance(asking, Asking):
            return
        if asking.waiter is not None:
            self._controller.door.leave(asking.waiter, self._clock())
        elif asking.attempt is not None and asking.lane is not None:
            self._controller.end(asking.lane, asking.attempt, self._clock())

    @staticmethod
    def holds(session: HasMemory) -> bool:
        """Whether an attempt is under way there of which an address was dropped."""
        asking = session.memory
        return isinstance(asking, Asking) and asking.shut and not asking.ended

    def told(self, session: HasMemory) -> None:
        """The status filter was asked on this connection: the attempt is at its end.

        One delivery agent uses one connection for both maps, so it is about the attempt it makes.
        """
        asking: Asking | None = session.memory
        if asking is not None:
            asking.tells = asking.ended = True
            self._telling[asking.pool] = True

    def accepted(self, session: HasMemory) -> None:
        """It was about mail that was accepted."""
        asking: Asking | None = session.memory
        if asking is not None and asking.lane is not None and asking.attempt is not None:
            self.names.leaves(asking.asker)
            self._controller.accepted(asking.lane, asking.attempt, self._clock())

    def refused(self, evidence: Evidence, session: HasMemory) -> None:
        """It was about a refusal; one without an attempt is judged by the host it names."""
        asking: Asking | None = session.memory
        lane, attempt = (asking.lane, asking.attempt) if asking is not None else (None, None)
        self._controller.heard(evidence, lane, attempt, self._clock())
