"""What the hand that lets mail go asks of the controller: what is due, when, what the queue holds.

Contract: pure. `due` says which messages to let go now, `next_event` when to ask again; `reconcile`
makes the book agree with the queue. `tick` is what the clock alone decides: it must be called once
a second also where nobody lets mail go. While `stands_aside`, what waits goes without tokens.
Failure: none; a message nobody lets go is retried by the MTA's own back-off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from policyd.throttle.blame import Blame
from policyd.throttle.dispatch import Dispatcher, Queued, Release
from policyd.throttle.door import Door
from policyd.throttle.evidence import Lane
from policyd.throttle.lanes import Lanes

__all__ = ["Releasing"]


class Releasing(Lanes):
    """The controller's side towards the queue."""

    door: Door
    blame: Blame
    _dispatcher: Dispatcher
    retired = False  # `mxheed off`: hold nothing any more
    blind = False  # nobody sees what becomes of mail: let go what is held

    def due(self, now: float, limit: int = 100) -> list[Release]:
        """Which messages to let go now, at most `limit`; places are promised to them."""
        self.tick(now)
        self.door.tend(now)
        if self.stands_aside:
            return self._dispatcher.everything(now, limit)
        return self._dispatcher.due(now, limit)

    def unreleased(self, queue_id: str, now: float) -> None:
        """The hand could not let it go: it waits again."""
        self._dispatcher.unreleased(queue_id, now)

    def next_event(self, now: float) -> float:
        """Seconds after which `due` may have something new; at most one."""
        waits, ahead = [1.0], self._dispatcher.grants.ahead
        for lane in self.book.lanes():
            state = self._lanes.get(lane)
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
    ) -> tuple[int, int]:
        """Make the book agree with the queue as listed from `began` on; (added, dropped)."""

        def lane_of(domain: str) -> Lane:
            return self._homes.get(domain) or Lane("", receiver_of(domain))

        listed = list(queue)
        for queued in listed:
            if queued.sender:
                self.blame.senders[queued.queue_id] = queued.sender
        return self._dispatcher.reconcile(listed, lane_of, began, now)

    def tick(self, now: float) -> None:
        """What the clock alone decides; to be called once a second, whoever lets mail go."""
        self.mind_the_time(now)
        self.book.ripen(now)

    @property
    def stands_aside(self) -> bool:
        """Whether what waits is let go without asking for tokens."""
        return self.retired or self.blind

    def retire(self, now: float) -> None:
        """`mxheed off`: hold nothing any more; what waits is let go at the hand's own rate."""
        self.retired = True
        self.door.open(now)
