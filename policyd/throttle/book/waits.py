"""How much waits, for which lanes, since when, and by whose doing: held by us or deferred by them.

Contract: pure. The book tells of each part that begins and ceases to wait. A message of which any
part is held counts as held. The oldest held part of a lane is found without looking at the others.
Failure: none; what it keeps is bounded by what waits.
"""

from __future__ import annotations

import heapq
from itertools import count

from policyd.throttle.book.message import Message, Part
from policyd.throttle.evidence import Lane

__all__ = ["Waits"]

_SPARE = 64  # entries of parts that wait no longer, besides as many as there are others


class _Queue:
    """What waits for one lane."""

    __slots__ = ("deferred", "held", "since")

    def __init__(self) -> None:
        self.held = self.deferred = 0  # parts
        self.since: list[tuple[float, int, Part]] = []  # a heap; parts may have left meanwhile


class Waits:
    """See the module."""

    def __init__(self) -> None:
        self.held = self.deferred = 0  # messages
        self._lanes: dict[Lane, _Queue] = {}
        self._serial = count()

    def parts(self, lane: Lane) -> int:
        """Parts that wait for a lane."""
        queue = self._lanes.get(lane)
        return queue.held + queue.deferred if queue is not None else 0

    def held_for(self, lane: Lane) -> int:
        """Those of them that we hold."""
        queue = self._lanes.get(lane)
        return queue.held if queue is not None else 0

    def oldest(self, lane: Lane) -> float | None:
        """Since when the oldest one that we hold waits; None: there is none."""
        queue = self._lanes.get(lane)
        if queue is None:
            return None
        since = queue.since
        while since and not _holds(since[0][2], lane):
            heapq.heappop(since)
        return since[0][0] if since else None

    def begin(self, message: Message, part: Part) -> None:
        """This part waits from now on; `part.held` tells by whose doing."""
        queue = self._lanes.get(part.lane)
        if queue is None:
            queue = self._lanes[part.lane] = _Queue()
        part.waits = True
        self._tally(message, -1)
        if part.held:
            queue.held += 1
            message.held += 1
            self._remember(queue, part)
        else:
            queue.deferred += 1
            message.deferred += 1
        self._tally(message, 1)

    def end(self, message: Message, part: Part) -> None:
        """This part waits no longer."""
        if not part.waits:
            return
        queue = self._lanes[part.lane]
        part.waits = False
        self._tally(message, -1)
        if part.held:
            queue.held -= 1
            message.held -= 1
        else:
            queue.deferred -= 1
            message.deferred -= 1
        self._tally(message, 1)
        if not queue.held and not queue.deferred:
            del self._lanes[part.lane]

    def change(self, message: Message, part: Part, held: bool) -> None:
        """It waits on, but by somebody else's doing."""
        if part.waits and part.held != held:
            self.end(message, part)
            part.held = held
            self.begin(message, part)

    def _tally(self, message: Message, step: int) -> None:
        if message.held:
            self.held += step
        elif message.deferred:
            self.deferred += step

    def _remember(self, queue: _Queue, part: Part) -> None:
        heapq.heappush(queue.since, (part.since, next(self._serial), part))
        if len(queue.since) > 2 * queue.held + _SPARE:
            kept = {id(entry[2]): entry for entry in queue.since if _holds(entry[2], part.lane)}
            queue.since = list(kept.values())
            heapq.heapify(queue.since)


def _holds(part: Part, lane: Lane) -> bool:
    """Whether it waits there; it may have moved."""
    return part.waits and part.held and part.lane == lane
