"""The gate for Exim: may this message be tried at this domain now? Asked by name, for each address.

Contract: `ask` answers `hold` or `go` from memory. The question names the message, the domain and
its hosts; the hosts of the best preference decide: the attempt costs one token of their receiver's
lane, and where one of several lanes takes nothing, all are held. A domain whose hosts nobody could
look up is asked for by what is known of it. Who was let go is known by his message id. A message's
sender and its lane are noted, since its log line names neither. `concerns` hears of each log line
that is not an acceptance: an attempt that was admitted and not made gives its place back.
Failure: what is odd goes; the tables are bounded, what they forget costs a place its time-out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from policyd.bounded import Bounded
from policyd.hooks.eximqueued import queued
from policyd.hooks.eximrcpt import answered
from policyd.hooks.eximretry import RetryRecords
from policyd.hooks.names import Names
from policyd.receiver.domains import DomainCache
from policyd.receiver.rollup import UNKNOWN, Receivers
from policyd.serve.eximline import Question
from policyd.serve.later import Later
from policyd.serve.policy import Request
from policyd.serve.readsocket import GO, HOLD
from policyd.serve.session import Session
from policyd.throttle.book.queueid import is_named
from policyd.throttle.controller import Controller
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.judging.blame import is_our_own
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.window import Attempt

__all__ = ["DECISIONS", "EximGate"]

DECISIONS = ("admitted", "held")
_OPEN = 20_000  # attempts under way
_Key = tuple[str, str]  # message, domain


class EximGate:
    """See the module."""

    def __init__(
        self,
        controller: Controller,
        receivers: Receivers,
        clock: Callable[[], float],
        policy: Callable[[Request, Session], bytes],
    ) -> None:
        """`policy` answers at submission, as it answers Postfix."""
        self._controller = controller
        self._receivers = receivers
        self._clock = clock
        self._policy = policy
        self._born = clock()
        names = Names(receivers)
        self._lane, self._domain = names.lane, names.domain
        self._senders = DomainCache()
        self._open: Bounded[_Key, tuple[LaneState, Attempt]] = Bounded(_OPEN)
        self._held: Bounded[_Key, bool] = Bounded(_OPEN)
        self.records = RetryRecords()
        self.queued: deque[str] = deque(maxlen=_OPEN)  # taken in without an attempt
        self.decisions = dict.fromkeys(DECISIONS, 0)

    def ask(self, question: Question, session: Session) -> bytes | Later:
        """Hold or go, now or when its turn has come."""
        if question.verb == "rcpt":
            return answered(question, session, self._policy)
        if question.none:
            return GO  # a null MX: Exim knows what to do
        controller, now = self._controller, self._clock()
        message, domain = question.message, self._domain(question.domain)
        if question.sender:
            controller.note_sender(message, self._senders[question.sender], now)
        lane = self._lane_of(question, domain)
        controller.tell_lane(message, domain, lane)
        stopped = self._stopped_beside(question, lane, now)
        if stopped is not None:
            controller.held(stopped, domain, now)
            return self._answered(message, domain, None, None)
        patient = question.wait > controller.settings.door.wait > 0
        admission = controller.admit(lane, domain, now, patient=patient, who=lambda: message)
        if admission.waiter is None:
            return self._answered(message, domain, admission.lane, admission.attempt)
        later = Later()
        admission.waiter.tell = lambda told: later.come(
            self._answered(message, domain, admission.lane, told)
        )
        return later

    def _lane_of(self, question: Question, domain: str) -> Lane:
        if question.hosts:
            return self._lane(question.pool, min(question.hosts)[1])
        known = self._receivers.of_domain(domain).receiver
        if known != UNKNOWN:
            return Lane(question.pool, known)
        return self._lane(question.pool, question.domain)  # its own host

    def _stopped_beside(self, question: Question, own: Lane, now: float) -> Lane | None:
        """The lane of an equal host that takes nothing; Exim would turn to it next."""
        if len(question.hosts) < 2:
            return None
        best = min(question.hosts)[0]
        equals = {self._lane(own.pool, host) for rank, host in question.hosts if rank == best}
        return next(
            (lane for lane in equals if lane != own and not self._controller.may_pass(lane, now)),
            None,
        )

    def _answered(
        self, message: str, domain: str, state: LaneState | None, attempt: Attempt | None
    ) -> bytes:
        key = (message, domain)
        if attempt is None or state is None:
            self._held[key] = True
            self.decisions["held"] += 1
            return HOLD
        self._held.pop(key)
        self._open[key] = (state, attempt)
        self.decisions["admitted"] += 1
        return GO

    def take_in(self, text: bytes) -> None:
        """Lines of the log: which messages came in without an attempt?"""
        self.queued.extend(queued(text))

    def observe(self, evidence: Evidence, now: float) -> None:
        """A log line of either MTA is judged, if it is a matter of ours."""
        if self.concerns(evidence):
            self._controller.observe(evidence, now)

    def concerns(self, evidence: Evidence) -> bool:
        """A log line of a message is about to be judged; False: it is no matter of ours.

        An operator's own hold_domains says the same as ours. What was held before we began, we do
        not remember; the lane of its domain does.
        """
        if not is_named(evidence.queue_id):
            return True  # Postfix's
        key = (evidence.queue_id, evidence.domain)
        if evidence.outcome == "held" and key not in self._held:
            before = evidence.time < self._born and self._controller.holds(evidence.domain)
            if not before:
                return False
        self._unmade(evidence)
        self.records.note(evidence)
        if evidence.outcome == "sent":
            self.records.accepted(evidence.queue_id, evidence.receiver)
        return True

    def _unmade(self, evidence: Evidence) -> None:
        """No attempt was made, though one may have been admitted."""
        under_way = self._open.pop((evidence.queue_id, evidence.domain))
        if under_way is None:
            return
        if evidence.outcome in ("suspended", "held") or is_our_own(evidence):
            self._controller.unmade(*under_way, self._clock())
