"""What the hooks ask of the controller: whether an attempt may start, and when one is over.

Contract: pure. `admit` answers from memory, hundreds of thousands of times a minute; `end` gives an
attempt's place back, `accepted` as well where the status filter told first. Failure: none; an
attempt whose end nobody tells keeps its place until a time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from functools import partial

from policyd.bounded import Bounded
from policyd.throttle.book.door import Admission
from policyd.throttle.book.grants import Grants, Who, nobody
from policyd.throttle.book.queueid import Locked
from policyd.throttle.departures import Departures
from policyd.throttle.evidence import Lane
from policyd.throttle.lane.hosts import Hosts
from policyd.throttle.lane.sender import of_receiver
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.trial import may_try
from policyd.throttle.lane.window import Attempt

__all__ = ["Admissions"]

_IDLE_BUCKET = 2.0  # a bucket full for so long has nobody who fetches its tokens
# Admission's own way through its defaults takes twice as long, and there is one for each attempt
_admission: Callable[[tuple[Attempt, LaneState, None]], Admission]
_admission = partial(tuple.__new__, Admission)


class Admissions(Departures):
    """The controller's side towards the hooks."""

    counts: dict[str, int]
    on_room: Callable[[], None]
    promised: Sized
    _grants: Grants
    _skipped: Bounded[str, Lane]  # domain → of which lane a host was left out of its attempts

    def admit(
        self,
        lane: Lane,
        domain: str,
        now: float,
        *,
        patient: bool = False,
        who: Who = nobody,
    ) -> Admission:
        """One attempt asks to start: it may, or it is held, or, if `patient`, waits at the door."""
        state = self._lanes.get(lane) or self.lane(lane, now)
        if self.senders and state.lane in self.senders:
            state, who = self._of_sender(state, who())
            lane = state.lane
        grant = self._grants.take(lane, domain, now, who) if self.promised else None
        if grant is not None:
            passes = grant.must or (not state.at_door and state.passes(now))
        else:
            passes = state.room(now) > 0 and not self._backlog_first(state, now)
            # who is stopped keeps no delivery agent from those who are not blamed
            patient = patient and (not lane.sender or state.state == "free")
        must = grant is not None and grant.must
        if (grant is None and self.crowded(lane.of_sender(""), domain, now)) or (
            passes and not must and not self._may_try(state, domain, now)
        ):
            passes = patient = False  # it waits by itself, or is no message to probe with
        if not passes and self.settings.shadow:
            self._count("shadow.hold")
        if passes or self.retired or self.settings.shadow:
            return _admission((state.begin(domain, now), state, None))
        if patient and (grant is not None or not self.book.ready(lane)):
            waiter = self.door.enter(state, domain, grant is not None, now)
            if waiter is not None:
                return Admission(None, state, waiter)
        self._held(state, domain)
        return Admission(None, state)

    def _of_sender(self, state: LaneState, asker: Locked | str | None) -> tuple[LaneState, Who]:
        """The lane of who asks, if the receiver blames its sender's domain."""
        present = self.blame.present
        named = asker if isinstance(asker, str) else None
        queue_id = present.of(asker.inode) if isinstance(asker, Locked) else named
        known = "message" if queue_id else "unknown" if asker is not None else "unseen"
        self.senders.asked[known] += 1
        own = self.senders.of(state.lane, present.sender(queue_id, "")) if queue_id else None
        return own or state, lambda: asker

    def _may_try(self, state: LaneState, domain: str, now: float) -> bool:
        base, _ = of_receiver(state, None)
        return may_try(state, domain, now) and (base is state or may_try(base, domain, now))

    def _backlog_first(self, state: LaneState, now: float) -> bool:
        """New mail queues behind what waits, unless nobody fetches the tokens."""
        if state.bucket is None or not self.book.ready(state.lane):
            return False
        return now - state.bucket.tat < _IDLE_BUCKET

    def may_pass(self, lane: Lane, now: float) -> bool:
        """Whether another receiver's host of an admitted attempt may stay as a fallback."""
        state = self._lanes.get(lane)
        return state is None or self.settings.shadow or self.retired or state.passes(now)

    def hosts_of(self, lane: Lane) -> Hosts | None:
        """What is known of a lane's hosts; while mxheed is off, or only watches, nothing."""
        state = self._lanes.get(lane)
        return None if state is None or self.settings.shadow or self.retired else state.hosts

    def skipped(self, lane: Lane, domain: str, hosts: Iterable[str], now: float) -> None:
        """A host was left out of an attempt to this domain; these are its equals."""
        self._skipped[domain] = lane
        self._count("host.skipped")
        self.hops.held(domain, hosts, now)  # should none of them be found, it was our doing

    def end(self, lane: LaneState, attempt: Attempt, now: float) -> None:
        """The delivery agent went on to something else: the attempt is over, judged or not."""
        if lane.window.close(attempt, now):
            self._room(lane, now)

    def unmade(self, lane: LaneState, attempt: Attempt, now: float) -> None:
        """The MTA made no attempt after all: nothing more will be heard of it."""
        if lane.window.drop(attempt):
            self._room(lane, now)

    def _room(self, state: LaneState, now: float) -> None:
        """An attempt ended, or was judged: who waits at the door may go, or must be held."""
        if state.at_door:
            self.door.look(state, now)
        if state.lane.sender:
            self._room(of_receiver(state, None)[0], now)
        elif self.senders:
            for own in list(self.senders.get(state.lane, {}).values()):
                if own.at_door:
                    self.door.look(own, now)
        waits = self.book.waits
        if (waits.held or waits.deferred) and state.bucket is None and waits.parts(state.lane):
            self.on_room()

    def accepted(self, lane: LaneState, attempt: Attempt, now: float) -> None:
        """The status filter's question: an attempt was accepted; the first to tell counts."""
        if lane.window.close(attempt, now):
            attempt.heard = attempt.accepted = True
            lane.accept(now, attempt, attempt.domain)
            self._room(lane, now)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
