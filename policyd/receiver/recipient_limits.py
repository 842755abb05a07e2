"""How many recipients per message each receiver takes, learnt from its own replies.

A receiver either names the number ("max 50 recipients", captured by its rule), or it shows it: the
recipients of one transaction that it took before it said "too many" (452 4.5.3; RFC 5321
§4.5.3.1.10). Of its latest such transactions the largest counts, for other refusals make one look
smaller; a limit that was lowered shows after a few. What a receiver says goes before what it shows.
Contract: pure; `take` is told of every recipient's result, `limit` and `limits` tell what was
learnt. A limit is forgotten a week after its last refusal, for nobody would notice that it has
risen. Tables are bounded. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from logparse.events import Delivery
from policyd.bounded import Bounded
from rules.verdict import Verdict

__all__ = ["RecipientLimits"]

_CATEGORY = "flow.recipients"
_LARGEST = 100_000
_LATEST = 8  # transactions that count
_KEPT = 7 * 86_400.0  # seconds
_RECEIVERS = 10_000


class _Learnt:
    """What one receiver has told and shown."""

    __slots__ = ("shown", "time", "told")

    def __init__(self, time: float, told: int = 0, shown: Sequence[int] = ()) -> None:
        self.time = time  # of its last refusal
        self.told = told
        self.shown: dict[object, int] = dict(enumerate(shown))  # transaction → recipients taken

    @property
    def limit(self) -> int:
        """Recipients per message; 0: it refused some, and none was taken yet."""
        return self.told or max(self.shown.values(), default=0)

    def show(self, transaction: object) -> None:
        """One more recipient was taken in a transaction of which others were refused."""
        self.shown[transaction] = self.shown.get(transaction, 0) + 1
        if len(self.shown) > _LATEST:
            del self.shown[next(iter(self.shown))]


class RecipientLimits:
    """See the module."""

    SAVED: ClassVar = {str: (float, int, [int])}  # receiver → time, told, shown

    def __init__(self) -> None:
        # transactions in which some were refused: message and group → the agents' process ids
        self._partly: Bounded[tuple[object, ...], set[int]] = Bounded(4096)
        self._learnt: Bounded[str, _Learnt] = Bounded(_RECEIVERS)

    def take(self, delivery: Delivery, receiver: str, verdict: Verdict | None) -> None:
        """One recipient's result; refused ones are logged at once, taken ones after DATA."""
        refused = verdict is not None and verdict.category == _CATEGORY
        if not refused and (delivery.outcome != "sent" or not self._partly):
            return  # the most frequent case by far: nobody has refused anything lately
        delays = delivery.delays
        key = (delivery.queue_id, (delivery.address, delivery.conn_use, delays and delays[:3]))
        learnt = self._learnt.get(receiver)
        agents = self._partly.get(key)
        if refused:
            if learnt is None:
                learnt = self._learnt[receiver] = _Learnt(delivery.time)
            learnt.time = max(learnt.time, delivery.time)
            count = verdict.captures.get("count") if verdict is not None else None
            if isinstance(count, int) and 0 < count <= _LARGEST:
                learnt.told = count
            self._partly[key] = {*(agents or ()), delivery.pid}
        elif learnt is not None and agents and delivery.pid in agents:
            learnt.show((*key, delivery.pid))

    def expects(self, queue_id: str, group: tuple[object, ...]) -> bool:
        """Whether some recipients of this transaction (`Evidence.group`) were refused before."""
        return bool(self._partly) and (queue_id, group) in self._partly

    def limit(self, receiver: str, now: float) -> int | None:
        """Recipients per message that this receiver takes; None: not known, or long ago."""
        learnt = self._learnt.get(receiver)
        return learnt.limit or None if learnt is not None and now - learnt.time < _KEPT else None

    def limits(self, now: float) -> Iterator[tuple[str, int]]:
        """Every receiver whose limit is known, with its recipients per message."""
        for receiver, learnt in self._learnt.items():
            if learnt.limit and now - learnt.time < _KEPT:
                yield receiver, learnt.limit

    def snapshot(self) -> dict[str, list[Any]]:
        """What was learnt, as plain values: receiver → time, told, shown."""
        return {
            receiver: [learnt.time, learnt.told, list(learnt.shown.values())]
            for receiver, learnt in self._learnt.items()
        }

    def restore(self, saved: Mapping[str, Sequence[Any]], shift: float = 0.0) -> None:
        """Take a snapshot back, its times moved by `shift`."""
        for receiver, (time, told, shown) in saved.items():
            self._learnt[receiver] = _Learnt(time + shift, told, shown[-_LATEST:])
