"""The numbers of one receiver: recipients by outcome, replies by meaning, delays.

Contract: whoever adds to a row sets its `dirty` flag. `rows` is all of it, as it is saved: values
are whole numbers or, for "delay", lists of them. Failure: none.
"""

from __future__ import annotations

from collections.abc import Iterator

from policyd.counting.histogram import spread

__all__ = ["ACCEPTED", "DELAY_PARTS", "Change", "ReceiverCounts", "Value"]

DELAY_PARTS = ("before_queue", "in_queue", "connect", "send", "total")
ACCEPTED = ("accepted", "eod")  # the category and stage of mail that was taken

Value = int | list[int]
Change = tuple[str, tuple[str, ...], Value]  # family, labels, value


class ReceiverCounts:
    """The numbers of one receiver; whoever adds to them sets `dirty`."""

    __slots__ = (
        "accepted",
        "delays",
        "dirty",
        "outcomes",
        "receiver",
        "replies",
        "sent",
        "unclassified",
    )

    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        self.sent = 0  # recipients; all other outcomes are in `outcomes`
        self.outcomes: dict[str, int] = {}
        self.accepted = 0  # replies; all others are in `replies`
        self.replies: dict[tuple[str, str], int] = {}  # (category, stage)
        self.unclassified = 0
        self.delays = [0] * len(DELAY_PARTS)  # histograms, by part
        self.dirty = False

    def add_outcome(self, outcome: str) -> None:
        """One recipient more whose attempt ended this way."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def add_reply(self, category: str, stage: str) -> None:
        """One reply more of this category."""
        key = (category, stage)
        self.replies[key] = self.replies.get(key, 0) + 1

    def all_outcomes(self) -> Iterator[tuple[str, int]]:
        """Recipients by outcome."""
        if self.sent:
            yield "sent", self.sent
        yield from self.outcomes.items()

    def all_replies(self) -> Iterator[tuple[tuple[str, str], int]]:
        """Replies by (category, stage)."""
        if self.accepted:
            yield ACCEPTED, self.accepted
        yield from self.replies.items()

    def rows(self) -> Iterator[Change]:
        """All numbers of this receiver, as `Counters.dump` gives them."""
        name = self.receiver
        for outcome, count in self.all_outcomes():
            yield "deliveries", (name, outcome), count
        for (category, stage), count in self.all_replies():
            yield "replies", (name, category, stage), count
        if self.unclassified:
            yield "unclassified", (name,), self.unclassified
        for part, histogram in zip(DELAY_PARTS, self.delays, strict=True):
            if histogram:
                yield "delay", (name, part), spread(histogram)
