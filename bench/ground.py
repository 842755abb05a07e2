"""The proving ground: receivers that limit in the ways real ones do, and mail for them.

Contract: values only. Each `Scenario` says how the receiver behaves, which mail is sent, and how
long a sender that knew the limit would need at least (`ideal`, seconds). Failure: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SCENARIOS", "Scenario"]

DOMAINS = 20
RATE = "421 4.7.28 Our system has detected an unusual rate of mail from your address"
BUSY = "421 4.3.2 System busy, try again later"
TOO_MANY = "421 4.7.0 Too many concurrent SMTP connections from this address"


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


def _mail(name: str, count: int, domains: int = DOMAINS) -> list[tuple[str, ...]]:
    return [(f"user{number}@d{number % domains}.{name}.test",) for number in range(count)]


def _people(name: str, people: int, each: int) -> list[tuple[str, ...]]:
    return [(f"user{n}@d{n % DOMAINS}.{name}.test",) for _ in range(each) for n in range(people)]


def _crowd(name: str, messages: int = 40, each: int = 50) -> list[tuple[str, ...]]:
    return [
        tuple(f"user{n}@d{m % DOMAINS}.{name}.test" for n in range(each)) for m in range(messages)
    ]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "window",
        "20 messages in each window of 2 s",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        _mail("window", 300),
        ideal=28.0,
        quiet=True,
    ),
    Scenario(
        "hint",
        "20 messages in each window of 2 s; says retry in 10 s",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": f"{RATE}; retry=00:00:10"},
        _mail("hint", 300),
        ideal=28.0,
        quiet=True,
    ),
    Scenario(
        "busy",
        "20 messages in each window of 2 s; calls it busy",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": BUSY},
        _mail("busy", 300),
        ideal=28.0,
        quiet=True,
    ),
    Scenario(
        "greets",
        "takes everything; greets after 5 s",
        {"kind": "slow", "greets": 5.0},
        _mail("greets", 500),
        ideal=25.0,
        quiet=True,
    ),
    Scenario(
        "fast-window",
        "50 messages in each window of 2 s",
        {"kind": "window", "limit": 50, "per": 2.0, "reply": RATE},
        _mail("fast-window", 2000),
        ideal=78.0,
    ),
    Scenario(
        "penalty",
        "20 messages in any 2 s; each refusal blocks the address for 5 s from then on",
        {"kind": "sliding", "limit": 20, "per": 2.0, "penalty": 5.0, "reply": RATE},
        _mail("penalty", 300),
        ideal=28.0,
        quiet=True,
    ),
    Scenario(
        "concurrency",
        "5 connections at a time, 0.1 s for each message",
        {"kind": "concurrency", "limit": 5, "reply": TOO_MANY},
        _mail("concurrency", 600),
        ideal=12.0,
        latency=0.1,
    ),
    Scenario(
        "one-recipient",
        "each recipient 2 messages in 10 s",
        {
            "kind": "recipient-rate",
            "limit": 2,
            "per": 10.0,
            "reply": "450 4.2.1 The user you are trying to contact is receiving mail too quickly; "
            "retry=00:00:10",
        },
        _people("one-recipient", 50, 6),
        ideal=20.0,
        quiet=True,
    ),
    *(
        Scenario(
            name,
            "each sender's domain 20 messages in each window of 2 s; half of the mail is of one, "
            f"to {'20 domains' if domains > 1 else 'one domain'}",
            {
                "kind": "sender-rate",
                "limit": 20,
                "per": 2.0,
                "reply": "450 4.7.1 Sender domain {} exceeded its rate, try again later",
            },
            _mail(name, 600, domains),
            ideal=28.0,
            domains=domains,
            senders=[
                "news@bulk.test" if number % 2 else f"u@people{number % 60}.test"
                for number in range(60)
            ],
            blamed="bulk.test",
        )
        for name, domains in (("sender-domain", DOMAINS), ("sender-one", 1))
    ),
    Scenario(
        "grey-hint",
        "greylisting for 20 s, says so",
        {"kind": "greylist", "delay": 20.0, "hint": True},
        _mail("grey-hint", 300),
        ideal=20.0,
        quiet=True,
    ),
    Scenario(
        "grey-silent",
        "greylisting for 20 s, does not say for how long",
        {"kind": "greylist", "delay": 20.0},
        _mail("grey-silent", 300),
        ideal=20.0,
        quiet=True,
    ),
    *(
        Scenario(
            f"recipients-{said[:3]}",
            f"10 recipients a message, the others {said[:9]}; 40 messages for 50 each",
            {"kind": "recipients", "limit": 10, "reply": said},
            _crowd(f"recipients-{said[:3]}"),
            ideal=1.5,
            fewer=True,
        )
        for said in (
            "452 4.5.3 Too many recipients",
            "552 5.5.3 Too many recipients",
            "550 5.5.3 Too many recipients",
        )
    ),
    Scenario(
        "blocking",
        "20 messages in each window of 2 s; one more blocks the address for 60 s",
        {"kind": "blocking", "limit": 20, "per": 2.0, "block": 60.0, "reply": RATE},
        _mail("blocking", 300),
        ideal=88.0,
        quiet=True,
    ),
    Scenario(
        "block-5yz",
        "blocked by 550 from the first message on, for 20 s",
        {
            "kind": "once",
            "seconds": 20.0,
            "reply": "550 5.7.1 Your IP address is temporarily blocked, try again later",
        },
        _mail("block-5yz", 300),
        ideal=20.0,
        quiet=True,
    ),
    Scenario(
        "liar",
        "20 messages in each window of 2 s, says the user is unknown",
        {
            "kind": "window",
            "limit": 20,
            "per": 2.0,
            "reply": "550 5.1.1 User unknown: you are sending too many messages, rate limit "
            "exceeded, try again later",
        },
        _mail("liar", 300),
        ideal=28.0,
        quiet=True,
    ),
    Scenario(
        "unlimited",
        "takes everything at once: both cores are busy",
        {"kind": "accept"},
        _mail("unlimited", 1500),
        ideal=0.0,
        backlog=True,
    ),
    Scenario(
        "unlimited-far",
        "takes everything, 0.25 s for each message",
        {"kind": "accept"},
        _mail("unlimited-far", 1500),
        ideal=0.0,
        latency=0.25,
        backlog=True,
    ),
    Scenario(
        "unlimited-tls",
        "takes everything, over TLS",
        {"kind": "accept"},
        _mail("unlimited-tls", 1000),
        ideal=0.0,
        tls=True,
        backlog=True,
    ),
    Scenario(
        "wide",
        "20 messages in each window of 2 s; one message for 1,000 recipients at 200 domains",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        [tuple(f"user{n}@d{n % 200}.wide.test" for n in range(1000))],
        ideal=18.0,
        domains=200,
    ),
    Scenario(
        "narrow",
        "20 messages in each window of 2 s; one message for 1,000 recipients at one domain",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        [tuple(f"user{n}@d0.narrow.test" for n in range(1000))],
        ideal=0.1,
        domains=1,
    ),
    Scenario(
        "repeated",
        "20 messages in each window of 2 s; 200 messages for one recipient",
        {"kind": "window", "limit": 20, "per": 2.0, "reply": RATE},
        [("User@D0.Repeated.Test",)] * 200,
        ideal=18.0,
        quiet=True,
        domains=1,
    ),
)
