"""Senders' domains that receivers blame: each has a lane of its own there, as long as it lasts.

Contract: pure, bounded. `blamed` makes such a lane at the first refusal that names the domain, and
lets it know what was accepted of it lately; `of` finds it; `tend` forgets those that are free, were
not blamed for some time, and keep nobody waiting. Where there are too many, None: then only the
domain's deferred messages wait.
Failure: none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from policyd.throttle.evidence import Lane
from policyd.throttle.lane.sender import SenderLane
from policyd.throttle.lane.state import LaneState

__all__ = ["SenderLanes"]

_MOST = 1_000
_MOST_EACH = 100  # at one receiver
_QUIET = 60.0  # seconds without blame, after which a free one is forgotten
_LATELY = 2_000  # accepted attempts that are remembered with their senders, and
_SPAN = 60.0  # for how many seconds they tell something


class SenderLanes:
    """See the module; `waiting` tells how many parts wait for a lane."""

    def __init__(self, waiting: Callable[[Lane], int], posix: Callable[[float], float]) -> None:
        self._waiting = waiting
        self._posix = posix
        self._lanes: dict[Lane, dict[str, SenderLane]] = {}  # by the receiver's lane, and sender
        self._lately: deque[tuple[float, Lane, str]] = deque(maxlen=_LATELY)
        self.left_out = 0  # blamed, and no room for a lane
        # how those who asked while a sender was blamed were known; "unknown": its line is not read
        self.asked = {"message": 0, "unknown": 0, "unseen": 0}
        self.get = self._lanes.get  # the lanes beside a receiver's, by sender

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def __contains__(self, lane: Lane) -> bool:
        return lane in self._lanes

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __iter__(self) -> Iterator[SenderLane]:
        return iter([lane for lanes in self._lanes.values() for lane in lanes.values()])

    def of(self, lane: Lane, sender: str) -> SenderLane | None:
        """This sender's lane beside the receiver's, if it has one."""
        lanes = self._lanes.get(lane) if sender else None
        return lanes.get(sender) if lanes is not None else None

    def find(self, lane: Lane) -> SenderLane | None:
        """The same, by its own name."""
        return self.of(lane.of_sender(""), lane.sender)

    def accepted(self, lane: Lane, sender: str, now: float) -> None:
        """Mail of this sender was accepted: what it may be worth is known when it is blamed."""
        if sender:
            self._lately.append((now, lane, sender))

    def blamed(self, base: LaneState, sender: str, now: float) -> SenderLane | None:
        """The lane of a domain that the receiver blames, made if it is new."""
        found = self.of(base.lane, sender) or self.make(base, sender, now)
        if found is None:
            self.left_out += 1
        else:
            found.blamed_at = now
        return found

    def make(self, base: LaneState, sender: str, now: float) -> SenderLane | None:
        """A lane for this domain, if there is room."""
        lanes = self._lanes.get(base.lane, {})
        if not sender or len(self) >= _MOST or len(lanes) >= _MOST_EACH:
            return None
        made = SenderLane(base, sender, now, self._posix)
        for when, lane, name in self._lately:
            if (lane, name) == (base.lane, sender) and now - when < _SPAN:
                made.trouble.history.add(when)
                made.accepted += 1
        self._lanes.setdefault(base.lane, lanes)[sender] = made
        return made

    def tend(self, now: float) -> None:
        """Forget those nobody needs any more."""
        for own in self:
            own.window.expire(now)
            free = own.advance(now) == "free" and now - max(own.blamed_at, own.since) > _QUIET
            idle = not (own.window.open or own.granted or own.at_door)
            if free and idle and not self._waiting(own.lane):
                self.forget(own)

    def forget(self, own: SenderLane) -> None:
        """This domain's mail is as any other's again."""
        lanes = self._lanes.get(own.base.lane, {})
        lanes.pop(own.lane.sender, None)
        if not lanes:
            self._lanes.pop(own.base.lane, None)
