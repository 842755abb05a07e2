"""Letting held messages go when it is time, one queue id a call of the hand.

Contract: asks the controller what is due, has the hand (policyd.postfix.hand) let it go with
bounded concurrency, tells the controller what could not be let go, and makes its book agree with
the queue (`postqueue -j`) at start and now and then: what we held waits for its lane, and so does
what a receiver put off in words that blame the lane, which after a restart nobody else remembers.
Needs no root: a user in group postdrop that `authorized_flush_users` allows.
Failure: a command that fails or hangs is counted and logged once a minute at most, and is the
hand's `trouble`; the message waits for the next turn, and without us Postfix's own back-off
delivers it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from time import monotonic

from policyd.postfix.hand import HandError, Postqueue, Run, run_command
from policyd.postfix.putoff import Told
from policyd.settings.release import ReleaseSettings
from policyd.throttle.book.dispatch import PutOff, Queued, Release
from policyd.throttle.book.nexthop import asked_name
from policyd.throttle.book.queueid import is_named
from policyd.throttle.controller import Controller
from policyd.throttle.evidence import HOLD_WORDS, Evidence, domain_of, may_be_hold

__all__ = ["Elsewhere", "Releaser", "parse_queue"]

log = logging.getLogger(__name__)

# how a message of another MTA's queue is let go: why it could not be, "" for success
Elsewhere = Callable[[Release], Awaitable[str]]

_AGAIN = 10.0  # seconds until a queue that could not be read is tried again
_REASON = 2000  # characters of a reason that are kept
_REASONS = 50  # different ones of a message; the other recipients wait for the MTA's own retry
_TURN = 0.002  # seconds of work on the queue's list, between which answers have their turn
_SAID = re.compile(r"(?:delivery temporarily suspended: )?host [^\s\[\]]+\[[^\[\]]*\] ")


def parse_queue(
    listing: bytes, holds: Callable[[str], bool] = lambda domain: False
) -> Iterator[Queued]:
    """The messages of `postqueue -j`, a JSON object a line; lines that are none are skipped.

    `holds` tells of domains that the gate held: their reasons may be ours in other words, too.
    """
    for line in listing.splitlines():
        try:
            entry = json.loads(line)
            held: dict[str, int] = {}
            put_off: dict[tuple[str, str], int] = {}
            for recipient in entry.get("recipients", ()):
                reason = recipient.get("delay_reason", "")
                domain = domain_of(recipient["address"])
                ours = any(words in reason for words in HOLD_WORDS)
                if _SAID.match(reason):  # a stranger's words, which may quote ours
                    words = (domain, reason[:_REASON])
                    if words in put_off or len(put_off) < _REASONS:
                        put_off[words] = put_off.get(words, 0) + 1
                elif ours or (may_be_hold(reason) and holds(domain)):
                    domain = asked_name(reason) or domain
                    held[domain] = held.get(domain, 0) + 1
            if entry.get("queue_name") == "hold":
                continue  # an operator's hold is not ours to lift: as if it were gone
            yield Queued(
                str(entry["queue_id"]),
                float(entry.get("arrival_time", 0)),
                domain_of(str(entry.get("sender", ""))),
                tuple(held.items()),
                tuple(PutOff(*words, count) for words, count in put_off.items()),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


class Releaser:
    """Runs until cancelled; `counts` are for the metrics."""

    def __init__(
        self,
        controller: Controller,
        settings: ReleaseSettings,
        clock: Callable[[], float],
        *,
        receiver_of: Callable[[str], str],
        told: Told = lambda queued, put_off, now: None,
        elsewhere: Elsewhere | None = None,
        alone: Callable[[], bool] = lambda: True,
        steady: Callable[[float], float] = float,
        run: Run = run_command,
    ) -> None:
        self._controller = controller
        self._settings = settings
        self._clock = clock
        self._receiver_of = receiver_of
        self._told = told
        self._elsewhere = elsewhere
        self._alone = alone  # no other MTA is here
        self._recalled = False  # what was put off before our time is known; the log tells the rest
        self._steady = steady  # POSIX seconds on our own clock
        self.hand = Postqueue(
            settings.postqueue,
            settings.config_directory,
            settings.timeout,
            clock,
            direct=settings.direct,
            run=run,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._credit = 0.0
        self._credited = 0.0
        self._complained = 0.0
        self.counts = {"released": 0, "failed": 0, "reconciled": 0, "added": 0, "dropped": 0}

    async def run(self) -> None:
        """Let go of what is due, read the queue now and then, for ever."""
        if not self._settings.enabled:
            return
        reader = asyncio.create_task(self._read_queue())
        self._controller.on_room = self._woken.set
        try:
            while True:
                nap = self._turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(nap):
                        await self._woken.wait()
        finally:
            reader.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(reader, *self._tasks, return_exceptions=True)

    def _turn(self) -> float:
        """Let go of what is due; seconds until the next look. A fault of ours ends no hand."""
        try:
            self.step()
            self._woken.clear()
            return self._controller.next_event(self._clock())
        except Exception as error:
            self._complain("a fault while held mail was let go, going on: %r", error)
            return 1.0

    def step(self) -> int:
        """Start the releases that are due and allowed now; how many."""
        now = self._clock()
        settings = self._settings
        rate = settings.off_rate if self._controller.stands_aside else settings.rate
        self._credit = min(rate, self._credit + (now - self._credited) * rate, settings.concurrency)
        self._credited = now
        free = min(settings.concurrency - len(self._tasks), int(self._credit))
        if free < 1:
            return 0
        releases = self._controller.due(now, free)
        for release in releases:
            self._credit -= 1
            task = asyncio.create_task(self._let_go(release))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        return len(releases)

    def _done(self, task: asyncio.Task[None]) -> None:
        """A hand is free: the next message may go at once."""
        self._tasks.discard(task)
        self._woken.set()

    async def _let_go(self, release: Release) -> None:
        """One message; the controller hears if it could not be let go."""
        if is_named(release.queue_id) and self._elsewhere is not None:
            failure = await self._elsewhere(release)
        else:
            failure = await self.hand.let_go(release.queue_id, direct=not release.again)
        if failure:
            self.counts["failed"] += 1
            self._controller.unreleased(release.queue_id, self._clock())
            self._complain("cannot let %s go: %s", release.queue_id, failure)
        else:
            self.counts["released"] += 1
            log.debug("%s let go for %s (%s)", release.queue_id, release.lane, release.why)

    async def _read_queue(self) -> None:
        while True:
            try:
                done = await self.reconcile() and not await self._check()
            except Exception as error:  # it is read again; the loop must not end
                self._complain("a fault while the queue was read, going on: %r", error)
                done = False
            if done and self._settings.reconcile <= 0:
                return
            await asyncio.sleep(self._settings.reconcile if done else _AGAIN)

    async def _check(self) -> str:
        """Whether messages could be let go; known before the first one waits."""
        if failure := await self.hand.check():
            self._complain("held messages cannot be let go: %s", failure)
        return failure

    async def reconcile(self) -> bool:
        """Read the whole queue and make the book agree with it; False: it could not be read."""
        began = self._clock()
        try:
            listing = await self.hand.listing()
        except HandError as wrong:  # what is not listed would be forgotten
            if self._alone() or not self.hand.away:
                self._complain("cannot read the queue: %s", wrong)
            return False
        controller, steady = self._controller, self._steady
        queue = await asyncio.to_thread(
            lambda: [
                one._replace(arrived=steady(one.arrived))
                for one in parse_queue(listing, controller.holds)
            ]
        )
        told = {} if self._recalled else await self._said(queue)
        now = self._clock()
        added, dropped = controller.reconcile(
            queue, self._receiver_of, began, now, told, ours=lambda one: not is_named(one)
        )
        self._recalled = True
        self.counts["reconciled"] += 1
        self.counts["added"] += added
        self.counts["dropped"] += dropped
        return True

    async def _said(self, queue: Iterable[Queued]) -> dict[str, list[tuple[Evidence, int]]]:
        """What receivers said to messages nobody knows; read a little at a time."""
        found: dict[str, list[tuple[Evidence, int]]] = {}
        began = monotonic()
        for queued in queue:
            if not queued.put_off or not self._controller.unknown(queued.queue_id):
                continue
            now = self._clock()
            words = [(self._told(queued, one, now), one.recipients) for one in queued.put_off]
            if heard := [(evidence, count) for evidence, count in words if evidence is not None]:
                found[queued.queue_id] = heard
            if monotonic() - began > _TURN:
                await asyncio.sleep(0)
                began = monotonic()
        return found

    def _complain(self, message: str, *arguments: object) -> None:
        """Say it, but not more than once a minute."""
        now = self._clock()
        if now - self._complained >= 60:
            self._complained = now
            log.warning(message, *arguments)
