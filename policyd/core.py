"""Everything that thinks, put together: rules, receivers, counters, pacing, and the maps' answers.

Contract: `Core` is built from a configuration and has no socket, file or process of its own. Log
blocks go in by `process`; Postfix's questions are answered by `maps` and `submission`; both teach
the same controller. Time comes from the clock it was given. `reload` takes over a new configuration
while everything learnt stays.
Failure: `RulesError` from construction and `prepare`, before anything has changed.
Length: where everything meets is one list, to be read from its top to its end.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import rules
from logparse.events import Delivery, Removed
from policyd.config import Config, site_files
from policyd.counting.counters import Counters
from policyd.counting.here import Here
from policyd.counting.hints import Hints
from policyd.counting.lately import Lately
from policyd.counting.machines import Machines
from policyd.counting.queuelines import queue_lines
from policyd.counting.roles import LogListeners, Roles
from policyd.counting.tlsdemands import TlsDemands
from policyd.counting.unread import Unread
from policyd.hooks.beyond import Beyond
from policyd.hooks.eximgate import EximGate
from policyd.hooks.mxgate import Gate
from policyd.hooks.standing import Standings, stands_of
from policyd.hooks.statusmap import HeardRefusal, StatusMap
from policyd.hooks.submission import Submission
from policyd.hooks.transportmap import RecipientTransports, TransportMap
from policyd.hooks.whose import Whose, names
from policyd.memory.memory import Memory
from policyd.memory.pieces import pieces
from policyd.process.clock import Clock
from policyd.receiver.lookup import MxLookup
from policyd.receiver.recipient_limits import RecipientLimits
from policyd.receiver.rollup import UNKNOWN, Receivers
from policyd.serve.policy import DUNNO, Request
from policyd.serve.session import Session
from policyd.serve.socketmap import Handler
from policyd.settings.logs import machine_in
from policyd.settings.zones import zone_named
from policyd.store.largesnapshot import array
from policyd.store.snapshots import SnapshotPart, Snapshots, pack
from policyd.throttle import Controller, from_delivery
from policyd.throttle.evidence import AcceptedMail, from_status
from policyd.throttle.lane.state import LaneState, State
from policyd.throttle.lanelog import LaneLog
from rules.verdict import Verdict

__all__ = ["Core", "Prepared", "prepare"]

_log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """A configuration with its rules read: what takes time is done."""

    config: Config
    ruleset: rules.RuleSet
    classifier: rules.Classifier


def prepare(config: Config, base: Path | None) -> Prepared:
    """Read the rules of a configuration; takes a second, touches nothing, may run in a thread."""
    ruleset = rules.load(site=site_files(config, base))
    return Prepared(config, ruleset, rules.Classifier(ruleset))


class Core:
    """See the module."""

    def __init__(self, config: Config, *, clock: Clock, base: Path | None = None) -> None:
        self.clock = clock
        self.started = clock()
        self.counters = Counters(config.metrics.receivers)
        self.lately, self.hints = Lately(), Hints()
        self.unread, self.demands = Unread(lambda: self.machines.source), TlsDemands()
        self._build(prepare(config, base))
        # the latter is told by whoever reads Postfix's configuration
        self.recipients, self.beyond = RecipientLimits(), Beyond()
        self.controller = Controller(config.pacing, posix=clock.posix)
        self.memory = Memory(self.counters, config.memory, clock, clock.wall, clock.posix)
        self._lanelog = LaneLog(clock.posix)
        self.controller.on_change = self._changed
        self._gone: list[str] = []  # messages removed in the block that is being read
        self._roles = Roles(
            self.counters, self._listeners(), clock.wall, zone_named(config.log.timezone)
        )
        self.machines = Machines(
            self._roles.make,
            self._roles.front,
            Here(lambda: (socket.gethostname(),), config.log.here, config.log.shared),
            told=partial(machine_in, patterns=config.log.path),
            by_host=config.log.hosts == "label",
            shown=config.log.hosts != "ignore",
        )
        self.memory.hosts = lambda: self.machines.of_hosts() if self.machines.by_host else {}
        self._connect(config)
        self.snapshots = Snapshots(self._parts, clock)
        self.documents = self.snapshots.documents

    def _build(self, prepared: Prepared) -> None:
        """What the rules decide."""
        config, self.ruleset, self.classifier = prepared
        self.config = config
        self.receivers = Receivers(self.ruleset.receivers)
        self.receivers.of_host("mx.example.net")  # reads the public suffixes: not in a question
        self.lookup = MxLookup(self.receivers, self.clock.now, config.lookup)
        self._pools = dict(config.log.pools)

    def _connect(self, config: Config) -> None:
        """What is asked by Postfix; it stands on the controller and the receivers."""
        now = self.clock.now
        self.gate = Gate(self.controller, self.receivers, now, Whose(now), lambda: self.beyond)
        self.eximgate = EximGate(self.controller, self.receivers, now, self.policy)
        self.statusmap = StatusMap(
            self.classifier.classify,
            self.receivers.of_host,
            now,
            config.serve.status,
            told=self.gate.told,
            accepted=self.gate.accepted,
            refused=self._refused,
            whose=names(Whose(now), self.controller.blame.present),
            named=self.gate.names.by(Whose(now)),
            stands=stands_of(self.controller, self.clock),
            by_six=self.gate.skip.by_six,
        )
        standings = Standings(self.controller, self.lookup, self.recipients, config.pacing)
        fewer = RecipientTransports(
            config.serve.recipient_limits,
            lambda receiver: standings.recipient_limit(receiver, self.clock(), self.clock.wall()),
            config.pacing.recipients,
        )
        self.transports = TransportMap(config.serve.transports, standings.receiver_of, fewer)
        self._roles.use(self.classifier.classify, self.receivers, self._receiver_of, self._pools)
        self.submission = Submission(config.serve.submission, standings, now)

    def reload(self, prepared: Prepared) -> None:
        """Take a new configuration over; only addresses and the log need a restart."""
        config = prepared.config
        # what is large is handed over as it is: answers wait meanwhile
        saved = {name: self.documents[name]() for name in ("pipeline", "status", "recipients")}
        former = self.receivers
        self._build(prepared)
        self.receivers.succeed(former)
        self.controller.use(config.pacing, self.clock())
        self.memory.use(config.memory)
        self._connect(config)
        self.machines.use(self.classifier.classify, self._roles.receiver_of)
        self.restore(saved)  # the controller stays, with all that waits

    # asked by Postfix ------------------------------------------------------------------------

    @property
    def maps(self) -> Mapping[str, Handler]:
        """The socketmaps by name. They go through `self`, so that a reload reaches them."""
        return {
            "mx": lambda key, session, pool: self.gate.ask(key, session, pool),
            "status": lambda key, session, pool: self.statusmap.ask(key, session, pool),
            "transport": lambda key, session, pool: self.transports.ask(key, session, pool),
        }

    def closed(self, session: Session) -> None:
        """A client of the socketmaps has gone."""
        self.gate.closed(session)

    holds = staticmethod(Gate.holds)

    def policy(self, request: Request, session: Session) -> bytes:
        """The policy service; it has no opinion after `mxheed off`."""
        return DUNNO if self.controller.retired else self.submission.ask(request, session)

    # told by the log and by the status filter -----------------------------------------------

    def process(self, block: bytes, now: float) -> None:
        """Whole lines of the log."""
        for minute, lines in pieces(block):
            self.memory.minute(self.machines.source, minute)
            self.machines.process(lines, now)
            self.memory.reached(self.machines.reached)
        for queue_id in self._gone:
            self.controller.removed(queue_id)
            self.memory.gone(queue_id)
            self.statusmap.removed(queue_id)
        self._gone.clear()

    def _queue_lines(self, text: bytes) -> None:
        """Who sends is known before a block is read, what is removed is forgotten after it."""
        now = self.clock()
        self.eximgate.take_in(text)
        for queue_id, sender in queue_lines(text):
            if sender is None:
                self.controller.blame.present.left(queue_id)
                self._gone.append(queue_id)
            else:
                self.controller.note_sender(queue_id, sender, now)

    def _receiver_of(self, host: str | None, address: str | None, domain: str) -> str:
        if host:
            learn = self.receivers.learn
            return learn(domain, host, self.clock()) if domain else self.receivers.of_host(host)
        if address:
            return self.receivers.of_host(address)
        return self.receivers.of_domain(domain).receiver

    def _listeners(self) -> LogListeners:
        return LogListeners(
            attempted=self._attempted,
            delivered=self._delivered,
            elsewhere=lambda line: self.controller.elsewhere(line, self.clock()),
            steady=self.clock.steady,
            awaited=self._awaited,
            removed=self._removed,
            trouble=lambda told: self.controller.host_trouble(told, self.clock()),
            queue_lines=self._queue_lines,
            unparsed=self.unread.take,
        )

    def _attempted(self, delivery: Delivery, receiver: str, verdict: Verdict | None) -> None:
        # from here on its time is one of our own clock, not a stamp
        stamp, delivery = delivery.time, delivery._replace(time=self.clock.steady(delivery.time))
        self.recipients.take(delivery, receiver, verdict)
        self.demands.take(delivery, receiver, verdict, self.clock())
        pool = self._pools.get(delivery.service)
        evidence = from_delivery(delivery, verdict, receiver, pool=pool)
        self.eximgate.observe(evidence, self.clock())
        self.memory.heard(evidence, stamp)
        self.hints.take(evidence, self.counters.row_name(receiver))

    def _changed(self, lane: LaneState, before: State, now: float) -> None:
        self._lanelog(lane, before, now)
        self.memory.changed(lane, before, now)

    def _awaited(self, queue_id: str, group: tuple[object, ...]) -> bool:
        """Whether it matters to somebody that just this recipient was accepted."""
        book, recipients = self.controller.book, self.recipients
        return book.get(queue_id) is not None or recipients.expects(queue_id, group)

    def _delivered(self, mail: AcceptedMail) -> None:
        """Accepted mail that nobody waits for."""
        self.receivers.learn(mail.domain, mail.host, now := self.clock())
        self.controller.delivered(mail, now)

    def _removed(self, removed: Removed) -> None:
        self.controller.removed(removed.queue_id)
        self.memory.gone(removed.queue_id)

    def _refused(self, heard: HeardRefusal) -> None:
        evidence = from_status(
            heard.time, heard.host or "", heard.reply, heard.verdict, heard.receiver or UNKNOWN
        )
        sender = self.controller.blame.present.sender(heard.queue_id or "", "")
        evidence = evidence._replace(stage=heard.stage, address=heard.address or "", sender=sender)
        self.gate.refused(evidence, heard.session)

    # what survives a restart ------------------------------------------------------------------

    def _parts(self) -> Mapping[str, SnapshotPart]:
        """What is saved with the counters; a reload may have made some of it anew."""
        pacing, receivers = self.controller, self.receivers
        return {
            "pipeline": SnapshotPart(
                self.machines.snapshot, lambda old, _: self.machines.restore(old), Machines.SAVED
            ),
            "throttle": SnapshotPart(
                lambda: pack(pacing.snapshot(self.clock())),
                lambda saved, shift: self._told(pacing.restore(saved, self.clock(), shift)),
                {},
                large=True,
            ),
            "receivers": SnapshotPart(
                lambda: array(receivers.rows()), receivers.restore, Receivers.SAVED, large=True
            ),
            "status": SnapshotPart(
                lambda: pack(self.statusmap.snapshot()), self.statusmap.restore, StatusMap.SAVED
            ),
            "recipients": SnapshotPart(
                lambda: pack(self.recipients.snapshot()),
                self.recipients.restore,
                RecipientLimits.SAVED,
            ),
        }

    @staticmethod
    def _told(left_out: int) -> None:
        if left_out:
            _log.error("%d entries of the saved state of pacing cannot be read", left_out)

    def hurry(self) -> None:
        """The next snapshots shall be of that very moment: the daemon is about to end."""
        self.snapshots.hurry()

    def restore(self, documents: Mapping[str, bytes]) -> dict[str, str]:
        """Take snapshots back; those that could not be, and why."""
        return self.snapshots.restore(documents)
