"""One message of the queue, and its parts that wait.

Contract: plain state, changed by `holdbook` and `aftermath` only. Failure: none.
"""

from __future__ import annotations

from policyd.throttle.evidence import Lane

__all__ = ["Box", "Message", "Part"]

Box = tuple[Lane, bytes]  # a mailbox: behind which lane, and a hash of its address


class Part:
    """The recipients of one message in one domain behind one lane."""

    __slots__ = (
        "asked",
        "box",
        "domain",
        "due",
        "grey",
        "held",
        "lane",
        "let",
        "recipients",
        "refused",
        "round",
        "since",
        "waits",
    )

    def __init__(self, lane: Lane, domain: str, since: float) -> None:
        self.lane = lane
        self.domain = domain
        self.since = since
        self.due = since
        self.recipients = 0
        self.refused = 0  # times the receiver put it off (chooses the retry table's interval)
        self.asked = False  # after release: its question was seen
        self.round: object = None  # in which the MTA put it off last
        self.held = False  # by us; else its receiver deferred it
        self.waits = False  # counted by `Waits`
        self.grey = 0.0  # when it was greylisted first, without a hint
        self.box: Box | None = None  # of `Mailboxes`: its recipient's, which decides when it goes,
        self.let = False  # and has let it


class Message:
    """One message of the queue with something waiting."""

    __slots__ = (
        "arrived",
        "deferred",
        "held",
        "klass",
        "last",
        "parts",
        "pending",
        "queue_id",
        "queued",
        "released",
        "sender",
        "since",
        "tries",
        "unseen",
    )

    def __init__(self, queue_id: str, now: float, arrived: float) -> None:
        self.queue_id = queue_id
        self.arrived = arrived or now
        self.since = now
        self.last = now  # when something of it was held or put off last
        self.sender = ""
        self.klass = ""
        self.parts: dict[tuple[Lane, str], Part] = {}  # waiting
        self.pending: dict[tuple[Lane, str], Part] = {}  # let go, not seen again yet
        self.held = self.deferred = 0  # waiting parts, by whose doing they wait
        self.released = 0.0
        self.tries = 0
        self.unseen = False  # nobody saw what its last release came to
        self.queued: set[Lane] = set()  # lanes in whose queue it stands

    def part(self, lane: Lane, domain: str) -> Part | None:
        """A part, waiting or on its way."""
        key = (lane, domain)
        return self.parts.get(key) or self.pending.get(key)
