"""The hands on all queues of this machine: Postfix's and Exim's, as the daemon sees them.

Contract: each message is let go by the hand on its own queue; what is said of them is said
together. An MTA that is not here has no part in it. Failure: as in `policyd.postfix.releasing` and
`policyd.exim.side`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from policyd.core import Core
from policyd.exim.side import EximSide
from policyd.postfix.releasing import Releasing

__all__ = ["Hands"]


class Hands:
    """See the module."""

    def __init__(self, core: Core, *, played: bool) -> None:
        self._exim = EximSide(core, played=played)
        self._postfix = Releasing(core, played=played, elsewhere=self._exim.let_go)
        self._postfix.alone = lambda: self._exim.hand.away

    def begin(self) -> None:
        """Let held messages go, by the configuration in use."""
        self._postfix.begin()
        self._exim.begin()

    def end(self) -> None:
        """Let nothing go any more."""
        self._postfix.end()
        self._exim.end()

    def asked_by_postfix(self, asked: Callable[[], object]) -> None:
        """`asked` tells whether Postfix has ever asked the gate."""
        self._postfix.asked = asked

    @property
    def counts(self) -> Mapping[str, int]:
        """What was done, for the metrics."""
        ours = self._exim.counts
        return {name: count + ours.get(name, 0) for name, count in self._postfix.counts.items()}

    @property
    def ways(self) -> Mapping[str, int]:
        """How the MTAs were asked, for the metrics."""
        return {**self._postfix.ways, **self._exim.hand.asked}

    @property
    def trouble(self) -> str:
        """Why held messages cannot be let go; "": they can, or nothing is held here."""
        return self._postfix.trouble or self._exim.trouble

    def working(self) -> bool | None:
        """Whether all of them work; None: no MTA is here."""
        both = (self._postfix.working(), self._exim.working())
        told = [one for one in both if one is not None]
        return all(told) if told else None

    async def tell(self) -> dict[str, Any]:
        """Tried now, for an operator."""
        return {**await self._postfix.tell(), "exim": dict(await self._exim.tell())}
