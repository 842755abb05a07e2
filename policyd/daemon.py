"""The daemon: the one place where the parts meet a clock, sockets, processes and signals.

Contract: a `Daemon` opens the state and restores it; `run` serves the sockets, follows the log,
releases held mail, and returns after SIGTERM or SIGINT with everything committed. SIGHUP (and
`mxheed reload`) reads the configuration anew, but ends it where a terminal sends it. One with
mistakes is refused as a whole and the old one stays. The sockets answer before the log is caught up
with: Postfix never waits for us.
Failure: `MxheedError` for what prevents a start (an address in use, a state file in use); what goes
wrong later is logged, shown on /healthz, and never stops mail.
Length: what begins together ends together, and is read in one place.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from policyd import config as configuration
from policyd.config import Config
from policyd.core import Core, Prepared, prepare
from policyd.counting.facts import LogFacts
from policyd.errors import ControlError, MxheedError
from policyd.exim.hands import Hands
from policyd.hooks.answers import SAFE, paced
from policyd.hooks.doorkeeper import Doorkeeper
from policyd.metrics.sources import Health, metrics
from policyd.metrics.table import Metrics
from policyd.postfix.wiring import Wiring
from policyd.process.alive import Alive
from policyd.process.clock import Clock
from policyd.process.reloading import Reloading
from policyd.process.signals import Signals
from policyd.process.ticking import every_second
from policyd.process.watchdog import Notifier
from policyd.reading.follow import Follower
from policyd.reading.sight import Sight
from policyd.reading.sources import ASKED, PLAYED, Chosen, appears, status_of
from policyd.reading.unwritten import Unwritten
from policyd.serve.listeners import Listeners
from policyd.serve.paths import control_path, exim_paths
from policyd.serve.session import HookCounts, how_often, last_asked
from policyd.serve.turns import Steps
from policyd.servers import Servers, serve
from policyd.store import Damage, Saved, Store
from policyd.web.logs import logs_view
from policyd.web.orders import Operator
from policyd.web.ports import Services
from policyd.web.status import page
from policyd.web.view import Page
from rules import RulesError

__all__ = ["Daemon", "Say"]

_log = logging.getLogger(__name__)

Say = Callable[[Chosen, Path, Mapping[str, list[str]]], None]


class Daemon:
    """One running mxheed."""

    def __init__(
        self, config: Config, path: Path | None, state: Path, chosen: Chosen, clock: Clock
    ) -> None:
        self.clock = clock
        self.state = state
        self.chosen = chosen
        self._path = path
        self.written = config  # what stands in the file, as it was at the start
        self._awaiting = ""  # what was changed and needs a restart
        self.reloading = Reloading(self._read, self._use, (MxheedError, RulesError), clock.wall)
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
            report=lambda trouble: self.sight.report(trouble or self.logs.lost, clock()),
            enter=self.core.machines.enter,
            memory=self.core.memory,
        )
        self.logs = LogFacts(self.core, partial(status_of, chosen, self.follower))
        # what comes through a pipe was never read before: there is nothing to catch up with
        self.follower.caught_up = chosen.kind in ("stdin", "sample")
        self.releasing = Hands(self.core, played=chosen.kind == "sample")
        know = partial(setattr, self.core, "beyond")
        serve = config.serve
        beside = exim_paths(control_path(serve.control, os.environ, os.geteuid()))
        self.alive = Alive(serve.alive or beside[1])
        self.wiring = Wiring(config.release.config_directory, know)
        self._stopping = asyncio.Event()
        self.replaced = False  # the sample, by a log
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
        self.core.memory.begin(self.core.controller.lanes(self.clock()), self.store)
        return saved

    async def run(self, say: Say, listeners: Listeners, signals: Signals) -> bool:
        """Serve and follow until a signal, or, True, until there is a log instead of a sample."""
        Doorkeeper(self.core.controller.door, self.clock, self.follower.hurry)
        servers = await self._serve(listeners)
        signals.heed(self._stopping.set, self._reload)
        following = asyncio.create_task(self.follower.run())
        following.add_done_callback(lambda _: self._stopping.set())
        watching = asyncio.create_task(self._notifier.watch())
        ticking = asyncio.create_task(every_second(self.tick))
        wiring = asyncio.create_task(self.wiring.run())
        waiting = asyncio.create_task(self._await_log())
        self.releasing.begin()
        say(self.chosen, self.state, servers.addresses)
        self._ready()
        await self._stopping.wait()
        if self.replaced:
            signals.back()  # until the next one heeds them
        else:
            self._notifier.stopping()
        self.core.hurry()
        self.follower.stop()
        self.releasing.end()
        self.alive.remove()
        for task in (watching, ticking, wiring, waiting):
            task.cancel()
        self.core.controller.door.open(self.clock())
        await servers.close(listening=self.replaced)
        await following
        return self.replaced

    async def _serve(self, listeners: Listeners) -> Servers:
        services = Services(
            clock=self.clock,
            maps=self.hooks.maps,
            policy=self.hooks.policy,
            exim=self.hooks.exim,
            metrics=self._page_of_metrics,
            troubles=self._troubles,
            page=self._page,
            control=Operator(self.core, self._ordered, self.releasing.tell, self._again),
            closed=self.hooks.closed,
            logs=lambda: logs_view(self.logs.of_logs(), self.clock.wall()),
            wall=self.clock.wall,
        )
        servers = await serve(self.core.config.serve, services, listeners)
        self._counts = counts = servers.counts
        self.releasing.asked_by_postfix(lambda: counts["socketmap"].answers)
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
                self.store,
            ),
            self.logs,
        )
        return servers

    def tick(self) -> None:
        """Once a second: what time alone decides, also where nobody lets mail go."""
        now = self.clock()
        self.alive.touch()
        self.logs.note(now)
        if self.follower.opened or self.follower.trouble:
            self.sight.report(self.follower.trouble or self.logs.lost, now)
        self.sight.tend(now)
        self.core.controller.blind = self.sight.lost
        self.core.controller.tick(now)
        if self.follower.caught_up:
            self.core.lately.note(self.core.counters.tallies, now)
            self.unwritten.note(*self.logs.marks, self._asked(), self.clock.wall(), now)

    def _asked(self) -> int:
        return how_often(self._counts, "mx")

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
            logs_view(self.logs.of_logs(), self.clock.wall()),
        )

    def _safe(self) -> str:
        """Why hooks give their safe answers; "": they do not."""
        if self.chosen.kind == "sample":
            return PLAYED
        return self.sight.why if self.sight.blind else ""

    def _troubles(self) -> Mapping[str, str]:
        found = {
            "log": self.sight.why or self.unwritten.why or self.logs.why(self._asked() > 0),
            "state": self.store.trouble or self.store.damage,
            "release": self.releasing.trouble,
        }
        if self.chosen.kind == "sample":
            # who asked for it knows; who has no log of his own must hear of it
            found["log"] = "" if self.chosen.why == ASKED else f"{PLAYED} ({self.chosen.why})"
        if not self.reloading.reloads.successful:
            found["configuration"] = "the newest file has mistakes; an older one is in use"
        return {name: why for name, why in found.items() if why}

    # reading anew -----------------------------------------------------------------------------

    async def _await_log(self) -> None:
        """A sample that nobody asked for ends when there is a log."""
        if self.chosen.kind == "sample" and self.chosen.why != ASKED:
            log = self.core.config.log
            found = await appears(log.path, clock=self.clock, olddir=log.olddir)
            _log.warning("there is a mail log now, %s: the sample day ends", found.name)
            self.replaced = True
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
        return {"reloaded": True, "awaiting": self._awaiting}

    def _read(self) -> Prepared:
        prepared = prepare(configuration.load(self._path), self._path)
        self.wiring.directories = prepared.config.release.config_directory
        self.wiring.read()
        return prepared

    def _use(self, prepared: Prepared) -> None:
        self.core.reload(prepared)
        self._awaiting = ", ".join(configuration.awaiting(self.written, prepared.config))
        if self._awaiting:
            _log.warning("changes that only a restart takes: %s", self._awaiting)
        self.releasing.begin()
