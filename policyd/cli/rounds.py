"""One daemon after another on the same sockets: the sample's ends when there is a log to follow.

Contract: `run` opens the sockets, lets a daemon answer on them until a signal ends it, and where
that one played a sample that nobody asked for, and a log has appeared meanwhile, makes the next one
as if it had just been started: nothing of the play is remembered. The sockets stay open between.
Failure: `MxheedError` for what prevents a start (an address in use, a state file in use).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from policyd.config import Config
from policyd.daemon import Daemon, Say
from policyd.process.clock import Clock, this_boot
from policyd.process.collection import sparing
from policyd.process.identity import declare
from policyd.process.signals import Signals
from policyd.process.watchdog import Notifier
from policyd.reading.sources import Chosen, choose
from policyd.serve.early import answering
from policyd.serve.listen import inherited
from policyd.serve.listeners import Listeners, open_listeners
from policyd.store.place import state_file

__all__ = ["run"]

_log = logging.getLogger(__name__)


async def run(config: Config, path: Path | None, say: Say, written: Config) -> None:
    """Run until a signal ends it; `say` is told what runs where, once everything listens.

    `written` is what the file says, where the command line says otherwise.
    """
    if not declare():
        _log.warning("this process cannot be told for an mxheed: bypass --end-hung will not end it")
    clock, signals = Clock(boot=this_boot()), Signals()
    passed = inherited(os.environ, os.getpid())
    with contextlib.closing(open_listeners(config.serve, passed)) as listeners:
        pinging = Notifier()  # a start has all the time it needs
        while True:
            chosen = choose(config.log.path, clock=clock, olddir=config.log.olddir)
            with contextlib.ExitStack() as stack:
                state = _state(stack, config, chosen)
                make = functools.partial(Daemon, config, path, state, chosen, clock)
                daemon = await _made(make, listeners, pinging)
                daemon.written = written
                stack.callback(daemon.store.close)
                stack.enter_context(sparing())
                if not await daemon.run(say, listeners, signals):
                    return
            pinging = Notifier.from_environment(os.environ, os.getpid())


def _state(stack: contextlib.ExitStack, config: Config, chosen: Chosen) -> Path:
    if chosen.kind == "sample":  # a play: nothing of it shall be remembered
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mxheed-"))
        return Path(folder) / "mxheed.db"
    return state_file(config.state.file, os.environ, os.geteuid())


async def _made(make: Callable[[], Daemon], listeners: Listeners, notifier: Notifier) -> Daemon:
    """Reading the rules takes a moment in which mail shall flow, and the watchdog be calm."""

    def made() -> Daemon:
        daemon = make()
        daemon.wiring.read()
        return daemon

    pinging = asyncio.create_task(notifier.watch())
    try:
        with answering(listeners):
            return await asyncio.to_thread(made)
    finally:
        pinging.cancel()
