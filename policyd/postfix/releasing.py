"""Letting held mail go, as the daemon sees it: begun, begun anew after a reload, asked how it does.

Contract: `begin` starts the releaser of the configuration in use in place of the one before; a
sample is only played, so nothing is let go. `working` is what page, metric and /healthz show;
`tell` tries the hand now, for an operator.
Failure: none; what cannot be let go is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from policyd.core import Core
from policyd.postfix.putoff import reader
from policyd.postfix.release import Elsewhere, Releaser

__all__ = ["Releasing"]

_ANSWER = 2.0  # seconds that an operator is kept waiting


class Releasing:
    """The releaser of the day."""

    def __init__(self, core: Core, *, played: bool, elsewhere: Elsewhere | None = None) -> None:
        """`elsewhere` lets go what waits in another MTA's queue."""
        self._core = core
        self._played = played
        self._elsewhere = elsewhere
        self.alone: Callable[[], bool] = lambda: True  # no other MTA is here
        self._releaser = self._new()
        self._task: asyncio.Task[None] | None = None
        self.asked: Callable[[], object] = lambda: False  # has Postfix ever asked the gate?

    def _new(self) -> Releaser:
        core, receivers = self._core, self._core.receivers
        return Releaser(
            core.controller,
            core.config.release,
            core.clock,
            receiver_of=lambda domain: receivers.of_domain(domain).receiver,
            told=reader(core.classifier.classify, receivers.of_host),
            elsewhere=self._elsewhere,
            alone=lambda: self.alone(),
            steady=core.clock.steady,
        )

    def begin(self) -> None:
        """Let held messages go, by the configuration in use."""
        self.end()
        self._releaser = self._new()
        if not self._played:
            self._task = asyncio.create_task(self._releaser.run())

    def end(self) -> None:
        """Let nothing go any more."""
        if self._task is not None:
            self._task.cancel()

    @property
    def counts(self) -> Mapping[str, int]:
        """What was done, for the metrics."""
        return self._releaser.counts

    @property
    def ways(self) -> Mapping[str, int]:
        """How Postfix was asked, for the metrics."""
        return self._releaser.hand.asked

    @property
    def trouble(self) -> str:
        """Why held messages cannot be let go; "": they can, or nothing is held here."""
        if self.working() is not False:
            return ""
        return f"held messages cannot be let go: {self._releaser.hand.trouble}"

    def working(self) -> bool | None:
        """Whether the hand works; None where it has nothing to do.

        A log can be read where no Postfix runs. But once one has asked, or a message waits, and
        wherever one runs (what it holds is not known while its queue cannot be read), it must.
        """
        hand, controller = self._releaser.hand, self._core.controller
        waits = len(controller.book) > 0 and self.alone()
        if not self._enabled or (hand.away and not self.asked() and not waits):
            return None
        return not hand.trouble

    async def tell(self) -> dict[str, Any]:
        """Tried now, with the rights and in the sandbox of this process."""
        hand, trouble = self._releaser.hand, ""
        if self._enabled:
            try:
                async with asyncio.timeout(_ANSWER):
                    trouble = await hand.check() or hand.trouble
            except TimeoutError:
                trouble = f"no answer from Postfix within {_ANSWER:g} s"
        told: dict[str, Any] = {"enabled": self._enabled, "trouble": trouble, "away": hand.away}
        told["indirect"] = hand.indirect
        promises = self._core.controller.promises
        asked = self._core.controller.senders.asked
        told["by_message"] = promises["message"] + asked["message"]
        told["by_domain"] = promises["domain"] + asked["unseen"]
        return {**told, **self._releaser.counts}

    @property
    def _enabled(self) -> bool:
        return self._core.config.release.enabled and not self._played
