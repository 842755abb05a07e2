"""Pacing: evidence and time in; admissions, releases and explanations out.

Contract: pure. `admit` answers the gate from memory (`throttle.admissions`); `observe` takes one
piece of evidence; `due` says which waiting messages to let go now (`throttle.departures`). Each
attempt counts once, whatever told of it first. What is slowed depends on the scope of blame: the
lane, the lane for one sender domain, one recipient, or nothing.
Failure: none; what is lost (a log line, a release, a question) costs a time-out, never a message.
Length: each kind of line and question has its one way through here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sized
from typing import Any

from policyd.bounded import Bounded
from policyd.throttle.admissions import Admissions
from policyd.throttle.book.dispatch import Dispatcher
from policyd.throttle.book.door import Door
from policyd.throttle.book.holdbook import HoldBook
from policyd.throttle.book.mailclasses import MailClasses
from policyd.throttle.evidence import STALE, AcceptedMail, Evidence, Lane, may_be_hold
from policyd.throttle.judging.aftermath import Aftermath
from policyd.throttle.judging.blame import Blame, is_our_own
from policyd.throttle.judging.outlived import Outlived
from policyd.throttle.judging.retrytable import RetryTable
from policyd.throttle.judging.transactions import Transaction, Transactions
from policyd.throttle.lane.following import follow
from policyd.throttle.lane.state import LaneState
from policyd.throttle.lane.trial import is_certain
from policyd.throttle.lane.window import Attempt
from policyd.throttle.persist import restore, snapshot
from policyd.throttle.settings.pacing import PacingSettings

__all__ = ["Controller"]


class Controller(Admissions):
    """All lanes, the book of waiting messages, and what is between them."""

    def __init__(
        self,
        settings: PacingSettings | None = None,
        *,
        rng: random.Random | None = None,
        posix: Callable[[float], float] = float,
    ) -> None:
        """`posix` tells the wall clock's time, by which limits may have their hours."""
        settings = settings or PacingSettings()
        self.classes = MailClasses(settings.classes)
        super().__init__(
            settings, HoldBook(settings.messages, self.classes.share, settings.grant), posix
        )
        self.counts: dict[str, int] = {}
        # told when a lane that somebody waits for may have room
        self.on_room: Callable[[], None] = lambda: None
        self.on_places = self._room
        rng = rng or random.Random()
        self._retry = RetryTable(settings, rng)
        self.blame = Blame(
            settings, self._retry, self._count, self.book.mailboxes.told, self.senders
        )
        self._skipped = Bounded(10_000)
        self._outlived = Outlived(self.blame.concerns_lane)
        self._aftermath = Aftermath(self.book, self.blame, self._retry, self.classes, self._alone)
        self.door = Door(settings.door, self._held)
        self._dispatcher = Dispatcher(settings, self.book, self.lane, self.door, self._count, rng)
        self._grants = self._dispatcher.grants
        self.promised: Sized = self._grants.out  # empty: nobody who was let go is awaited
        self._transactions = Transactions(settings.recipients, self._unasked)

    @property
    def promises(self) -> Mapping[str, int]:
        """How those who asked while a place was promised were known."""
        return self._grants.counts

    def use(self, settings: PacingSettings, now: float) -> None:
        """Go on under new settings; all that was learnt and all that waits stays."""
        self.settings = self.blame.settings = self._dispatcher.settings = settings
        self.classes = self._aftermath.classes = MailClasses(settings.classes)
        self.book.share = self.classes.share
        self.door.settings = settings.door
        self._retry.use(settings)
        for state in (*self._lanes.values(), *self.senders):
            state.use_settings(settings, now)
            state.hosts.use(settings.hosts)

    def _alone(self, lane: Lane, domain: str) -> float:
        """Until when this domain waits by itself at this lane; 0.0: not at all."""
        state = self._lanes.get(lane) or self.senders.find(lane)
        return state.court.until(domain) if state is not None else 0.0

    def observe(self, evidence: Evidence, now: float) -> None:
        """Take one recipient's result in."""
        evidence = self.hops.translate(evidence, self._homes)
        outcome = evidence.outcome
        if outcome == "held" or self.hops.is_hold(evidence):
            self._observe_hold(evidence, now)
        elif outcome == "suspended":
            self._observe_echo(evidence, now)
        elif outcome == "tried":
            self._observe_host(evidence, now)
        elif is_our_own(evidence):
            self._count("own")
        elif outcome != "probe" and evidence.receiver != "local":
            self._observe_attempt(evidence, now)

    def heard(
        self, evidence: Evidence, lane: LaneState | None, attempt: Attempt | None, now: float
    ) -> None:
        """The status filter's question: a refusal before its log line, counted here and now."""
        sender = evidence.sender or (lane.lane.sender if lane is not None else "")
        nameless = evidence.scope == "domain" and not sender
        if lane is not None and attempt is not None:
            if not lane.window.close(attempt, now):
                return  # a later recipient, or a kept session: the log will tell
            if nameless:
                self._room(lane, now)
                return  # the log tells whom it blames
            if evidence.receiver not in ("unknown", lane.lane.receiver):  # a fallback host spoke
                self._room(lane, now)
                lane, attempt.epoch = self.lane(Lane(lane.lane.pool, evidence.receiver), now), -1
            attempt.heard = attempt.refused = True
            attempt.kept = self._judge(evidence, lane, attempt, now)
        elif nameless:
            return
        elif evidence.receiver != "unknown" and (evidence.domain or is_certain(evidence)):
            # else one mailbox may have said it, and only the log tells which
            self._transactions.hear(evidence, now)
            state = self.lane(Lane(evidence.pool or "", evidence.receiver), now)
            self._judge(evidence, state, None, now)

    def _judge(
        self, evidence: Evidence, state: LaneState, attempt: Attempt | None, now: float
    ) -> bool:
        """A refusal; whom it stops at the door hears of it at once. True: the lane goes on."""
        kept = self.blame.judge(evidence, state, attempt, now)
        self._room(state, now)
        return kept

    def _observe_hold(self, evidence: Evidence, now: float) -> None:
        """One of our own holds (or its echo)."""
        # deferred while nobody answered the gate: the question that tells the home never came
        home = self.home(evidence.queue_id, evidence.domain)
        lane = home or Lane(evidence.pool or "", evidence.receiver)
        skipped = self._skipped.pop(evidence.domain)
        if skipped is not None and may_be_hold(evidence.reply):
            lane = skipped  # the hosts that were left have no addresses
            self.lane(lane, now).hosts.rest(now)
        self._aftermath.held(evidence, lane, now)

    def _observe_echo(self, evidence: Evidence, now: float) -> None:
        """An attempt that was not made, for another was refused; the MTA's own words are for it."""
        self._count("echo")
        lane = self._lane_of(evidence) if evidence.origin == "remote" else None
        if lane is not None:
            self._aftermath.echoed(evidence, self.lane(lane, now), now)

    def _observe_host(self, evidence: Evidence, now: float) -> None:
        """One host of an attempt that goes on with the next host: the attempt is not over."""
        lane = self._lane_of(evidence)
        fresh = now - evidence.time <= STALE and not self._transactions.known(evidence, now)
        if lane is not None and fresh:
            self._outlived.note(evidence, lane, now)

    def host_trouble(self, evidence: Evidence, now: float) -> None:
        """A host could not be spoken with; how the attempt ends is told by another line."""
        lane = self._lane_of(evidence)
        if lane is not None and now - evidence.time <= STALE:
            self.blame.host_trouble(evidence, self.lane(lane, now), now)

    def _hosts(self, line: Evidence | AcceptedMail, state: LaneState, now: float) -> None:
        """The hosts whose refusal this end of an attempt outlived."""
        for refusal in self._outlived.over(line, state.lane, now):
            self._count("outlived")
            self.blame.host_refused(refusal, state, now)

    def _lane_of(self, line: Evidence | AcceptedMail) -> Lane | None:
        home = self.home(line.queue_id, line.domain)
        if line.receiver == "unknown":
            return home
        pool = line.pool
        if pool is None:
            pool = home.pool if home and home.receiver == line.receiver else ""
        return Lane(pool, line.receiver)

    def _observe_attempt(self, evidence: Evidence, now: float) -> None:
        lane = self._lane_of(evidence)
        if lane is None:
            return
        whole = state = self.lane(lane, now)
        sender = self.blame.sender(evidence)
        state = self.senders.of(lane, sender) or state
        kept = again = False  # a further recipient of a transaction that was refused already
        if now - evidence.time <= STALE:
            self._hosts(evidence, whole, now)
            transaction = self._transactions.of(evidence, evidence.outcome == "sent", state, now)
            whole.hosts.ended(evidence, transaction.attempt, now)
            follow(whole, now)
            again = transaction.refused
            if evidence.outcome == "sent":
                self._accept(transaction, state, sender, now)
            elif not again:
                transaction.refused = True
                if self._transactions.known(evidence, now):
                    transaction.kept = state.state in ("free", "slowed")
                else:
                    judge = self.blame.judge
                    transaction.kept = judge(evidence, state, transaction.attempt, now)
            kept = transaction.kept
            state = self.senders.of(lane, sender) or state  # it may be blamed since
        self._aftermath.tried(evidence, state, again, kept, now)
        self._room(state, now)

    def delivered(self, mail: AcceptedMail, now: float) -> None:
        """`observe` for accepted mail of a message that is not in the book."""
        mail = self.hops.translate(mail, self._homes)
        lane = self._lane_of(mail)
        if lane is not None:
            state = self.lane(lane, now)
            if mail.fresh:
                self._hosts(mail, state, now)
                sender = self.blame.present.sender(mail.queue_id, "")
                own = self.senders.of(lane, sender) or state
                transaction = self._transactions.of(mail, True, own, now)
                state.hosts.accepted(mail, transaction.attempt, now)
                self._accept(transaction, own, sender, now)
                follow(state, now)
                self.book.mailboxes.passed(lane, mail.domain, now)
            self._room(state, now)

    def _accept(self, transaction: Transaction, state: LaneState, sender: str, now: float) -> None:
        """A recipient of it was accepted."""
        if not transaction.told:
            transaction.told = True
            self.senders.accepted(state.lane.of_sender(""), sender, now)
        transaction.accept(state, now)

    def elsewhere(self, line: Evidence | AcceptedMail, now: float) -> None:
        """An attempt of another machine from our addresses: it moves the lane, no message of ours.

        Its queue id is none of ours; it ends no attempt of ours, and takes no place of one.
        """
        if line.receiver in ("unknown", "local"):
            return
        state = self.lane(Lane(line.pool or "", line.receiver), now)
        if isinstance(line, AcceptedMail):
            fresh, accepted = line.fresh, True
        else:
            fresh, accepted = now - line.time <= STALE, line.outcome == "sent"
            if line.outcome not in ("sent", "deferred", "bounced", "tried") or is_our_own(line):
                return
        if not fresh:
            return
        if isinstance(line, Evidence) and line.outcome == "tried":
            self._outlived.note(line, state.lane, now)
            return
        self._hosts(line, state, now)
        transaction = self._transactions.elsewhere(line, now)
        if accepted:
            transaction.accept(state, now)
        elif isinstance(line, Evidence) and not transaction.refused:
            transaction.refused = True
            self._judge(line._replace(queue_id=""), state, None, now)
        self._room(state, now)

    def _unasked(self, line: Evidence | AcceptedMail, state: LaneState, now: float) -> None:
        """A delivery over a session that was kept open asked nothing: it takes a token, too."""
        state.speed.take(now)
        message = self.book.get(line.queue_id) if self.promised else None
        if message is None or not self._grants.use(message, state.lane, line.domain):
            self._count("unasked")

    def removed(self, queue_id: str) -> None:
        """The message left the queue."""
        self.blame.present.left(queue_id)
        self.book.drop(queue_id)
        self.blame.present.pop(queue_id)

    def note_sender(self, queue_id: str, sender: str, now: float) -> None:
        """The envelope sender's domain of a message, told at submission or by the queue."""
        if not queue_id:
            return
        self.blame.present.told(queue_id, sender)
        message = self.book.get(queue_id)
        if message is not None:
            domain = next((key[1] for key in message.parts), "")
            self.book.move(message, sender, self.classes.of(sender, domain), now)

    def snapshot(self, now: float | None = None) -> dict[str, Any]:
        """What was learnt, as plain JSON values."""
        return snapshot(self, self._checked if now is None else now)

    def restore(self, saved: Mapping[str, Any], now: float, shift: float = 0.0) -> int:
        """Take a snapshot back, its times moved by `shift`; how many entries were left out."""
        return restore(self, saved, now, shift)
