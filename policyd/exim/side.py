"""Exim beside the daemon: its messages are let go, its queue is read, and how that works is told.

Contract: `let_go` is what the releaser calls for a message of Exim's: by `-Mc`, which asks the gate
again, or by `-M` where Exim's own retry record would keep it from being tried and nothing of the
message waits for another lane. `begin` reads the queue at the start and now and then, so that the
book agrees with it; what is held there and nobody knows of (a restart) is read from the messages'
own logs. A sample is only played, so nothing is let go.
Failure: what cannot be done is the hand's `trouble`, and said once a minute; Exim's own queue runs
ask the gate for every message, so mail waits for them at the longest.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from policyd.core import Core
from policyd.exim.hand import EximCommand, EximHand, arrived
from policyd.exim.queue import Listed, parse
from policyd.exim.remote import Remote
from policyd.exim.story import held
from policyd.postfix.hand import HandError
from policyd.throttle.book.dispatch import Queued, Release
from policyd.throttle.book.queueid import is_named

__all__ = ["EximSide"]

log = logging.getLogger(__name__)

_LOOK = 0.2  # seconds between two looks at what came in
_AT_ONCE = 4
_YOUNG = 600.0  # seconds before our start; what is older was in the log only
_AGAIN = 10.0  # seconds until a queue that could not be read is tried again
_STORIES = 2000  # messages whose own logs are read after a start; the others wait for a queue run
_PATH = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"


class EximSide:
    """See the module."""

    def __init__(self, core: Core, *, played: bool) -> None:
        self._core = core
        self._played = played
        self._tasks: list[asyncio.Task[None]] = []
        self._recalled = False  # what was held before our time is known
        self._asked = False
        self._complained = float("-inf")
        self.counts = {"reconciled": 0, "added": 0, "dropped": 0}
        self.hand = self._hand()

    def _hand(self) -> EximHand:
        settings = self._core.config.release
        remote = Remote(settings.exim_hand)
        if settings.exim_hand and remote.there:
            return EximHand(remote)
        return EximHand(EximCommand(settings.exim, lambda name: shutil.which(name, path=_PATH)))

    def begin(self) -> None:
        """Go on by the configuration in use."""
        self.end()
        self.hand = self._hand()
        if not self._played and self._core.config.release.enabled:
            self._tasks = [asyncio.create_task(one) for one in (self._run(), self._push())]

    def end(self) -> None:
        """Read and let go no more; what was begun goes on by itself."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    async def let_go(self, release: Release) -> str:
        """Why a message could not be let go; "" for success."""
        return await self.hand.let_go(release.queue_id, forced=self._forced(release))

    def _forced(self, release: Release) -> bool:
        records, message = self._core.eximgate.records, release.queue_id
        if not records.blocks(message, release.lane.receiver):
            return False
        known = self._core.controller.book.get(message)
        parts = (*known.parts.values(), *known.pending.values()) if known is not None else ()
        return all(part.lane == release.lane for part in parts)

    async def _push(self) -> None:
        """Have messages tried that Exim took in without an attempt: then the gate is asked."""
        queued, born = self._core.eximgate.queued, self._core.clock.wall()
        while True:
            await asyncio.sleep(_LOOK)
            while queued and not (self.hand.away or self._core.controller.stands_aside):
                some = [queued.popleft() for _ in range(min(_AT_ONCE, len(queued)))]
                young = (one for one in some if born - arrived(one) < _YOUNG)
                pushed = (self.hand.let_go(one) for one in young)
                for wrong in await asyncio.gather(*pushed, return_exceptions=True):
                    if isinstance(wrong, Exception):
                        self._complain("a fault while Exim was asked, going on: %r", wrong)
            queued = self._core.eximgate.queued  # a reload makes another gate

    # the queue ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                done = self.hand.away or (not await self._check() and await self.reconcile())
            except Exception as error:  # it is read again; the loop must not end
                self._complain("a fault while Exim's queue was read, going on: %r", error)
                done = False
            pause = self._core.config.release.reconcile
            if done and pause <= 0:
                return
            if self.hand.away or not done:
                self.hand = self._hand()  # it may have been installed, or its socket may be there
            await asyncio.sleep(pause if done else _AGAIN)

    async def _check(self) -> str:
        """Whether messages could be let go; Exim logs a line for each such question: seldom."""
        if self._recalled and not self.hand.trouble:
            return ""
        if failure := await self.hand.check():
            self._complain("mail held in Exim's queue cannot be let go: %s", failure)
        return failure

    async def reconcile(self) -> bool:
        """Read the whole queue and make the book agree with it; False: it could not be read."""
        controller, clock = self._core.controller, self._core.clock
        began = clock()
        try:
            listing = await self.hand.listing()
        except HandError as wrong:
            self._complain("cannot read Exim's queue: %s", wrong)
            return False
        if life := await self.hand.lifetime():
            controller.exim_lives(life)
        listed = await asyncio.to_thread(lambda: list(parse(listing)))
        self.hand.frozen = frozenset(one.message for one in listed if one.frozen)
        moving = [one for one in listed if not one.frozen]  # a frozen one is not ours to lift
        waiting = {} if self._recalled else await self._stories(moving)
        now = clock()
        queue = [
            Queued(one.message, now - one.age, one.sender, tuple(waiting.get(one.message, ())))
            for one in moving
        ]
        receivers = self._core.receivers
        added, dropped = controller.reconcile(
            queue, lambda domain: receivers.of_domain(domain).receiver, began, now, ours=is_named
        )
        self._recalled = True
        for name, count in (("reconciled", 1), ("added", added), ("dropped", dropped)):
            self.counts[name] += count
        return True

    async def _stories(self, queue: Iterable[Listed]) -> dict[str, list[tuple[str, int]]]:
        """What is held of messages that nobody knows."""
        unknown = [one for one in queue if self._core.controller.unknown(one.message)]
        found = {}
        for one in unknown[:_STORIES]:
            if waits := held(await self.hand.story(one.message)):
                found[one.message] = list(waits.items())
        return found

    def _complain(self, message: str, *arguments: object) -> None:
        if not self._hooked:
            return
        now = self._core.clock()
        if now - self._complained >= 60:
            self._complained = now
            log.warning(message, *arguments)

    # how it does ----------------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why held messages cannot be let go; "": they can, or nothing is held here."""
        return self.hand.trouble if self.working() is False else ""

    @property
    def _enabled(self) -> bool:
        return self._core.config.release.enabled and not self._played and not self.hand.away

    @property
    def _hooked(self) -> bool:
        """Whether Exim has ever asked: until then nothing is held there, its log is only read."""
        self._asked = self._asked or any(self._core.eximgate.decisions.values())
        return self._asked

    def working(self) -> bool | None:
        """Whether the hand works; None where no Exim asks."""
        return not self.hand.trouble if self._enabled and self._hooked else None

    async def tell(self) -> Mapping[str, Any]:
        """Tried now, with the rights of this process."""
        if not self._enabled:
            return {"away": self.hand.away}
        return {"away": False, "trouble": await self.hand.check() or self.hand.trouble}
