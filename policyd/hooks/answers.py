"""What the MTA is answered, and by whom.

Contract: `SAFE` is what mxheed answers where it has nothing to say: every mail goes as it would
without us. It knows no core, so whoever is given it, as the sample day is, can let nothing through
that was read or learnt. `paced` answers from a core while somebody sees what becomes of the mail,
and is safe otherwise, but for an attempt whose best host it has dropped: what was begun is held to
its end, or mail would go to a worse host. Failure: what a handler raises is caught at its socket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from policyd.reading.sight import Sight
from policyd.serve.eximline import Question
from policyd.serve.later import Later
from policyd.serve.policy import DUNNO, Request
from policyd.serve.policy import Handler as PolicyHandler
from policyd.serve.readsocket import GO, EximHandler
from policyd.serve.session import Session
from policyd.serve.socketmap import NOTFOUND
from policyd.serve.socketmap import Handler as MapHandler

__all__ = ["MAPS", "SAFE", "Answering", "Hooks", "paced"]

MAPS = (
    "mx",
    "status",
    "transport",
)


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who answers what."""

    maps: Mapping[str, MapHandler]
    policy: PolicyHandler
    exim: EximHandler
    closed: Callable[[Session], None]


def _not_found(key: bytes, session: Session, pool: str) -> bytes | Later:
    return NOTFOUND


def _dunno(request: Request, session: Session) -> bytes:
    return DUNNO


def _go(question: Question, session: Session) -> bytes | Later:
    return GO


SAFE = Hooks(
    MappingProxyType(dict.fromkeys(MAPS, _not_found)), _dunno, _go, closed=lambda session: None
)


class AnswersExim(Protocol):
    """Whoever answers Exim (`policyd.hooks.eximgate.EximGate`)."""

    def ask(self, question: Question, session: Session) -> bytes | Later:
        """One question."""


class Answering(Protocol):
    """Whoever has learnt answers (`policyd.core.Core`)."""

    @property
    def maps(self) -> Mapping[str, MapHandler]:
        """The socketmaps by name."""

    def policy(self, request: Request, session: Session) -> bytes:
        """The policy service."""

    @property
    def eximgate(self) -> AnswersExim:
        """Exim's questions; another one after a reload."""

    def closed(self, session: Session) -> None:
        """A client of the socketmaps has gone."""

    def holds(self, session: Session) -> bool:
        """Whether the attempt that is under way there is being held."""


def paced(core: Answering, sight: Sight) -> Hooks:
    """The core's answers while `sight` sees."""

    def guarded(ask: MapHandler) -> MapHandler:
        return lambda key, session, pool: (
            NOTFOUND if sight.blind and not core.holds(session) else ask(key, session, pool)
        )  # fmt: skip

    def policy(request: Request, session: Session) -> bytes:
        return DUNNO if sight.blind else core.policy(request, session)

    def exim(question: Question, session: Session) -> bytes | Later:
        return GO if sight.blind else core.eximgate.ask(question, session)

    maps = {name: guarded(ask) for name, ask in core.maps.items()}
    return Hooks(MappingProxyType(maps), policy, exim, core.closed)
