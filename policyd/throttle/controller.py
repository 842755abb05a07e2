"""Pacing: evidence and time in; admissions, releases and explanations out.

Contract: pure. `admit` answers the gate from memory; `observe` takes one piece of evidence; `due`
says which waiting messages to let go now. Each attempt counts once, whatever told of it first.
What is slowed depends on the scope of blame: the lane, the lane for one sender domain, one
recipient, or nothing.
Failure: none; what is lost (a log line, a release, a question) costs a time-out, never a message.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from policyd.throttle.dispatch import Dispatcher, Queued, Release
from policyd.throttle.evidence import Evidence, Lane, domain_of
from policyd.throttle.explain import Explanation, explain
from policyd.throttle.holdbook import HoldBook, Message
from policyd.throttle.lane import LaneState, State
from policyd.throttle.memory import Bounded
from policyd.throttle.nexthop import NextHops
from policyd.throttle.persist import restore, snapshot
from policyd.throttle.priorities import Classes
from policyd.throttle.retrytable import RetryTable, socket_error
from policyd.throttle.settings import PacingSettings, Reaction
from policyd.throttle.transactions import Transactions
from policyd.throttle.window import Attempt

__all__ = ["Admission", "Controller"]

_LANE_SCOPES = frozenset({"ip", "receiver", "account"})
_LANE_ACTS = frozenset({"slow", "connections", "pause"})
_STALE = 600.0  # evidence older than this is history, not news
_ECHO = 60.0  # an echo from a lane that is free otherwise waits so long
_IDLE_BUCKET = 2.0  # a bucket full for so long has nobody who fetches its tokens


class Admission(NamedTuple):
    """The gate's answer for one attempt."""

    attempt: Attempt | None  # None: hold
    lane: LaneState


def _nobody() -> None:
    """Nobody wants to know."""


class Controller:
    """All lanes, the book of waiting messages, and what is between them."""

    def __init__(
        self, settings: PacingSettings | None = None, *, rng: random.Random | None = None
    ) -> None:
        self.settings = settings or PacingSettings()
        self.classes = Classes(self.settings.classes)
        self.retry = RetryTable(self.settings, rng or random.Random())
        self.book = HoldBook(self.settings.messages, self.classes.share, self.settings.grant)
        self.counts: dict[str, int] = {}
        self.retired = False  # `mxheed off`: hold nothing any more
        self.on_room: Callable[[], None] = _nobody  # a lane somebody waits for may have room
        self._dispatcher = Dispatcher(self.settings, self.book, self.lane, self._count)
        self._grants = self._dispatcher.grants
        self._transactions = Transactions(self.settings.recipients)
        self._lanes: dict[Lane, LaneState] = {}
        self._pools: set[str] = set()  # few: each is named in the MTA's configuration
        self._homes: Bounded[str, Lane] = Bounded(200_000)  # domain → the lane that held it last
        self._hops = NextHops(100_000)
        self._senders: Bounded[str, str] = Bounded(100_000)  # queue id → sender domain
        self._blamed: Bounded[tuple[Lane, str], float] = Bounded(10_000)  # sender there → until
        self._checked = 0.0

    def use(self, settings: PacingSettings, now: float) -> None:
        """Go on under new settings; all that was learnt and all that waits stays."""
        self.settings = settings
        self.classes = Classes(settings.classes)
        self.retry.use(settings)
        self.book.share = self.classes.share
        self._dispatcher.settings = settings
        for state in self._lanes.values():
            state.use_settings(settings, now)

    # the gate ----------------------------------------------------------------------------------

    def lane(self, lane: Lane, now: float) -> LaneState:
        """A lane's state, made if it is new."""
        found = self._lanes.get(lane)
        if found is None:
            if len(self._lanes) >= self.settings.lanes:
                self._forget_lane()
            found = self._lanes[lane] = LaneState(lane, self.settings, now)
            self._pools.add(lane.pool)
        return found

    def _forget_lane(self) -> None:
        """Make room: the lane unseen for longest, one without trouble if there is any."""
        idle = [s for s in self._lanes.values() if s.window.open == 0 and s.granted == 0]
        victim = min(idle or self._lanes.values(), key=lambda s: (s.state != "free", s.seen))
        del self._lanes[victim.lane]

    def admit(self, lane: Lane, domain: str, now: float) -> Admission:
        """One attempt asks to start: a grant, else a token, else it is held."""
        state = self._lanes.get(lane) or self.lane(lane, now)
        if self._grants and self._grants.take(lane, domain):
            return Admission(state.begin(domain, now), state)
        if self.retired or (not self._backlog_first(state, now) and state.take(now)):
            return Admission(state.begin(domain, now), state)
        if self.settings.shadow:
            self._count("shadow.hold")
            state.use(now)
            return Admission(state.begin(domain, now), state)
        state.held_total += 1
        if self._homes.get(domain) != lane:
            self._homes[domain] = lane
        return Admission(None, state)

    def _backlog_first(self, state: LaneState, now: float) -> bool:
        """New mail queues behind what waits, unless nobody fetches the tokens."""
        if state.bucket is None or not self.book.waiting(state.lane):
            return False
        return now - state.bucket.tat < _IDLE_BUCKET

    def peek(self, lane: Lane, now: float) -> State:
        """A lane's state without touching it; lanes never seen are free."""
        state = self._lanes.get(lane)
        return state.advance(now) if state else "free"

    def wait(self, lane: Lane, now: float, sender: str = "") -> float:
        """Seconds for which new mail had better not come (0.0: welcome): for submission."""
        state = self._lanes.get(lane)
        blamed = self._blamed.get((lane, sender), 0.0) if sender else 0.0
        waits = state.until - now if state and state.advance(now) == "suspended" else 0.0
        return max(waits, blamed - now, 0.0)

    def may_pass(self, lane: Lane, now: float) -> bool:
        """Whether another receiver's host of an admitted attempt may stay as a fallback."""
        state = self._lanes.get(lane)
        return state is None or self.settings.shadow or self.retired or state.room(now) > 0

    def end(self, lane: LaneState, attempt: Attempt, now: float) -> None:
        """The delivery agent went on to something else: the attempt is over, judged or not."""
        if lane.window.close(attempt, now):
            self._room(lane)

    def _room(self, state: LaneState) -> None:
        """An attempt ended: where the window is the limit, somebody may go at once."""
        if state.bucket is None and self.book.waiting(state.lane):
            self.on_room()

    # evidence ----------------------------------------------------------------------------------

    def observe(self, evidence: Evidence, now: float) -> None:
        """Take one recipient's result in."""
        evidence = self._hops.translate(evidence, self._homes)
        outcome = evidence.outcome
        if outcome == "held":
            self._observe_hold(evidence, now)
        elif outcome == "suspended":
            self._observe_echo(evidence, now)
        elif outcome == "tried":
            self._observe_host(evidence, now)
        elif outcome != "probe" and evidence.receiver != "local":
            self._observe_attempt(evidence, now)

    def heard(
        self, evidence: Evidence, lane: LaneState | None, attempt: Attempt | None, now: float
    ) -> None:
        """The status filter's question: the verdict before its log line, counted here and now."""
        if lane is not None and attempt is not None:
            if not lane.window.close(attempt, now):
                return  # a later recipient, or a kept session: the log will tell
            if evidence.receiver not in ("unknown", lane.lane.receiver):  # a fallback host spoke
                lane, attempt.epoch = self.lane(Lane(lane.lane.pool, evidence.receiver), now), -1
            attempt.heard = True
            if evidence.outcome == "sent":
                attempt.accepted = True
                lane.accept(now, attempt)
            else:
                attempt.refused = True
                self._judge(evidence, lane, attempt, now)
            self._room(lane)
        elif evidence.outcome != "sent" and evidence.receiver != "unknown":
            self._transactions.hear(evidence, now)
            state = self.lane(Lane(evidence.pool or "", evidence.receiver), now)
            self._judge(evidence, state, None, now)

    def _observe_hold(self, evidence: Evidence, now: float) -> None:
        """One of our own holds (or its echo): the message goes into the book."""
        # deferred while nobody answered the gate: the question that tells the home never came
        home = self._homes.get(evidence.domain)
        lane = home or Lane(evidence.pool or "", evidence.receiver)
        message = self._message(evidence, now)
        message.lines += 1
        self.book.wait(message, lane, evidence.domain, now, now)

    def _observe_echo(self, evidence: Evidence, now: float) -> None:
        """Postfix tries nothing there for a while, for one message was refused at the door.

        The receiver's own words: the message waits for its lane. Words of our own MTA (nobody
        answered, no such name): Postfix knows better when to try again.
        """
        self._count("echo")
        lane = self._lane_of(evidence) if evidence.origin == "remote" else None
        if lane is None or not evidence.queue_id:
            return
        troubled = self.lane(lane, now).advance(now) != "free"
        message = self._message(evidence, now)
        self.book.wait(message, lane, evidence.domain, now, now if troubled else now + _ECHO)

    def _observe_host(self, evidence: Evidence, now: float) -> None:
        """One host of an attempt that goes on with the next host: the attempt is not over."""
        lane = self._lane_of(evidence)
        fresh = now - evidence.time <= _STALE and not self._transactions.known(evidence, now)
        if lane is not None and fresh:
            self._judge(evidence, self.lane(lane, now), None, now)

    def _message(self, evidence: Evidence, now: float) -> Message:
        message = self.book.get(evidence.queue_id)
        if message is None:
            message = self.book.message(evidence.queue_id, now, evidence.arrived)
            message.sender = self._senders.get(evidence.queue_id) or evidence.sender
            message.klass = self.classes.of(message.sender, domain_of(evidence.recipient))
        return message

    def _lane_of(self, evidence: Evidence) -> Lane | None:
        home = self._homes.get(evidence.domain)
        if evidence.receiver == "unknown":
            return home
        pool = evidence.pool
        if pool is None:
            pool = home.pool if home and home.receiver == evidence.receiver else ""
        return Lane(pool, evidence.receiver)

    def _observe_attempt(self, evidence: Evidence, now: float) -> None:
        lane = self._lane_of(evidence)
        if lane is None:
            return
        state = self.lane(lane, now)
        again = False  # a further recipient of a transaction that was refused already
        if now - evidence.time <= _STALE:
            transaction = self._transactions.of(evidence, state, now)
            again = transaction.refused
            if transaction.lines == 1 and transaction.attempt is None:
                self._unasked(evidence, state, now)
            if evidence.outcome == "sent":
                if not transaction.accepted:
                    transaction.accepted = True
                    state.accept(now, transaction.attempt)
            elif not transaction.refused:
                transaction.refused = True
                if not self._transactions.known(evidence, now):
                    self._judge(evidence, state, transaction.attempt, now)
        self._observe_message(evidence, state, now, again)
        self._room(state)

    def _unasked(self, evidence: Evidence, state: LaneState, now: float) -> None:
        """A delivery over a session that was kept open asked nothing: it uses up a token."""
        message = self.book.get(evidence.queue_id) if self._grants else None
        if message is None or not self._grants.use(message, state.lane, evidence.domain):
            state.speed.take(now)
            self._count("unasked")

    def _judge(
        self, evidence: Evidence, state: LaneState, attempt: Attempt | None, now: float
    ) -> None:
        """A refusal: what it slows depends on whom it blames."""
        reaction = self._reaction(evidence)
        if reaction is None or reaction.act not in _LANE_ACTS:
            return
        if reaction.shadow:
            self._count(f"shadow.{evidence.category}")
        hint = self.retry.hint(evidence.retry_after)
        if evidence.scope in _LANE_SCOPES or reaction.act == "connections":
            state.refuse(evidence, reaction, hint, attempt, now)
        elif evidence.scope == "domain" and not reaction.shadow:
            sender = evidence.sender or self._senders.get(evidence.queue_id, "")
            if sender:
                pause = hint if hint is not None else max(60.0, reaction.pause)
                self._blamed[(state.lane, sender)] = now + pause

    def _reaction(self, evidence: Evidence) -> Reaction | None:
        kind = socket_error(evidence)
        return self.settings.reaction(kind or evidence.category, evidence.stance)

    def _observe_message(
        self, evidence: Evidence, state: LaneState, now: float, again: bool
    ) -> None:
        """What becomes of this message's part: done, or put off until its own time."""
        if not evidence.queue_id:
            return
        message = self.book.get(evidence.queue_id)
        before = message.part(state.lane, evidence.domain) if message else None
        grey = before.grey if before else 0.0
        due: float | None = None
        times = 1
        if evidence.outcome == "deferred":
            times = _times(message, (state.lane, evidence.domain), again, now)
            due = self._due(evidence, times, now)
            if evidence.category == "flow.greylist" and evidence.retry_after is None:
                grey = grey or now
                early = state.greylist.delay(evidence.queue_id, grey, times, now)
                due = due if early is None else now + early
        elif grey and evidence.outcome == "sent" and state.greylist.accepted(grey, now):
            self.book.hurry(state.lane, state.greylist.due, now)
        if due is None:
            part = message.parts.get((state.lane, evidence.domain)) if message and again else None
            if part is not None:
                # taken in part (a recipient limit): the others still wait, and not longer each time
                part.refused = 0
            elif message is not None:
                self.book.settle(message, state.lane, evidence.domain)
            return
        message = message or self._message(evidence, now)
        due = max(due, self._blamed.get((state.lane, message.sender), 0.0))
        part = self.book.wait(message, state.lane, evidence.domain, now, due)
        part.refused = times
        part.grey = grey

    def _due(self, evidence: Evidence, times: int, now: float) -> float | None:
        """When this message may be tried again; None: the MTA's own back-off decides."""
        reaction = self._reaction(evidence)
        if (
            reaction is not None
            and not reaction.shadow
            and reaction.act in _LANE_ACTS
            and (evidence.scope in _LANE_SCOPES or reaction.act == "connections")
        ):
            return now  # the lane's own state says when
        delay = self.retry.delay(evidence, times)
        # a log may tell whole seconds only: the reply came up to a second after what it says
        return None if delay is None else min(now, evidence.time + 1.0) + delay

    def removed(self, queue_id: str) -> None:
        """The message left the queue."""
        self.book.drop(queue_id)
        self._senders.pop(queue_id)

    def note_sender(self, queue_id: str, sender: str, now: float) -> None:
        """The envelope sender's domain of a message, told at submission or by the queue."""
        if not queue_id:
            return
        self._senders[queue_id] = sender
        message = self.book.get(queue_id)
        if message is not None:
            domain = next((key[1] for key in message.parts), "")
            self.book.move(message, sender, self.classes.of(sender, domain), now)

    # releases ----------------------------------------------------------------------------------

    def due(self, now: float, limit: int = 100) -> list[Release]:
        """Which messages to let go now, at most `limit`; their tokens are reserved."""
        if now - self._checked > 1.0:
            self._checked = now
            for state in self._lanes.values():
                state.window.expire(now)
                state.mind_the_hours(now)
        if self.retired:
            return self._dispatcher.everything(now, limit)
        return self._dispatcher.due(now, limit)

    def unreleased(self, queue_id: str, now: float) -> None:
        """The hand could not let it go: its tokens return, it waits again."""
        self._dispatcher.unreleased(queue_id, now)

    def next_event(self, now: float) -> float:
        """Seconds after which `due` may have something new; at most one."""
        waits = [1.0]
        for lane in self.book.lanes():
            state = self._lanes.get(lane)
            waits.append(max(0.02, state.wait(now)) if state else 0.02)
        if (aside := self.book.next_due()) is not None:
            waits.append(max(0.02, aside - now))
        return min(waits)

    def reconcile(
        self,
        queue: Iterable[Queued],
        receiver_of: Callable[[str], str],
        began: float,
        now: float,
    ) -> tuple[int, int]:
        """Make the book agree with the queue as listed from `began` on; (added, dropped)."""

        def lane_of(domain: str) -> Lane:
            return self._homes.get(domain) or Lane("", receiver_of(domain))

        listed = list(queue)
        for queued in listed:
            if queued.sender:
                self._senders[queued.queue_id] = queued.sender
        return self._dispatcher.reconcile(listed, lane_of, began, now)

    def retire(self) -> None:
        """`mxheed off`: hold nothing any more; what waits is let go at the hand's own rate."""
        self.retired = True

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # for those who look and order -------------------------------------------------------------

    def lanes(self, now: float) -> list[LaneState]:
        """All lanes, brought up to date."""
        for state in self._lanes.values():
            state.advance(now)
        return list(self._lanes.values())

    def explain(self, receiver: str, now: float, pool: str | None = None) -> list[Explanation]:
        """Every lane of a receiver (of one pool, if given), explained."""
        return [explain(s, self.book.waiting(s.lane), now) for s in self._of(receiver, pool)]

    def troubled(self, now: float) -> list[Explanation]:
        """Every lane that is not free, explained; the latest change first."""
        lanes = [state for state in self.lanes(now) if state.state != "free"]
        lanes.sort(key=lambda state: -state.since)
        return [explain(state, self.book.waiting(state.lane), now) for state in lanes]

    def _of(self, receiver: str, pool: str | None) -> Sequence[LaneState]:
        pools = self._pools if pool is None else (pool,)
        found = (self._lanes.get(Lane(name, receiver)) for name in sorted(pools))
        return [state for state in found if state is not None]

    def of_receiver(self, receiver: str, now: float) -> Sequence[LaneState]:
        """The lanes of one receiver, brought up to date; asked for each message submitted."""
        found = []
        for pool in self._pools:
            state = self._lanes.get(Lane(pool, receiver))
            if state is not None:
                state.advance(now)
                found.append(state)
        return found

    def pin(
        self,
        receiver: str,
        state: State,
        seconds: float,
        now: float,
        *,
        rate: float | None = None,
        pool: str | None = None,
    ) -> int:
        """Keep a receiver free, slowed or suspended for a time; the number of lanes it concerns."""
        lanes = self._of(receiver, pool) or [self.lane(Lane(pool or "", receiver), now)]
        for lane in lanes:
            lane.pin(state, now + seconds, rate, now)
        return len(lanes)

    def cancel(self, receiver: str, now: float, *, pool: str | None = None) -> int:
        """Forget a receiver's trouble: free again, at a modest start."""
        lanes = self._of(receiver, pool)
        for lane in lanes:
            lane.cancel(now)
        return len(lanes)

    def extend(self, receiver: str, seconds: float, now: float, *, pool: str | None = None) -> int:
        """Prolong a suspension or a pin; the number of lanes that were prolonged."""
        return sum(lane.extend(seconds, now) for lane in self._of(receiver, pool))

    def set_rate(self, receiver: str, rate: float, now: float, *, pool: str | None = None) -> int:
        """Go on at this rate and learn from there."""
        lanes = self._of(receiver, pool) or [self.lane(Lane(pool or "", receiver), now)]
        for lane in lanes:
            lane.set_rate(rate, now)
        return len(lanes)

    # over a restart ---------------------------------------------------------------------------

    def homes(self) -> Iterator[tuple[str, Lane]]:
        """Which lane each held domain belongs to."""
        return self._homes.items()

    def set_home(self, domain: str, lane: Lane) -> None:
        """Tell which lane a domain belongs to."""
        self._homes[domain] = lane

    def snapshot(self, now: float | None = None) -> dict[str, Any]:
        """What was learnt, as plain JSON values."""
        return snapshot(self, self._checked if now is None else now)

    def restore(self, saved: Mapping[str, Any], now: float) -> None:
        """Take a snapshot back; buckets start empty."""
        restore(self, saved, now)


def _times(message: Message | None, key: tuple[Lane, str], again: bool, now: float) -> int:
    """How often a part was put off, this time included; further lines of one attempt count once."""
    if message is None:
        return 1
    if released := message.pending.get(key):
        return released.refused + 1
    waiting = message.parts.get(key)
    if waiting is None:
        return 1
    return max(1, waiting.refused + (not again and now >= waiting.due))
