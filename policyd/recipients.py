"""How many recipients per message each receiver takes, learnt from its own replies.

A receiver either names the number ("max 50 recipients", captured by its rule), or it shows it: the
recipients of one transaction that it took before it said "too many" (452 4.5.3; RFC 5321
§4.5.3.1.10).
Contract: pure; `take` is told of every recipient's result, `limits` is receiver → number. What a
receiver says goes before what it shows. Tables are bounded. Failure: none.
"""

from __future__ import annotations

from collections.abc import Mapping

from logparse.events import Delivery
from policyd.throttle.memory import Bounded
from rules.verdict import Verdict

__all__ = ["RecipientLimits"]

_CATEGORY = "flow.recipients"
_LARGEST = 100_000


class RecipientLimits:
    """See the module."""

    def __init__(self) -> None:
        # recipients taken in transactions in which some were refused
        self._taken: Bounded[tuple[object, ...], int] = Bounded(4096)
        self._told: Bounded[str, int] = Bounded(10_000)
        self._shown: Bounded[str, int] = Bounded(10_000)

    def take(self, delivery: Delivery, receiver: str, verdict: Verdict | None) -> None:
        """One recipient's result; refused ones are logged at once, taken ones after DATA."""
        refused = verdict is not None and verdict.category == _CATEGORY
        if not refused and (delivery.outcome != "sent" or not self._taken):
            return  # the most frequent case by far: nobody has refused anything lately
        delays = delivery.delays
        key = (delivery.queue_id, delivery.address, delivery.conn_use, delays and delays[:3])
        if refused:
            count = verdict.captures.get("count") if verdict is not None else None
            if isinstance(count, int) and 0 < count <= _LARGEST:
                self._told[receiver] = count
            self._taken[key] = self._taken.get(key, 0)
        elif (taken := self._taken.get(key)) is not None:
            self._taken[key] = taken + 1
            self._shown[receiver] = max(taken + 1, self._shown.get(receiver, 0))

    def limits(self) -> Mapping[str, int]:
        """Receiver → recipients per message."""
        return {**dict(self._shown.items()), **dict(self._told.items())}

    def snapshot(self) -> dict[str, dict[str, int]]:
        """What was learnt, as plain values."""
        return {"told": dict(self._told.items()), "shown": dict(self._shown.items())}

    def restore(self, saved: Mapping[str, Mapping[str, int]]) -> None:
        """Take a snapshot back."""
        for table, name in ((self._told, "told"), (self._shown, "shown")):
            for receiver, count in saved[name].items():
                table[receiver] = int(count)
