"""Which waiting messages to let go, and when: tokens, probes, hints, ages.

Contract: pure. A message is let go shortly before there is a token and a place for its part in the
lane whose turn it is, so that it stands at the door when they are there; grants promise them to it.
What was let go and not seen again waits anew. Before a message would expire, and after the longest
hold, it gets a real attempt whatever the lane says.
Failure: none; a message nobody lets go is retried by the MTA's own back-off.
Length: the ways a message goes, one beside the other, share what they may take.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from policyd.throttle.book.door import Door
from policyd.throttle.book.grants import Grants
from policyd.throttle.book.holdbook import HoldBook
from policyd.throttle.book.message import Message, Part
from policyd.throttle.book.queueid import is_named
from policyd.throttle.evidence import Lane
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.trial import DRAWING
from policyd.throttle.settings.pacing import PacingSettings

__all__ = ["Dispatcher", "PutOff", "Queued", "Release", "Waiting"]

_OF_WAIT = 0.9  # of the time parts may wait at the door
_UNSEEN = 5.0  # seconds more to wait for each release that nobody saw, after the first
_UNSEEN_MOST = 300.0
_DRAWN_FROM = 500  # messages
_OVERDUE_GAP = 0.2  # seconds between attempts forced by age


class Release(NamedTuple):
    """A message to let go now."""

    queue_id: str
    lane: Lane
    tokens: int
    why: Literal["token", "probe", "age", "off"]
    again: bool = False  # nobody saw what the release before came to


class PutOff(NamedTuple):
    """Recipients of a message in one domain, and why the MTA says they wait."""

    domain: str
    reason: str
    recipients: int


class Queued(NamedTuple):
    """A message as the queue itself shows it."""

    queue_id: str
    arrived: float
    sender: str  # domain
    held: tuple[tuple[str, int], ...]  # domains put off by our own hold, and their recipients
    put_off: tuple[PutOff, ...] = ()  # by words of somebody else


class Waiting(NamedTuple):
    """A part of a queued message that waits for a lane that was blamed."""

    lane: Lane
    domain: str
    recipients: int
    due: float


class Dispatcher:
    """Chooses releases; the controller owns it."""

    def __init__(
        self,
        settings: PacingSettings,
        book: HoldBook,
        state_of: Callable[[Lane, float], LaneState],
        door: Door,
        count: Callable[[str], None],
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._book = book
        self._state_of = state_of
        self._door = door
        self._count = count
        self.grants = Grants(settings.grant, lambda: count("grant.expired"))
        self._rng = rng or random.Random()
        self._released: deque[tuple[float, str]] = deque()
        self._aged = 0.0
        self.exim_lifetime = float("inf")  # what Exim's retry rules say, once they were read
        self._first = 0  # whose turn it is among the lanes

    def due(self, now: float, limit: int) -> list[Release]:
        """At most `limit` messages to let go now."""
        self.expire(now)
        self._book.ripen(now)
        found: list[Release] = []
        lanes = self._book.lanes()
        if not lanes:
            return found
        self._first = (self._first + 1) % len(lanes)
        for lane in lanes[self._first :] + lanes[: self._first]:
            state = self._state_of(lane, now)
            state.backlog = self._book.waiting(lane)
            while len(found) < limit and (release := self._next(lane, state, now)):
                found.append(release)
        if len(found) < limit and now - self._aged >= _OVERDUE_GAP:
            self._aged = now
            if release := self._overdue(now):
                found.append(release)
        return found

    def _next(self, lane: Lane, state: LaneState, now: float) -> Release | None:
        room = state.room(now, self.grants.ahead if self._door.left() else 0.0)
        if room < 1:
            return None
        message = self._chosen(lane, state, now)
        if message is None or (is_named(message.queue_id) and state.room(now) < 1):
            return None  # Exim's questions do not wait at the door: what comes early is held again
        wanted = sum(self._transactions(p) for p in message.parts.values() if p.lane == lane)
        if wanted > room:
            room = self._reach(state) - state.granted - state.at_door
            if room < wanted and (state.granted or state.at_door):
                return None
        why: Literal["probe", "token"] = "probe" if state.state == "probing" else "token"
        return self._let_go(message, lane, state, max(1, room), why, now)

    def _chosen(self, lane: Lane, state: LaneState, now: float) -> Message | None:
        """Whose turn it is; the probe is drawn from domains whose word is news."""
        stuck = state.hosts.stuck(now)
        if state.state != "probing" or not state.court.any_trusted(now):
            return self._book.peek(lane, now) if not stuck else self._unstuck(lane, stuck, now)
        found: dict[str, Message] = {}
        for message in self._book.candidates(lane, now, _DRAWN_FROM):
            for part in message.parts.values():
                trusted = part.lane == lane and state.court.is_trusted(part.domain, now)
                if trusted and part.domain not in stuck:
                    found.setdefault(part.domain, message)
        if found:
            return found[self._rng.choice(sorted(found))]
        late = now - state.since > DRAWING
        return self._book.peek(lane, now) if late else None

    def _unstuck(self, lane: Lane, stuck: Collection[str], now: float) -> Message | None:
        """One that need not wait for another of its domain at a silent host, if there is any."""
        some = self._book.candidates(lane, now, _DRAWN_FROM)
        others = (one for one in some if not any(p.domain in stuck for p in one.parts.values()))
        return next(others, None) or self._book.peek(lane, now)

    def _reach(self, state: LaneState) -> int:
        """How many parts of a message may go, or wait at the door until they may.

        Each release tries all parts of a message, so letting one with many parts go costs a hold
        line for each part that can do neither: it goes when its lane is idle otherwise.
        """
        left = self._door.left()
        if state.state == "probing":  # if the first one is accepted, the others follow
            return left
        return min(left, int(state.reach(self._door.settings.wait * _OF_WAIT)))

    def _let_go(
        self,
        message: Message,
        lane: Lane,
        state: LaneState,
        room: int,
        why: Literal["token", "probe", "age"],
        now: float,
    ) -> Release:
        granted = 0
        for part in list(message.parts.values()):
            if part.lane != lane:
                continue
            for _ in range(min(self._transactions(part), room - granted)):
                self.grants.reserve(state, message, part, now, must=why == "age")
                granted += 1
        self._book.charge(lane, message, granted)
        self._book.release(message, now)
        self._released.append((now, message.queue_id))
        self._count(f"release.{why}")
        again, message.unseen = message.unseen, False
        return Release(message.queue_id, lane, granted, why, again)

    def _transactions(self, part: Part) -> int:
        return -(-part.recipients // self.settings.recipients) or 1

    def _overdue(self, now: float) -> Release | None:
        """One message that has waited too long, or is about to expire."""
        settings = self.settings
        soonest = min(settings.longest_hold, self._latest(False), self._latest(True))
        for message in self._book.oldest():
            if not message.parts:
                continue
            latest = self._latest(is_named(message.queue_id))
            held_long = now - max(message.since, message.released) > settings.longest_hold
            expiring = message.released < message.arrived + latest < now
            if not (held_long or expiring):
                if now - message.since < soonest:
                    break
                continue
            lane = next(iter(message.parts.values())).lane
            room = len(message.parts)
            return self._let_go(message, lane, self._state_of(lane, now), room, "age", now)
        return None

    def _latest(self, exim: bool) -> float:
        """The age at which a message had better be tried: its MTA gives it up a while later."""
        life = min(self.settings.queue_lifetime, self.exim_lifetime if exim else float("inf"))
        return life - min(self.settings.last_chance, life / 4)

    def expire(self, now: float) -> None:
        """Take back grants nobody used; what was let go and never seen waits again."""
        self.grants.expire(now)
        while self._released and now - self._released[0][0] > self.settings.grant:
            released, queue_id = self._released.popleft()
            message = self._book.get(queue_id)
            if message is None or not message.pending or message.released != released:
                continue
            unseen = [part for part in message.pending.values() if not part.asked]
            if now - released > self.settings.window.timeout:
                unseen = list(message.pending.values())  # its log line is lost
            if unseen:
                self._count("release.lost")
                message.unseen = True
                later = min(_UNSEEN * (message.tries - 1), _UNSEEN_MOST)
                self._book.put_back(message, unseen, now, now + later)
            if message.pending:  # asked, and still on its way: a slow receiver
                self._released.append((released, queue_id))
                break

    def unreleased(self, queue_id: str, now: float) -> None:
        """The hand could not let it go: it waits again."""
        message = self._book.get(queue_id)
        if message is not None:
            self.grants.withdraw(message)
            self._book.put_back(message, list(message.pending.values()), now, now + 5.0)

    def everything(self, now: float, limit: int) -> list[Release]:
        """Let go of whatever waits, oldest first, no tokens asked: we step aside."""
        found: list[Release] = []
        for message in self._book.oldest():
            if len(found) >= limit:
                break
            lane = next((part.lane for part in message.parts.values()), Lane("", "unknown"))
            found.append(Release(message.queue_id, lane, 0, "off"))
        for release in found:
            self._book.drop(release.queue_id)
        return found

    def reconcile(
        self,
        queue: Iterable[Queued],
        lane_of: Callable[[str, str], Lane],
        blamed: Mapping[str, Sequence[Waiting]],
        began: float,
        now: float,
        ours: Callable[[str], bool] = lambda queue_id: True,
    ) -> tuple[int, int]:
        """Make the book agree with the queue as listed from `began` on; (added, dropped).

        `blamed`: by queue id, what was put off by a receiver's words that blame the lane.
        """
        added = dropped = 0
        present: set[str] = set()
        for queued in queue:
            present.add(queued.queue_id)
            parts = blamed.get(queued.queue_id, ())
            if not (queued.held or parts) or self._book.get(queued.queue_id) is not None:
                continue
            message = self._book.message(queued.queue_id, now, queued.arrived)
            message.sender = queued.sender
            for lane, domain, recipients, due in parts:
                self._book.wait(message, lane, domain, now, due).recipients += recipients - 1
            for domain, recipients in queued.held:
                lane = lane_of(domain, queued.sender)
                part = self._book.wait(message, lane, domain, now, now, held=True)
                part.recipients = recipients
            added += 1
        for message in self._book:
            there = message.queue_id in present or not ours(message.queue_id)
            if not there and max(message.since, message.released) < began:
                self._book.drop(message.queue_id)
                dropped += 1
        return added, dropped
