"""What a faster rate may win and a refusal costs, in seconds: whether to dare, and how far to stay.

Contract: pure. Between a rate that is safe and the fastest that was seen, the limit may lie
anywhere (as likely between 1 and 2 a second as between 10 and 20). One step up wins a share of
the time the backlog takes; it is refused with a chance that is the smaller the more room is left.
Failure: none.
"""

from __future__ import annotations

from math import inf, log
from typing import NamedTuple

__all__ = ["BLOCKED_UNSEEN", "NOTHING_SEEN", "Prospect", "distance"]

_LITTLE = 0.2  # room above the fastest that was seen: nobody knows
_DOUBTED = 0.5  # chance that probes were refused by a block, not by a full window
_CHEAP = 4.0  # seconds: a refusal that costs no more may be risked for any backlog
_BESIDES = 1.5  # times its stop: after a refusal the rate is lower, too
_SPREAD = 0.07  # a learnt ceiling is wrong by so much
_LEAST, _MOST = 0.02, 0.35


class Prospect(NamedTuple):
    """What is known about a receiver's limit when mail flows again (messages a second)."""

    rate: float  # to begin with
    hope: float  # the fastest it was seen to take
    doubt: float  # what a limit over a window could be at most, were it one

    def worth(self, rate: float, backlog: int, cost: float) -> bool:
        """Whether `backlog` messages gain enough by more than `rate` to risk a refusal."""
        if cost < _CHEAP:
            return True
        gain = backlog / rate * max(log(max(self.hope / rate, 1.0)), _LITTLE)
        return gain * (1.0 if rate <= self.doubt else _DOUBTED) > cost * _BESIDES


NOTHING_SEEN = Prospect(1.0, 1.0, 1.0)
# blocked from the first message on: no limit was met, so it may be quick
BLOCKED_UNSEEN = Prospect(10.0, inf, inf)


def distance(left: float, cost: float) -> float:
    """How far to stay below a ceiling (its share), with `left` seconds of mail to send.

    Each step away loses that share of `left`, and makes a refusal of `cost` seconds less likely
    by a factor.
    """
    away = _SPREAD * log(max(cost / (_SPREAD * max(left, 1.0)), 1.0))
    return min(max(away, _LEAST), _MOST)
