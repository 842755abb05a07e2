"""All lanes: found, bounded, explained, and changed by an operator's word.

Contract: pure. A lane is made when it is first asked for. When there are too many, an eighth goes
at once, so that a flood of names costs little for each: those not in use before those in use,
those without trouble before those with, and of these the ones unseen for longest.
Failure: none; a receiver nobody knows has no lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from policyd.bounded import Bounded
from policyd.throttle.book.holdbook import HoldBook
from policyd.throttle.book.nexthop import NextHops
from policyd.throttle.evidence import Lane
from policyd.throttle.explain import Explanation, explain
from policyd.throttle.judging.senders import SenderLanes
from policyd.throttle.lane.state import LaneState, State
from policyd.throttle.settings.pacing import PacingSettings

__all__ = ["Lanes"]

_AT_A_TIME = 1000  # lanes whose time is minded; takes a millisecond
_MUCH = 1e10  # seconds: beyond any difference of times


class Lanes:
    """What the controller is built on."""

    def __init__(
        self,
        settings: PacingSettings,
        book: HoldBook,
        posix: Callable[[float], float] = float,
    ) -> None:
        self.settings = settings
        self._posix = posix
        self.book = book
        # by Lane, or a tuple that equals one
        self._lanes: dict[tuple[str, str, str], LaneState] = {}
        self.senders = SenderLanes(book.waiting, posix)
        self._homes: Bounded[str, Lane] = Bounded(200_000)  # domain → the lane that held it last
        self._told: Bounded[tuple[str, str], Lane] = Bounded(50_000)  # message, domain → its lane
        self.hops = NextHops(100_000)
        self._round: Iterator[LaneState] = iter(())  # those whose time is minded next
        self._round_over = True
        self._checked = 0.0
        self._pools: set[str] = set()  # few are named by the MTA; no more than there are lanes
        # told of each lane's change: the state before, the time
        self.on_change: Callable[[LaneState, State, float], None] = lambda lane, before, now: None
        # told of a lane whose silent host gave places back
        self.on_places: Callable[[LaneState, float], None] = lambda lane, now: None

    def lane(self, lane: Lane, now: float) -> LaneState:
        """A lane's state, made if it is new."""
        found = self._lanes.get(lane)
        if found is None and lane.sender:
            found = self.senders.find(lane)
            lane = lane.of_sender("")  # its mail is as any other's again
            return found if found is not None else self.lane(lane, now)
        if found is None:
            if len(self._lanes) >= self.settings.lanes:
                self._forget_some()
            found = self._lanes[lane] = LaneState(lane, self.settings, now, self._posix)
            found.changed = self._changed
            self._pools.add(lane.pool)
        return found

    def _changed(self, lane: LaneState, before: State, now: float) -> None:
        self.on_change(lane, before, now)

    def _forget_some(self) -> None:
        alone = [state for state in self._lanes.values() if state.lane not in self.senders]
        for state in sorted(alone, key=_worth)[: max(1, len(self._lanes) // 8)]:
            del self._lanes[state.lane]
        self._pools = {state.lane.pool for state in self._lanes.values()}

    def mind_the_time(self, now: float) -> None:
        """What the clock alone decides: attempts that time out, limits that have their hours.

        Once a second or more seldom; of very many lanes some at a time, for answers wait meanwhile.
        """
        if self._round_over:
            if now - self._checked <= 1.0:
                return
            self._checked, self._round = now, iter(list(self._lanes.values()))
            self.senders.tend(now)
        some = list(islice(self._round, _AT_A_TIME))
        self._round_over = len(some) < _AT_A_TIME
        for state in some:
            state.window.expire(now)
            if state.hosts.look(state.window, now):
                self.on_places(state, now)
            told = self.settings.limits(state.lane.receiver, self._posix(now))
            if told is not state.limits:  # they begin and end by the clock
                state.use_settings(self.settings, now)

    def lanes(self, now: float) -> list[LaneState]:
        """All lanes, brought up to date."""
        for state in self._lanes.values():
            state.advance(now)
        return list(self._lanes.values())

    def shown(self, now: float) -> list[LaneState]:
        """The same, and those of senders' domains."""
        for own in self.senders:
            own.advance(now)
        return [*self.lanes(now), *self.senders]

    def of_receiver(self, receiver: str, now: float) -> Sequence[LaneState]:
        """The lanes of one receiver, brought up to date; asked for each message submitted."""
        found = []
        for pool in self._pools:
            state = self._lanes.get((pool, receiver, ""))
            if state is not None:
                state.advance(now)
                found.append(state)
        return found

    def peek(self, lane: Lane, now: float) -> State:
        """A lane's state without touching it; lanes never seen are free."""
        state = self._lanes.get(lane)
        return state.advance(now) if state else "free"

    def homes(self) -> Iterator[tuple[str, Lane]]:
        """Which lane each held domain belongs to."""
        return self._homes.items()

    def set_home(self, domain: str, lane: Lane) -> None:
        """Tell which lane a domain belongs to."""
        if self._homes.get(domain) != lane:
            self._homes[domain] = lane

    def tell_lane(self, message: str, domain: str, lane: Lane) -> None:
        """Which lane this message takes to this domain, where the question names the message."""
        if self._told.get((message, domain)) != lane:
            self._told[message, domain] = lane

    def home(self, message: str, domain: str) -> Lane | None:
        """The lane of mail to a domain: this message's own, else the one that held it last."""
        own = self._told.get((message, domain)) if self._told else None
        return own or self._homes.get(domain)

    def held(self, lane: Lane, domain: str, now: float) -> None:
        """An attempt is held for the sake of this lane without having asked for its token."""
        self._held(self.lane(lane, now), domain)

    def _held(self, state: LaneState, domain: str) -> None:
        """An attempt is answered "not now": remember whose domain it is, for the log names none."""
        state.held_total += 1
        self.set_home(domain, state.lane.of_sender("") if state.lane.sender else state.lane)

    def holds(self, domain: str) -> bool:
        """Whether mail to this recipient's domain was held by the gate, as far as is known."""
        return self.hops.known(domain) in self._homes

    # for those who look -----------------------------------------------------------------------

    def explain(self, receiver: str, now: float, pool: str | None = None) -> list[Explanation]:
        """Every lane of a receiver (of one pool, if given), explained."""
        lanes = self._of(receiver, pool)
        own = [own for state in lanes for own in self.senders.get(state.lane, {}).values()]
        return [explain(s, self.book.waiting(s.lane), now) for s in (*lanes, *own)]

    def troubled(self, now: float) -> list[Explanation]:
        """Every lane that is not free, explained; the latest change first."""
        lanes = [state for state in self.shown(now) if state.state != "free"]
        lanes.sort(key=lambda state: -state.since)
        return [explain(state, self.book.waiting(state.lane), now) for state in lanes]

    # an operator's word -----------------------------------------------------------------------

    def _of(self, receiver: str, pool: str | None) -> Sequence[LaneState]:
        pools = self._pools if pool is None else (pool,)
        found = (self._lanes.get((name, receiver, "")) for name in sorted(pools))
        return [state for state in found if state is not None]

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
            for own in list(self.senders.get(lane.lane, {}).values()):
                own.cancel(now)
            lane.cancel(now)
        return len(lanes)

    def extend(self, receiver: str, seconds: float, now: float, *, pool: str | None = None) -> int:
        """Prolong a suspension or a pin; the number of lanes that were prolonged."""
        return sum(_extend(lane, seconds, now) for lane in self._of(receiver, pool))

    def set_rate(self, receiver: str, rate: float, now: float, *, pool: str | None = None) -> int:
        """Go on at this rate and learn from there; a pin that held another state is over."""
        lanes = self._of(receiver, pool) or [self.lane(Lane(pool or "", receiver), now)]
        for lane in lanes:
            lane.pinned = 0.0
            lane.set_rate(rate, now)
        return len(lanes)


def _extend(state: LaneState, seconds: float, now: float) -> bool:
    """Prolong a suspension or a pin; False: there is neither."""
    suspended, pinned = state.advance(now) == "suspended", state.pinned > now
    state.until += seconds if suspended else 0.0
    state.pinned += seconds if pinned else 0.0
    return suspended or pinned


def _worth(state: LaneState) -> float:
    """How much we would miss it: later than any time in trouble, later still in use."""
    in_use = state.window.open + state.granted + state.at_door > 0
    return state.seen + (_MUCH if state.state != "free" else 0.0) + (2 * _MUCH if in_use else 0.0)
