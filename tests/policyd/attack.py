"""Hostile recipients beside innocent ones at one receiver, in the simulator.

Innocent mail goes to thirty domains, one of them (where wanted) with a great share. Some minutes
later hostile mail comes: its recipients are refused in words that blame us or the receiver, though
the receiver itself is well. Measured is how much later innocent mail is delivered than without.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import Any

from logparse.events import Stage
from policyd.hooks.mxgate import Gate
from policyd.receiver.rollup import Receivers
from policyd.throttle import Controller
from policyd.throttle.book.queueid import inode_of
from policyd.throttle.evidence import Evidence
from rules.verdict import Scope
from tests.policyd.sim import Mail, NoTable, Session, Unlimited, World

__all__ = ["Attack", "Harm", "harm"]

WARM = 180.0  # seconds of innocent mail before
WATCHED = 300.0  # seconds from the attack on
FOUR_HOURS = 14_400.0
OURS = "ours.example"
INNOCENT, HOSTILE = "B0000", "E0000"  # the beginnings of queue ids; an inode follows


@dataclass(frozen=True)
class Attack:
    """Who says what."""

    domains: tuple[str, ...] = ("evil0.test",)
    category: str = "flow.rate"
    hint: float | None = FOUR_HOURS
    stage: Stage | None = "eod"
    reply: str = "550 5.7.1 Too many messages from your IP address, try again in 4 hours"
    takes: int = 0  # so many of each domain's messages are accepted first
    every: int = 0  # then every so-manieth
    prepared: float = 0.0  # the first messages come so long before
    gap: float = 10.0
    messages: int = 12
    host: str = "mx.big.test"
    rule: str = "generic.rate"
    net: bool = False
    scope: Scope = "ip"
    sender: str = OURS  # who sends the hostile mail; all other mail is ours


class Besieged(World):
    """A receiver that is well, and recipients that are not."""

    def __init__(self, attack: Attack, a_minute: float, great: float, seed: int) -> None:
        warm = max(WARM, attack.prepared)
        super().__init__(Unlimited(), 0, seed=seed, controller=Controller(rng=random.Random(seed)))
        self.attack, self.turns = attack, dict.fromkeys(attack.domains, 0)
        self.late: dict[str, float] = {}
        self.begins = self.start + warm
        self._asks: dict[int, Mail] = {}  # by agent
        self.gate = Gate(
            self.controller, Receivers(NoTable()), lambda: self.now, lambda agent: self._file(agent)
        )
        self.total = 1 << 30
        rng, when, number = random.Random(seed), self.start, 0
        while (when := when + rng.expovariate(a_minute / 60)) < self.begins + WATCHED:
            domain = "great.test" if rng.random() < great else f"d{rng.randrange(30)}.test"
            number += 1
            self._send(Mail(f"{INNOCENT}{number:X}", domain, when))
        for domain in attack.domains:
            for turn in range(attack.messages):
                when = self.begins + turn * attack.gap + rng.random()
                if turn < attack.takes and attack.prepared:
                    when = self.start + 10 + turn
                number += 1
                self._send(Mail(f"{HOSTILE}{number:X}", domain, when))
        self.at(self.start + 0.1, self._tick)

    def _send(self, mail: Mail) -> None:
        self.at(mail.arrived, partial(self._activate, mail))
        if mail.queue_id.startswith(INNOCENT) and mail.arrived >= self.begins:
            self.late[mail.queue_id] = self.begins + WATCHED - mail.arrived

    def _file(self, agent: object) -> str | None:
        """The queue file that a delivery agent has locked."""
        return f"00:1:{inode_of(self._asks[id(agent)].queue_id)}"

    def _ask(self, mail: Mail, session: Session) -> None:
        self._asks[id(session)] = mail
        self.controller.note_sender(mail.queue_id, self._sender(mail), self.now)
        super()._ask(mail, session)

    def _sender(self, mail: Mail) -> str:
        return self.attack.sender if mail.queue_id.startswith(HOSTILE) else OURS

    def _arrive(self, mail: Mail, session: Session, rest: float) -> None:
        if mail.queue_id.startswith(HOSTILE) and self._refuses(mail.domain):
            self.result.refused += 1
            self.at(self.now + 0.003, lambda: self._refused(mail, session, self.attack.category))
        else:
            self.at(self.now + rest, lambda: self._accepted(mail, session))

    def _refuses(self, domain: str) -> bool:
        self.turns[domain] += 1
        attack, turn = self.attack, self.turns[domain]
        return turn > attack.takes and not (attack.every and turn % attack.every == 0)

    def _accepted(self, mail: Mail, session: Session) -> None:
        if mail.queue_id in self.late:
            self.late[mail.queue_id] = self.now - mail.arrived
        super()._accepted(mail, session)

    def _evidence(
        self, mail: Mail, outcome: Any, category: str, source: Any, took: float
    ) -> Evidence:
        found = super()._evidence(mail, outcome, category, source, took)
        if not category:
            return found
        attack = self.attack
        return found._replace(
            stage=attack.stage, retry_after=attack.hint, reply=attack.reply, host=attack.host,
            rule=attack.rule, origin="local" if attack.net else "remote", scope=attack.scope,
            sender=self._sender(mail),
        )  # fmt: skip


@dataclass(frozen=True)
class Harm:
    """What innocent mail suffered, in seconds."""

    mean: float
    worst: float


def harm(attack: Attack, a_minute: float, *, great: float = 0.0, seed: int = 1) -> Harm:
    """Play it."""
    world = Besieged(attack, a_minute, great, seed)
    world.run(world.begins - world.start + WATCHED)
    late = list(world.late.values())
    return Harm(sum(late) / len(late), max(late))
