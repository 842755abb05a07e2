"""Reading the configuration anew while the daemon runs: one at a time, all of it or nothing.

Contract: `begin` starts a reading; it waits for the one before. What takes long (`read`) runs in a
thread, so that no answer waits; `use` then takes it over at once. The task's result is why it was
refused; "": it is in use. `reloads` is how the last one went.
Failure: what `read` or `use` raise of `refuses` is that refusal, and logged; the old one stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Reloading", "Reloads"]

_log = logging.getLogger(__name__)

Read = TypeVar("Read")


@dataclass(slots=True)
class Reloads:
    """How the last reading of the configuration went."""

    successful: bool = True
    at: float = 0.0  # of the last successful one


class Reloading(Generic[Read]):
    """See the module."""

    def __init__(
        self,
        read: Callable[[], Read],
        use: Callable[[Read], None],
        refuses: tuple[type[Exception], ...],
        wall: Callable[[], float],
    ) -> None:
        self.reloads = Reloads(at=wall())
        self._read = read
        self._use = use
        self._refuses = refuses
        self._wall = wall
        self._last: asyncio.Task[str] | None = None

    def begin(self) -> asyncio.Task[str]:
        """One more reading."""
        self._last = asyncio.create_task(self._after(self._last))
        return self._last

    async def _after(self, before: asyncio.Task[str] | None) -> str:
        if before is not None:
            await before
        try:
            self._use(await asyncio.to_thread(self._read))
        except self._refuses as wrong:
            self.reloads.successful = False
            _log.error("the configuration is refused, the old one stays:\n%s", wrong)
            return str(wrong)
        self.reloads.successful, self.reloads.at = True, self._wall()
        _log.info("configuration and rules were read again")
        return ""
