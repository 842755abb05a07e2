"""One judged attempt: the controller's only food.

Contract: frozen values, made from a log line's `Delivery` and its `Verdict`, or from a question of
the status filter, which comes earlier. Texts are cut to a bounded length.
Failure: none.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from logparse.events import Delivery, HostTrouble, Origin, Outcome, Stage
from rules.verdict import Scope, Stance, Verdict

__all__ = [
    "HOLD_WORDS",
    "STALE",
    "AcceptedMail",
    "Evidence",
    "Lane",
    "Source",
    "domain_of",
    "from_delivery",
    "from_status",
    "from_trouble",
    "is_own_hold",
    "may_be_hold",
]

Source = Literal["log", "status"]

STALE = 600.0  # seconds after which evidence is history, not news
_REPLY_KEPT = 300

# What Postfix says when the gate drops all records of the last host it asked for, and when nobody
# answered the gate's question; "delivery temporarily suspended" goes before it once it thinks the
# destination dead.
HOLD_WORDS = ("DNS reply filter drops all results", "Invalid DNS reply filter syntax")

# What it says instead where the last host is one the gate could not drop: it has no address, or it
# is this machine. It says the same for reasons of its own: whose it is, only the time tells.
_OTHER_WORDS = re.compile(
    r"unable to find primary relay for |[^:]{0,60}Name service error for name=\S+ type="
)


class Lane(NamedTuple):
    """What is paced: mail from one pool of source addresses to one receiver."""

    pool: str  # "" is the default pool
    receiver: str
    sender: str = ""  # only of this domain, which the receiver blames; "": of all

    def of_sender(self, sender: str) -> Lane:
        """The lane of one sender's domain there; "": the receiver's own."""
        return Lane(self.pool, self.receiver, sender)


class Evidence(NamedTuple):
    """One recipient's result of one attempt, as far as pacing needs it."""

    time: float
    source: Source
    pool: str | None  # None: the log does not tell; taken from the gate's memory
    receiver: str  # "unknown" where no host was reached
    domain: str  # the recipient's
    recipient: str
    queue_id: str  # "" for the status filter's questions
    host: str
    outcome: Outcome
    category: str  # "" for accepted mail
    scope: Scope
    stance: Stance
    rule: str | None
    reply: str
    retry_after: float | None
    stage: Stage | None
    origin: Origin
    conn_use: int
    group: tuple[object, ...]  # equal for the recipients of one transaction
    arrived: float  # when the message came into the queue; 0.0: not known
    sender: str = ""  # the envelope sender's domain, where known
    address: str = ""  # the host's; "": not known


class AcceptedMail(NamedTuple):
    """One recipient whose mail was accepted: what pacing needs of the most frequent line of all."""

    queue_id: str
    domain: str
    host: str
    receiver: str
    pool: str | None
    group: tuple[object, ...]
    fresh: bool  # news, no history


def is_own_hold(delivery: Delivery) -> bool:
    """Whether a deferral is nothing but our own gate's doing (or Postfix's echo of it)."""
    if delivery.outcome == "held":
        return True
    if delivery.origin != "local":  # a remote reply may quote our words
        return False
    return delivery.outcome in ("suspended", "deferred") and any(
        words in delivery.reply for words in HOLD_WORDS
    )


def may_be_hold(reason: str) -> bool:
    """Whether these words may be about our own hold, if there was one at that time."""
    return _OTHER_WORDS.match(reason.removeprefix("delivery temporarily suspended: ")) is not None


def from_delivery(
    delivery: Delivery,
    verdict: Verdict | None,
    receiver: str,
    *,
    pool: str | None = None,
    sender: str = "",
) -> Evidence:
    """Evidence from a log line; `verdict` is None for accepted mail."""
    delays = delivery.delays
    return Evidence(
        time=delivery.time,
        source="log",
        pool=pool,
        receiver=receiver,
        domain=domain_of(delivery.recipient),
        recipient=delivery.recipient,
        queue_id=delivery.queue_id,
        host=delivery.host or "",
        outcome="held" if is_own_hold(delivery) else delivery.outcome,
        category=verdict.category if verdict else "",
        scope=verdict.scope if verdict else "connection",
        stance=verdict.stance if verdict else "none",
        rule=verdict.rule if verdict else None,
        reply=delivery.reply[:_REPLY_KEPT],
        retry_after=verdict.retry_after if verdict else None,
        stage=delivery.stage,
        origin=delivery.origin,
        conn_use=delivery.conn_use,
        group=(delivery.address, delivery.conn_use, delays[:3] if delays else _turn(delivery)),
        arrived=delivery.time - delivery.delay,
        sender=sender,
        address=delivery.address or "",
    )


def _turn(delivery: Delivery) -> int:
    """What tells one attempt from the next where no delays are logged (Exim): its process, or, as
    its lines are written together, the second.
    """
    return delivery.pid or int(delivery.time)


def from_status(now: float, host: str, reply: str, verdict: Verdict, receiver: str) -> Evidence:
    """Evidence from a refusal that `smtp_delivery_status_filter` asks about.

    It names no queue id and no recipient.
    """
    return Evidence(
        time=now,
        source="status",
        pool=None,
        receiver=receiver,
        domain="",
        recipient="",
        queue_id="",
        host=host,
        outcome="deferred",
        category=verdict.category,
        scope=verdict.scope,
        stance=verdict.stance,
        rule=verdict.rule,
        reply=reply[:_REPLY_KEPT],
        retry_after=verdict.retry_after,
        stage=None,
        origin="remote",
        conn_use=0,
        group=(),
        arrived=0.0,
    )


def from_trouble(trouble: HostTrouble, receiver: str, pool: str | None) -> Evidence:
    """Evidence from a line about a host that could not be spoken with."""
    return Evidence(
        time=trouble.time,
        source="log",
        pool=pool,
        receiver=receiver,
        domain="",
        recipient="",
        queue_id=trouble.queue_id,
        host=trouble.host,
        outcome="tried",
        category="net.connect",
        scope="receiver",
        stance="retry",
        rule=None,
        reply=trouble.reply[:_REPLY_KEPT],
        retry_after=None,
        stage=trouble.stage,
        origin="local",
        conn_use=0,
        group=(trouble.address, 0, None),
        arrived=0.0,
        address=trouble.address,
    )


def domain_of(recipient: str) -> str:
    """The domain of an address, lower case; a quoted local part may contain @."""
    return recipient.rpartition("@")[2].rstrip(".").lower()
