"""What becomes of a message after evidence about it: done, or put off until its own time.

Contract: pure; keeps the book. A held part waits for its lane, a part its receiver put off waits
for its hint or the retry table's interval; one that was accepted or refused for good is settled.
Failure: none; what the book does not take, the MTA's own back-off retries.
"""

from __future__ import annotations

from collections.abc import Callable

from policyd.throttle.book.holdbook import HoldBook
from policyd.throttle.book.mailclasses import MailClasses
from policyd.throttle.book.message import Box, Message
from policyd.throttle.evidence import STALE, Evidence, Lane, domain_of
from policyd.throttle.judging.blame import MAILBOX, Blame
from policyd.throttle.judging.retrytable import RetryTable
from policyd.throttle.lane.sender import of_receiver
from policyd.throttle.lane.state import LaneState

__all__ = ["Aftermath"]

_ECHO = 60.0  # an echo from a lane that is free otherwise waits so long


class Aftermath:
    """Writes the book."""

    def __init__(
        self,
        book: HoldBook,
        blame: Blame,
        retry: RetryTable,
        classes: MailClasses,
        alone: Callable[[Lane, str], float] = lambda lane, domain: 0.0,
    ) -> None:
        """`alone`: until when a domain waits by itself at a lane."""
        self.classes = classes
        self._alone = alone
        self._book = book
        self._blame = blame
        self._retry = retry

    def held(self, evidence: Evidence, lane: Lane, now: float) -> None:
        """One of our own holds (or its echo)."""
        message = self._message(evidence, now)
        box = self._book.mailboxes.blamed(lane, evidence.recipient, now)
        lane = self._own(message, lane, evidence, now)
        due = max(now, self._alone(lane, evidence.domain))
        part = self._book.wait(message, lane, evidence.domain, now, due, held=True, box=box)
        part.round = _round(evidence)

    def echoed(self, evidence: Evidence, state: LaneState, now: float) -> None:
        """Postfix tries nothing there for a while, for one message was refused at the door."""
        if not evidence.queue_id:
            return
        troubled = state.advance(now) != "free"
        message = self._message(evidence, now)
        due = now if troubled else now + _ECHO
        lane = self._own(message, state.lane, evidence, now)
        self._book.wait(message, lane, evidence.domain, now, due)

    def _own(self, message: Message, lane: Lane, evidence: Evidence, now: float) -> Lane:
        """The lane this message waits for: its sender's, if the receiver blames that one."""
        if self._blame.lanes:
            own = self._blame.lanes.of(lane.of_sender(""), message.sender)
            lane = own.lane if own is not None else lane
            self._book.move_part(message, lane, evidence.domain, now)
        return lane

    def _message(self, evidence: Evidence, now: float) -> Message:
        message = self._book.get(evidence.queue_id)
        if message is None:
            message = self._book.message(evidence.queue_id, now, evidence.arrived)
            message.sender = self._blame.present.sender(evidence.queue_id) or evidence.sender
            message.klass = self.classes.of(message.sender, domain_of(evidence.recipient))
        return message

    def tried(
        self, evidence: Evidence, state: LaneState, again: bool, kept: bool, now: float
    ) -> None:
        """One recipient was tried; `again`: its transaction was refused before.

        `kept`: it was refused in words about the lane, which is not to blame.
        """
        if not evidence.queue_id:
            return
        message = self._book.get(evidence.queue_id)
        of_all, _ = of_receiver(state, None)
        if evidence.outcome == "sent":
            self._book.mailboxes.passed(of_all.lane, evidence.domain, now)
        if message is not None:
            self._own(message, state.lane, evidence, now)
        before = message.part(state.lane, evidence.domain) if message else None
        grey = before.grey if before else 0.0
        box: Box | None = None
        due: float | None = None
        times = 1
        if evidence.outcome == "deferred":
            times = _times(message, (state.lane, evidence.domain), again, now)
            if evidence.category == MAILBOX and now - evidence.time <= STALE:
                box, due = self._mailbox(evidence, of_all.lane, now)
            else:
                due = self._due(evidence, state, kept, times, now)
            if evidence.category == "flow.greylist" and evidence.retry_after is None:
                grey = grey or now
                early = of_all.greylist.delay(evidence.queue_id, grey, times, now)
                due = due if early is None else now + early
        elif grey and evidence.outcome == "sent" and of_all.greylist.accepted(grey, now):
            self._book.hurry(of_all.lane, of_all.greylist.due, now)
        if due is None:
            if evidence.outcome == "sent":
                self._book.mailboxes.accepted(of_all.lane, evidence.recipient, now)
            self._settle(message, state.lane, evidence, again)
            return
        message = message or self._message(evidence, now)
        due = max(due, self._blame.until(state.lane, message.sender))
        part = self._book.wait(message, state.lane, evidence.domain, now, due, box=box)
        part.refused = times
        part.grey = grey
        part.round = _round(evidence)

    def _mailbox(
        self, evidence: Evidence, lane: Lane, now: float
    ) -> tuple[Box | None, float | None]:
        """It blames its recipient: the message waits with the others for that one."""
        boxes, recipient = self._book.mailboxes, evidence.recipient
        delay = self._retry.delay(evidence, boxes.fails(lane, recipient) + 1)
        if delay is None:
            return None, None
        wait = max(0.0, min(now, evidence.time + 1.0) + delay - now)
        return boxes.refused(lane, recipient, wait, now)

    def _settle(self, message: Message | None, lane: Lane, evidence: Evidence, again: bool) -> None:
        """Done, unless other recipients of that domain were put off in the same round."""
        if message is None:
            return
        waiting = message.parts.get((lane, evidence.domain))
        if waiting is not None and again:
            # taken in part (a recipient limit): the others still wait, and not longer each time
            waiting.refused = 0
        elif waiting is None or waiting.round is None or waiting.round != _round(evidence):
            self._book.settle(message, lane, evidence.domain)

    def _due(
        self, evidence: Evidence, state: LaneState, kept: bool, times: int, now: float
    ) -> float | None:
        """When this message may be tried again; None: the MTA's own back-off decides."""
        delay = self._retry.delay(evidence, times)
        if self._blame.concerns_lane(evidence, state.lane):
            alone = self._alone(state.lane, evidence.domain)
            if not kept:
                return max(now, alone)  # the lane's own state says when
            if evidence.retry_after is None:  # not told: the lane may be found to blame yet
                patience = state.court.patience(times)
                return max(alone, now + min(patience, patience if delay is None else delay))
        # a log may tell whole seconds only: the reply came up to a second after what it says
        return None if delay is None else min(now, evidence.time + 1.0) + delay


def _round(evidence: Evidence) -> object:
    """What tells one turn of a message in the MTA's active queue from the next; None: nothing.

    In one round each recipient is tried once, in several transactions if there are many: what is
    accepted then does not concern those that were put off. It is the message's age when the round
    began, the first of the log line's delays.
    """
    delays = evidence.group[2] if len(evidence.group) > 2 else None
    return delays[0] if isinstance(delays, tuple) else None


def _times(message: Message | None, key: tuple[Lane, str], again: bool, now: float) -> int:
    """How often a part was put off, this time included; further lines of one attempt count once."""
    if message is None:
        return 1
    if released := message.pending.get(key):
        return released.refused + 1
    waiting = message.parts.get(key)
    if waiting is None:
        return 1
    return max(1, waiting.refused + (not again and now >= waiting.due))
