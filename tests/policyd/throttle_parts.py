"""What the tests of pacing share: evidence made short, a controller with a lane."""

from __future__ import annotations

import random
from typing import Any

from policyd.throttle import Controller, Evidence, Lane, PacingSettings

NOW = 1_000_000.0
BIG = Lane("", "mx:big.test")


def evidence(outcome: str = "sent", **changes: Any) -> Evidence:
    """One log line's evidence about the big receiver."""
    refused = outcome in ("deferred", "bounced", "tried")
    values: dict[str, Any] = {
        "time": NOW,
        "source": "log",
        "pool": None,
        "receiver": "unknown" if outcome == "held" else "mx:big.test",
        "domain": "d1.test",
        "recipient": "a@d1.test",
        "queue_id": "Q1",
        "host": "" if outcome == "held" else "mx.big.test",
        "outcome": outcome,
        "category": "flow.rate" if refused else "",
        "scope": "receiver" if refused else "connection",
        "stance": "slow" if refused else "none",
        "rule": "generic.rate" if refused else None,
        "reply": "421 4.7.0 slow down" if refused else "250 ok",
        "retry_after": None,
        "stage": None,
        "origin": "local" if outcome == "held" else "remote",
        "conn_use": 1,
        "group": (),
        "arrived": NOW - 1,
    }
    return Evidence(**(values | changes))


def controller(**settings: Any) -> Controller:
    """A controller without jitter."""
    return Controller(PacingSettings(**({"jitter": 0.0} | settings)), rng=random.Random(1))


def slowed(rate: float = 10.0, **settings: Any) -> Controller:
    """A controller whose big receiver is slowed, with an empty bucket."""
    found = controller(**settings)
    found.set_rate(BIG.receiver, rate, NOW)
    return found


def hold(pacer: Controller, queue_id: str, domain: str, now: float, **changes: Any) -> None:
    """The gate held an attempt of this message and the log says so."""
    assert pacer.admit(BIG, domain, now).attempt is None
    pacer.observe(evidence("held", queue_id=queue_id, domain=domain, time=now, **changes), now)
