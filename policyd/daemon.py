"""The daemon: the one place where the parts meet a clock, sockets, processes and signals.

Contract: `run` opens the state, restores it, serves the sockets, follows the log, releases held
mail, and returns after SIGTERM or SIGINT with everything committed. SIGHUP reads the configuration
anew, or ends it where a terminal sends it. The sockets answer before the log is caught up with.
Failure: `MxheedError` for what prevents a start (an address in use, a state file in use); what goes
wrong later is logged, shown on /healthz, and never stops mail.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from policyd import config as configuration
from policyd.config import Config
from policyd.core import Core, Prepared, prepare
from policyd.errors import ControlError, MxheedError
from policyd.hooks.answers import SAFE, paced
from policyd.hooks.doorkeeper import Doorkeeper
from policyd.metrics.sources import Health, metrics
from policyd.metrics.table import Metrics
from policyd.postfix.releasing import Releasing
from policyd.process.clock import Clock, this_boot
from policyd.process.collection import sparing
from policyd.process.identity import declare
from policyd.process.reloading import Reloading
from policyd.process.terminal import fall_silent, of_terminal
from policyd.process.ticking import every_second
from policyd.process.watchdog import Notifier
from policyd.reading.follow import Follower
from policyd.reading.sight import Sight
from policyd.reading.sources import ASKED, PLAYED, Chosen, choose
from policyd.reading.unwritten import Unwritten
from policyd.serve.early import answering
from policyd.serve.listen import inherited
from policyd.serve.listeners import Listeners, open_listeners
from policyd.serve.session import HookCounts, how_often, last_asked
from policyd.serve.turns import Steps
from policyd.servers import Servers, serve
from policyd.store import Damage, Saved, Store
from policyd.store.place import state_file
from policyd.web.orders import Operator
from policyd.web.ports import Services
from policyd.web.status import page
from policyd.web.view import Page
from rules import RulesError

__all__ = ["Daemon", "run"]

_log = logging.getLogger(__name__)

Say = Callable[[Chosen, Path, Mapping[str, list[str]]], None]


async def run(config: Config, path: Path | None, say: Say) -> None:
    """Run until a signal ends it; `say` is told what runs where, once everything listens."""
    if not declare():
        _log.warning("this process cannot be told for an mxheed: bypass --end-hung will not end it")
    clock = Clock(boot=this_boot())
    chosen = choose(config.log.path, clock=clock, olddir=config.log.olddir)
    with contextlib.ExitStack() as stack:
        if chosen.kind == "sample":  # a play: nothing of it shall be remembered
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mxheed-"))
            state = Path(folder) / "mxheed.db"
        else:
            state = state_file(config.state.file, os.environ, os.geteuid())
        listeners = open_listeners(config.serve, inherited(os.environ, os.getpid()))
        stack.callback(listeners.close)
        with answering(listeners):  # reading the rules takes a moment in which mail shall flow
            daemon = Daemon(config, path, state, chosen, clock)
        stack.callback(daemon.store.close)
        stack.enter_context(sparing())
        await daemon.run(say, listeners)


class Daemon:
    """One running mxheed."""

    def __init__(
        self, config: Config, path: Path | None, state: Path, chosen: Chosen, clock: Clock
    ) -> None:
        self.clock = clock
        self.state = state
        self.chosen = chosen
        self.reloading = Reloading(
            lambda: prepare(configuration.load(path), path),
            self._use,
            (MxheedError, RulesError),
            clock.wall,
        )
        self.core = Core(config, clock=clock, base=path)
        self.store = Store.open(state)
        saved = self._restore()
        self.sight = Sight(clock())
        self.sight.on_lost = self._let_go
        self.unwritten = Unwritten()
        # the sample is a play: whatever it shows, nothing of it can reach an answer
        self.hooks = SAFE if chosen.kind == "sample" else paced(self.core, self.sight)
        self.follower = Follower(
            chosen.open(saved.position),
            self.store,
            self.core.counters,
            self.core.process,
            clock=clock.wall,
            documents=self.core.documents,
            interval=config.log.commit_interval,
            report=lambda trouble: self.sight.report(trouble, clock()),
            fresh=self.core.pipeline.clock.fresh,
        )
        # what comes through a pipe was never read before: there is nothing to catch up with
        self.follower.caught_up = chosen.kind in ("stdin", "sample")
        self.releasing = Releasing(self.core, played=chosen.kind == "sample")
        self._stopping = asyncio.Event()
        self._metrics: Metrics | None = None
        self._counts: Mapping[str, HookCounts] = {}
        self._notifier = Notifier.from_environment(os.environ, os.getpid())

    def _restore(self) -> Saved:
        """Take up what the last run left; what cannot be read is kept aside, and told."""
        saved = self.store.load()
        odd = self.core.counters.load(saved.counters)
        wrong = self.core.restore(saved.documents)
        self.store.keep_aside(
            [Damage("counters", repr(row[:2]), repr(row[2]), "not a counter") for row in odd]
            + [Damage("documents", name, saved.documents[name], why) for name, why in wrong.items()]
        )
        return saved

    async def run(self, say: Say, listeners: Listeners) -> None:
        """Serve and follow until a signal."""
        Doorkeeper(self.core.controller.door, self.clock)
        servers = await self._serve(listeners)
        self._signals()
        following = asyncio.create_task(self.follower.run())
        following.add_done_callback(lambda _: self._stopping.set())
        watching = asyncio.create_task(self._notifier.watch())
        ticking = asyncio.create_task(every_second(self.tick))
        self.releasing.begin()
        say(self.chosen, self.state, servers.addresses)
        self._ready()
        await self._stopping.wait()
        self._notifier.stopping()
        self.core.hurry()
        self.follower.stop()
        self.releasing.end()
        watching.cancel()
        ticking.cancel()
        self.core.controller.door.open(self.clock())
        await servers.close()
        await following

    async def _serve(self, listeners: Listeners) -> Servers:
        services = Services(
            clock=self.clock,
            maps=self.hooks.maps,
            policy=self.hooks.policy,
            metrics=self._page_of_metrics,
            troubles=self._troubles,
            page=self._page,
            control=Operator(self.core, self._ordered, self.releasing.tell, self._again),
            closed=self.hooks.closed,
            wall=self.clock.wall,
        )
        servers = await serve(self.core.config.serve, services, listeners)
        self._counts = counts = servers.counts
        self.releasing.asked = lambda: counts["socketmap"].answers
        self._metrics = metrics(
            self.core,
            counts,
            lambda: self.releasing.counts,
            self.reloading.reloads,
            Health(
                lambda: bool(self._safe()),
                lambda: self.store.damaged,
                self.releasing.working,
                lambda: self.releasing.ways,
            ),
        )
        return servers

    def tick(self) -> None:
        """Once a second: what time alone decides, also where nobody lets mail go."""
        now = self.clock()
        if self.follower.opened or self.follower.trouble:
            self.sight.report(self.follower.trouble, now)
        self.sight.tend(now)
        self.core.controller.blind = self.sight.lost
        self.core.controller.tick(now)
        if self.follower.caught_up:
            self.core.lately.note(self.core.counters.tallies, now)
            last, asked = self.core.counters.last_time, how_often(self._counts, "mx")
            self.unwritten.note(last, asked, self.clock.wall(), now)

    def _let_go(self) -> None:
        """The log is lost: nobody waits any longer."""
        self.core.controller.blind = True
        self.core.controller.door.open(self.clock())

    def _ordered(self) -> None:
        """An operator's word holds at the door at once, and is committed soon."""
        self.core.controller.door.tend(self.clock())
        self.core.hurry()
        self.follower.touch()

    # what the pages show ----------------------------------------------------------------------

    def _page_of_metrics(self) -> Steps[list[bytes] | None]:
        if self._metrics is None or not self.follower.caught_up:
            return None
        return (yield from self._metrics.steps())

    def _page(self, most: int | None = None) -> Steps[Page]:
        return page(
            self.core,
            self.chosen.name,
            self.follower.caught_up,
            self._troubles(),
            self._safe(),
            most,
            last_asked(self._counts),
        )

    def _safe(self) -> str:
        """Why hooks give their safe answers; "": they do not."""
        if self.chosen.kind == "sample":
            return PLAYED
        return self.sight.why if self.sight.blind else ""

    def _troubles(self) -> Mapping[str, str]:
        found = {
            "log": self.sight.why or self.unwritten.why,
            "state": self.store.trouble or self.store.damage,
            "release": self.releasing.trouble,
        }
        if self.chosen.kind == "sample":
            # who asked for it knows; who has no log of his own must hear of it
            found["log"] = "" if self.chosen.why == ASKED else f"{PLAYED} ({self.chosen.why})"
        if not self.reloading.reloads.successful:
            found["configuration"] = "the newest file has mistakes; an older one is in use"
        return {name: why for name, why in found.items() if why}

    # signals ----------------------------------------------------------------------------------

    def _signals(self) -> None:
        loop = asyncio.get_running_loop()
        # a terminal that is closed sends it to what runs in it; a service has none, and reloads
        closing = of_terminal(signal.getsignal(signal.SIGHUP))
        loop.add_signal_handler(signal.SIGHUP, self._hang_up if closing else self._reload)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

    def _hang_up(self) -> None:
        fall_silent()
        self._stopping.set()

    def _reload(self) -> asyncio.Task[str]:
        task = self.reloading.begin()
        task.add_done_callback(lambda _: self._ready())
        return task

    def _ready(self) -> None:
        self._notifier.ready(f"following {self.chosen.name}")

    async def _again(self) -> dict[str, Any]:
        """For the operator: he hears whether it is in use."""
        if refused := await self._reload():
            raise ControlError(f"the configuration is refused, the old one stays:\n{refused}")
        return {"reloaded": True}

    def _use(self, prepared: Prepared) -> None:
        self.core.reload(prepared)
        self.releasing.begin()
