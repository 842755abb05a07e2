"""What a scenario of the proving ground is: how a receiver behaves, and the mail for it.

Contract: values only; `ideal` is how long a sender that knew the limit would need at least
(seconds). Failure: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["DOMAINS", "RATE", "TOO_MANY", "FurtherHost", "Scenario", "mail"]

DOMAINS = 20
RATE = "421 4.7.28 Our system has detected an unusual rate of mail from your address"
TOO_MANY = "421 4.7.0 Too many concurrent SMTP connections from this address"


@dataclass(frozen=True)
class FurtherHost:
    """One more host of the same receiver; without `plays` nobody listens there."""

    plays: dict[str, Any] | None = None
    greeting: float = 0.0
    six: bool = False  # an IPv6 address of the first host, not a host of its own


@dataclass(frozen=True)
class Scenario:
    """One kind of receiver and the mail for it."""

    name: str
    says: str  # what the receiver does, for the table
    plays: dict[str, Any]
    mail: Sequence[tuple[str, ...]]  # the recipients of each message
    ideal: float
    seconds: float = 170.0  # cut off after this
    domains: int = DOMAINS
    latency: float = 0.0
    beside: tuple[FurtherHost, ...] = ()  # more hosts, of the same preference
    tls: bool = False
    quiet: bool = False  # little to do at a time: may be played beside others
    fewer: bool = False  # mxheed has contrib/postfix's transports for fewer recipients
    senders: Sequence[str] = ("alice@lab.test",)  # in turn
    blamed: str = ""  # a sender's domain: the time is that of its mail, others are told apart
    backlog: bool = False  # the mail is queued first, and let go at once: delivery is measured

    @property
    def recipients(self) -> int:
        """How many deliveries there are to make."""
        return sum(len(to) for to in self.mail)

    @property
    def judged(self) -> int:
        """Those of them that the limit concerns."""
        return sum(
            len(to)
            for number, to in enumerate(self.mail)
            if self.senders[number % len(self.senders)].endswith(self.blamed)
        )


def mail(name: str, count: int, domains: int = DOMAINS) -> list[tuple[str, ...]]:
    """So many messages for one recipient each."""
    return [(f"user{number}@d{number % domains}.{name}.test",) for number in range(count)]
