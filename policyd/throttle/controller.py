"""Pacing: evidence and time in; admissions, releases and explanations out.

Contract: pure. `admit` answers the gate from memory; `observe` takes one piece of evidence;
`due` says which waiting messages to let go now. Each attempt counts once, whatever told of it
first. What is slowed depends on the scope of blame: the lane, the lane for one sender domain, one
recipient, or nothing.
Failure: none; what is lost (a log line, a release, a question) costs a time-out, never a message.
"""

from __future__ import annotations

import random
from collections import deque
from typing import NamedTuple

from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.holdbook import HoldBook, Message, Part
from policyd.throttle.lane import LaneState, State
from policyd.throttle.priorities import Classes
from policyd.throttle.retrytable import RetryTable, socket_error
from policyd.throttle.settings import PacingSettings, Reaction
from policyd.throttle.window import Attempt

__all__ = ["Admission", "Controller", "Release"]

_LANE_SCOPES = frozenset({"ip", "receiver", "account"})
_LANE_ACTS = frozenset({"slow", "connections", "pause"})
_GROUP_AGE = 120.0
_STALE = 600.0  # evidence older than this is history, not news


class Admission(NamedTuple):
    """The gate's answer for one attempt."""

    attempt: Attempt | None  # None: hold
    lane: LaneState


class Release(NamedTuple):
    """A message to let go now."""

    queue_id: str
    lane: Lane
    tokens: int
    why: str  # "token", "probe", "hint", "age"


class _Grant:
    """A token reserved for a released message, until its question or its expiry."""

    __slots__ = ("expires", "message", "part")

    def __init__(self, message: Message, part: Part, expires: float) -> None:
        self.message = message
        self.part = part
        self.expires = expires


class _Group:
    """The log lines of one transaction: they count as one attempt."""

    __slots__ = ("accepted", "attempt", "lines", "refused", "time")

    def __init__(self, attempt: Attempt | None, time: float) -> None:
        self.attempt = attempt
        self.time = time
        self.lines = 0
        self.accepted = bool(attempt and attempt.accepted)
        self.refused = bool(attempt and attempt.refused)


class Controller:
    """All lanes, the book of waiting messages, and the grants between them."""

    def __init__(
        self, settings: PacingSettings | None = None, *, rng: random.Random | None = None
    ) -> None:
        self.settings = settings or PacingSettings()
        self.classes = Classes(self.settings.classes)
        self.retry = RetryTable(self.settings, rng or random.Random())
        self.book = HoldBook(self.settings.messages, self.classes.share)
        self._lanes: dict[Lane, LaneState] = {}
        self._grants: dict[tuple[Lane, str], deque[_Grant]] = {}
        self._granted: deque[tuple[float, tuple[Lane, str], _Grant]] = deque()
        self._released: deque[tuple[float, str]] = deque()
        self._groups: dict[tuple[object, ...], _Group] = {}
        self._old_groups: dict[tuple[object, ...], _Group] = {}
        self._turned = 0.0
        self._heard: dict[tuple[str, str], list[float]] = {}
        self._homes: dict[str, Lane] = {}  # recipient domain → the lane that held it last
        self._senders: dict[str, tuple[str, float]] = {}  # queue id → sender domain
        self._blamed: dict[tuple[Lane, str], float] = {}  # (lane, sender domain) → until
        self.counts: dict[str, int] = {}

    # the gate ----------------------------------------------------------------------------------

    def lane(self, lane: Lane, now: float) -> LaneState:
        """A lane's state, made if it is new."""
        found = self._lanes.get(lane)
        if found is None:
            if len(self._lanes) >= self.settings.lanes:
                self._forget_lane()
            found = self._lanes[lane] = LaneState(lane, self.settings, now)
        return found

    def _forget_lane(self) -> None:
        idle = [s for s in self._lanes.values() if s.window.open == 0 and s.granted == 0]
        victim = min(idle or self._lanes.values(), key=lambda s: (s.state != "free", s.seen))
        del self._lanes[victim.lane]

    def admit(self, lane: Lane, domain: str, now: float) -> Admission:
        """One attempt asks to start: a grant, else a token, else it is held."""
        state = self._lanes.get(lane) or self.lane(lane, now)
        grant = self._take_grant(lane, domain, now) if self._grants else None
        if grant is not None:
            state.granted -= 1
            return Admission(state.begin(domain, now), state)
        if not self._backlog_first(state, now) and state.take(now):
            return Admission(state.begin(domain, now), state)
        state.held_total += 1
        if self.settings.shadow:
            self._count("shadow.hold")
            state.use(now)
            return Admission(state.begin(domain, now), state)
        if self._homes.get(domain) != lane:
            self._remember_home(domain, lane)
        return Admission(None, state)

    def _remember_home(self, domain: str, lane: Lane) -> None:
        if len(self._homes) >= 200_000:
            for old in list(self._homes)[:25_000]:
                del self._homes[old]
        self._homes[domain] = lane

    def _backlog_first(self, state: LaneState, now: float) -> bool:
        """New mail queues behind what waits, unless nobody fetches the tokens."""
        if state.bucket is None or not self.book.waiting(state.lane):
            return False
        return now - state.bucket.tat < 2.0

    def _take_grant(self, lane: Lane, domain: str, now: float) -> _Grant | None:
        waiting = self._grants.get((lane, domain))
        while waiting:
            grant = waiting.popleft()
            if not waiting:
                del self._grants[(lane, domain)]
            if grant.expires == 0.0:
                continue  # given back meanwhile
            grant.expires = 0.0
            grant.part.asked = True
            return grant
        return None

    def peek(self, lane: Lane, now: float) -> State:
        """A lane's state without touching it; lanes never seen are free."""
        state = self._lanes.get(lane)
        return state.advance(now) if state else "free"

    def may_pass(self, lane: Lane, now: float) -> bool:
        """Whether another receiver's host of an admitted attempt may stay as a fallback."""
        state = self._lanes.get(lane)
        return state is None or self.settings.shadow or state.room(now) > 0

    def end(self, lane: LaneState, attempt: Attempt, now: float) -> None:
        """The delivery agent went on to something else: the attempt is over, judged or not."""
        lane.window.close(attempt, now)

    # evidence ----------------------------------------------------------------------------------

    def observe(self, evidence: Evidence, now: float) -> None:
        """Take one recipient's result in."""
        outcome = evidence.outcome
        if outcome == "held":
            self._observe_hold(evidence, now)
        elif outcome == "suspended":
            self._count("echo")
        elif outcome in ("sent", "deferred", "bounced", "expired"):
            self._observe_attempt(evidence, now)

    def _lane_of(self, evidence: Evidence, now: float) -> Lane | None:
        home = self._homes.get(evidence.domain)
        if evidence.receiver != "unknown":
            pool = evidence.pool
            if pool is None:
                pool = home.pool if home and home.receiver == evidence.receiver else ""
            return Lane(pool, evidence.receiver)
        return home

    def _observe_hold(self, evidence: Evidence, now: float) -> None:
        """One of our own holds (or its echo): the message goes into the book."""
        lane = self._homes.get(evidence.domain)
        if lane is None:
            self._count("hold.homeless")
            return
        message = self._message(evidence, now)
        message.lines += 1
        self.book.wait(message, lane, evidence.domain, now, now)

    def _message(self, evidence: Evidence, now: float) -> Message:
        message = self.book.get(evidence.queue_id)
        if message is None:
            message = self.book.message(evidence.queue_id, now, evidence.arrived)
            known = self._senders.get(evidence.queue_id)
            message.sender = known[0] if known else evidence.sender
            message.klass = self.classes.of(message.sender, evidence.domain)
        return message

    def _observe_attempt(self, evidence: Evidence, now: float) -> None:
        lane = self._lane_of(evidence, now)
        if lane is None:
            self._observe_message(evidence, None, now)
            return
        state = self.lane(lane, now)
        if now - evidence.time > _STALE:
            self._observe_message(evidence, state, now)
            return
        group = self._group(evidence, state, now)
        if evidence.outcome == "sent":
            if not group.accepted:
                group.accepted = True
                state.accept(now, group.attempt)
        elif not group.refused:
            group.refused = not self._heard_before(evidence, now)
            if group.refused:
                self._judge(evidence, state, group.attempt, now)
        self._observe_message(evidence, state, now)

    def _group(self, evidence: Evidence, state: LaneState, now: float) -> _Group:
        """The transaction this line belongs to; its first line ends the attempt."""
        if now - self._turned > _GROUP_AGE:
            self._old_groups, self._groups, self._turned = self._groups, {}, now
        key = (evidence.queue_id, evidence.domain, evidence.group)
        group = self._groups.get(key) or self._old_groups.get(key)
        if group is None or group.lines >= self.settings.recipients:
            asked = evidence.host != "" or evidence.outcome == "sent"
            attempt = state.window.pair(evidence.domain, now) if asked else None
            group = self._groups[key] = _Group(attempt, now)
        group.lines += 1
        return group

    def heard(
        self,
        evidence: Evidence,
        lane: LaneState | None,
        attempt: Attempt | None,
        now: float,
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
            return
        if evidence.outcome == "sent" or evidence.receiver == "unknown":
            return
        marks = self._heard.setdefault((evidence.host, evidence.reply), [])
        marks.append(now)
        if len(self._heard) > 4096:
            del self._heard[next(iter(self._heard))]
        state = self.lane(Lane(evidence.pool or "", evidence.receiver), now)
        self._judge(evidence, state, None, now)

    def _heard_before(self, evidence: Evidence, now: float) -> bool:
        marks = self._heard.get((evidence.host, evidence.reply))
        while marks:
            mark = marks.pop(0)
            if not marks:
                del self._heard[(evidence.host, evidence.reply)]
            if now - mark < _GROUP_AGE:
                return True
        return False

    def _judge(
        self, evidence: Evidence, state: LaneState, attempt: Attempt | None, now: float
    ) -> None:
        """A refusal: what it slows depends on whom it blames."""
        reaction = self._reaction(evidence)
        if reaction is None or reaction.act in ("none", "retry"):
            return
        if reaction.shadow:
            self._count(f"shadow.{evidence.category}")
        hint = self.retry.hint(evidence.retry_after)
        if evidence.scope == "domain":
            sender = evidence.sender or self._senders.get(evidence.queue_id, ("", 0.0))[0]
            if sender and not reaction.shadow:
                until = now + (hint if hint is not None else max(60.0, reaction.pause))
                self._blamed[(state.lane, sender)] = until
            return
        if evidence.scope in _LANE_SCOPES or reaction.act == "connections":
            state.refuse(evidence, reaction, hint, attempt, now)

    def _reaction(self, evidence: Evidence) -> Reaction | None:
        kind = socket_error(evidence)
        return self.settings.reaction(kind or evidence.category, evidence.stance)

    def _observe_message(self, evidence: Evidence, state: LaneState | None, now: float) -> None:
        """What becomes of this message's part: done, or put off until its own time."""
        if not evidence.queue_id:
            return
        if evidence.outcome != "deferred":
            message = self.book.get(evidence.queue_id)
            if message is not None and state is not None:
                self.book.settle(message, state.lane, evidence.domain)
            return
        if state is None:
            return
        message = self.book.get(evidence.queue_id)
        known = message.pending.get((state.lane, evidence.domain)) if message else None
        times = known.refused + 1 if known else 1
        due = self._due(evidence, state, times, now)
        if due is None:
            if message is not None:
                self.book.settle(message, state.lane, evidence.domain)
            return
        message = message or self._message(evidence, now)
        part = self.book.wait(message, state.lane, evidence.domain, now, due)
        part.refused = times

    def _due(self, evidence: Evidence, state: LaneState, times: int, now: float) -> float | None:
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
        return None if delay is None else evidence.time + delay

    def removed(self, queue_id: str) -> None:
        """The message left the queue."""
        self.book.drop(queue_id)
        self._senders.pop(queue_id, None)

    def note_sender(self, queue_id: str, sender: str, now: float) -> None:
        """The envelope sender's domain of a message (from submission or from the queue)."""
        if not self.classes or not queue_id:
            return
        if len(self._senders) > 100_000:
            for old in list(self._senders)[:12_500]:
                del self._senders[old]
        self._senders[queue_id] = (sender, now)
        message = self.book.get(queue_id)
        if message is not None:
            domain = next((key[1] for key in message.parts), "")
            self.book.move(message, sender, self.classes.of(sender, domain), now)

    # releases ----------------------------------------------------------------------------------

    def due(self, now: float, limit: int = 100) -> list[Release]:
        """Which messages to let go now, at most `limit`; their tokens are reserved."""
        self._expire(now)
        self.book.ripen(now)
        found: list[Release] = []
        for lane in self.book.lanes():
            state = self.lane(lane, now)
            while len(found) < limit:
                release = self._next(lane, state, now)
                if release is None:
                    break
                found.append(release)
        return found

    def _next(self, lane: Lane, state: LaneState, now: float) -> Release | None:
        room = state.room(now)
        if room < 1:
            return None
        message = self.book.peek(lane)
        if message is None:
            return None
        wanted = self._tokens(message, lane)
        if state.state != "probing" and room < min(wanted, self._chunk(state, message, wanted)):
            return None
        probe = state.state == "probing"
        granted = 0
        for part in list(message.parts.values()):
            if part.lane != lane:
                continue
            for _ in range(self._transactions(part)):
                if granted >= room:
                    break
                self._grant(state, message, part, now)
                granted += 1
        self.book.charge(lane, message, granted)
        self.book.release(message, now)
        self._released.append((now, message.queue_id))
        self._count("release")
        return Release(message.queue_id, lane, granted, "probe" if probe else "token")

    def _chunk(self, state: LaneState, message: Message, wanted: int) -> int:
        """Tokens to wait for before a message with many parts is let go.

        Each release tries all its parts, so few at a time means many hold lines.
        """
        return min(wanted, max(1, int(state.bucket.burst) if state.bucket else wanted))

    def _transactions(self, part: Part) -> int:
        return -(-part.recipients // self.settings.recipients) or 1

    def _tokens(self, message: Message, lane: Lane) -> int:
        return sum(self._transactions(p) for p in message.parts.values() if p.lane == lane)

    def _grant(self, state: LaneState, message: Message, part: Part, now: float) -> None:
        state.use(now)
        state.granted += 1
        grant = _Grant(message, part, now + self.settings.grant)
        key = (state.lane, part.domain)
        self._grants.setdefault(key, deque()).append(grant)
        self._granted.append((grant.expires, key, grant))

    def _expire(self, now: float) -> None:
        """Take back what was not used: grants, attempts, releases that nobody saw."""
        while self._granted and self._granted[0][0] <= now:
            _, key, grant = self._granted.popleft()
            if grant.expires == 0.0:
                continue
            grant.expires = 0.0
            state = self._lanes.get(key[0])
            if state is not None:
                state.granted -= 1
                state.give_back()
            self._count("grant.expired")
            waiting = self._grants.get(key)
            if waiting and all(g.expires == 0.0 for g in waiting):
                del self._grants[key]
        while self._released and now - self._released[0][0] > self.settings.grant:
            released, queue_id = self._released.popleft()
            message = self.book.get(queue_id)
            if message is not None and message.pending and message.released == released:
                if any(not part.asked for part in message.pending.values()):
                    self._count("release.lost")
                self.book.put_back(message, now, now)
        for state in self._lanes.values():
            state.window.expire(now)

    def unreleased(self, queue_id: str, now: float) -> None:
        """The hand could not let it go: its tokens return, it waits again."""
        message = self.book.get(queue_id)
        if message is None:
            return
        for part in message.pending.values():
            key = (part.lane, part.domain)
            state = self._lanes.get(part.lane)
            for grant in self._grants.pop(key, ()):
                if grant.expires and state is not None:
                    if grant.message is message:
                        grant.expires = 0.0
                        state.granted -= 1
                        state.give_back()
                    else:
                        self._grants.setdefault(key, deque()).append(grant)
        self.book.put_back(message, now, now + 1.0)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # an operator's word ------------------------------------------------------------------------

    def lanes(self, now: float) -> list[LaneState]:
        """All lanes, brought up to date."""
        for state in self._lanes.values():
            state.advance(now)
        return list(self._lanes.values())
