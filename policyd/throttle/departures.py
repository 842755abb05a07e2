"""What the hand that lets mail go asks of the controller: what is due, when, what the queue holds.

Contract: pure. `due` says which messages to let go now, `next_event` when to ask again; `reconcile`
makes the book agree with the queue. `tick` is what the clock alone decides: it must be called once
a second also where nobody lets mail go. While `stands_aside`, what waits goes without tokens.
Failure: none; a message nobody lets go is retried by the MTA's own back-off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from policyd.throttle.book.dispatch import Dispatcher, Queued, Release, Waiting
from policyd.throttle.book.door import Door
from policyd.throttle.book.nexthop import NextHops
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.judging.blame import Blame
from policyd.throttle.lanes import Lanes

__all__ = ["Departures"]


class Departures(Lanes):
    """The controller's side towards the queue."""

    door: Door
    blame: Blame
    _dispatcher: Dispatcher
    hops: NextHops
    retired = False  # `mxheed off`: hold nothing any more
    blind = False  # nobody sees what becomes of mail: let go what is held

    def due(self, now: float, limit: int = 100) -> list[Release]:
        """Which messages to let go now, at most `limit`; places are promised to them."""
        self.tick(now)
        self.door.tend(now)
        if self.stands_aside:
            return self._dispatcher.everything(now, limit)
        return self._dispatcher.due(now, limit)

    def exim_lives(self, seconds: float) -> None:
        """How long Exim's retry rules keep a message."""
        self._dispatcher.exim_lifetime = seconds

    def unreleased(self, queue_id: str, now: float) -> None:
        """The hand could not let it go: it waits again."""
        self._dispatcher.unreleased(queue_id, now)

    def next_event(self, now: float) -> float:
        """Seconds after which `due` may have something new; at most one."""
        waits, ahead = [1.0], self._dispatcher.grants.ahead
        for lane in self.book.lanes():
            state = self._lanes.get(lane) or self.senders.find(lane)
            waits.append(max(0.02, state.turn(now) - ahead) if state else 0.02)
        if (aside := self.book.next_due()) is not None:
            waits.append(max(0.02, aside - now))
        return min(waits)

    def reconcile(
        self,
        queue: Iterable[Queued],
        receiver_of: Callable[[str], str],
        began: float,
        now: float,
        told: Mapping[str, Sequence[tuple[Evidence, int]]] = MappingProxyType({}),
        ours: Callable[[str], bool] = lambda queue_id: True,
    ) -> tuple[int, int]:
        """Make the book agree with the queue as listed from `began` on; (added, dropped).

        `ours`: which queue ids are of this queue, where several MTAs have one.
        `told`: by queue id, what receivers said to its recipients, and to how many.
        """

        def lane_of(domain: str, sender: str) -> Lane:
            return self._of_own(self._homes.get(domain) or Lane("", receiver_of(domain)), sender)

        listed = [one._replace(held=self.hops.of_all(one.held)) for one in queue]
        for queued in listed:
            if queued.sender:
                self.blame.present.told(queued.queue_id, queued.sender)
        blamed = self._blamed(told, now)
        return self._dispatcher.reconcile(listed, lane_of, blamed, began, now, ours)

    def unknown(self, queue_id: str) -> bool:
        """Whether nothing is known of a message, and there is room to take it up."""
        return self.book.get(queue_id) is None and len(self.book) < self.settings.messages

    def _blamed(
        self, told: Mapping[str, Sequence[tuple[Evidence, int]]], now: float
    ) -> dict[str, list[Waiting]]:
        """What waits for a lane, out of what receivers said; all else is the MTA's to retry."""
        room = self.settings.messages - len(self.book)
        found: dict[str, list[Waiting]] = {}
        for queue_id, words in told.items():
            if self.stands_aside or len(found) >= room:
                break
            for evidence, recipients in words:
                asked = self.hops.translate(evidence, self._homes)
                lane = self._of_own(self._likely_lane(asked), asked.sender)
                if self.blame.concerns_lane(evidence, lane):
                    due = max(now, self.blame.until(lane, asked.sender))
                    part = Waiting(lane, asked.domain, recipients, due)
                    found.setdefault(queue_id, []).append(part)
        return found

    def _of_own(self, lane: Lane, sender: str) -> Lane:
        """The lane of this sender's domain, if the receiver blames it."""
        own = self.senders.of(lane, sender)
        return own.lane if own is not None else lane

    def _likely_lane(self, evidence: Evidence) -> Lane:
        """The queue does not tell by which pool it tried: the domain's own, else one in trouble.

        Where that is wrong, the gate's question finds the right one, and holds it there.
        """
        home = self.home(evidence.queue_id, evidence.domain)
        if home is not None and home.receiver == evidence.receiver:
            return home
        lanes = [self._lanes[key] for pool in sorted(self._pools)
                 if (key := Lane(pool, evidence.receiver)) in self._lanes]  # fmt: skip
        troubled = [state.lane for state in lanes if state.state != "free"]
        return troubled[0] if troubled else lanes[0].lane if lanes else Lane("", evidence.receiver)

    def crowded(self, lane: Lane, domain: str, now: float) -> bool:
        """Whether to hold new mail for a domain: the hold's log line tells the recipient."""
        return self.book.mailboxes.crowded(lane, domain, now) and not self.stands_aside

    def tick(self, now: float) -> None:
        """What the clock alone decides; to be called once a second, whoever lets mail go."""
        self.mind_the_time(now)
        self.book.ripen(now)
        self.book.sweep(now)

    @property
    def stands_aside(self) -> bool:
        """Whether what waits is let go without asking for tokens."""
        return self.retired or self.blind

    def retire(self, now: float) -> None:
        """`mxheed off`: hold nothing any more; what waits is let go at the hand's own rate."""
        self.retired = True
        self.door.open(now)
