"""Answer Postfix while the daemon is still reading its rules: the safe answer, from a thread.

Contract: within `answering(listeners)` every question on the hooks' sockets is answered
`NOTFOUND `, `DUNNO` or `go` by a loop of its own, so that a start of some seconds delays no mail.
Afterwards the sockets are free again; connections are closed, which a client takes as a reason to
ask once more.
Failure: none of its own; if the thread cannot run, questions wait in the kernel's queue.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from policyd.serve.accept import Acceptor
from policyd.serve.endpoint import Endpoint
from policyd.serve.listeners import HOOKS, Listeners
from policyd.serve.notfound import NothingFound
from policyd.serve.policy import DUNNO, PolicyEndpoint
from policyd.serve.readsocket import GO, ReadsocketEndpoint

__all__ = ["answering"]


@contextmanager
def answering(listeners: Listeners) -> Generator[None, None, None]:
    """Give the safe answer to everything while the body runs."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(
        target=_run, args=(loop, listeners, stop), name="mxheed-early", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _run(loop: asyncio.AbstractEventLoop, listeners: Listeners, stop: asyncio.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_serve(listeners, stop))


async def _serve(listeners: Listeners, stop: asyncio.Event) -> None:
    endpoints: dict[str, Endpoint[Any]] = {
        "socketmap": NothingFound(clock=time.monotonic),
        "policy": PolicyEndpoint(lambda request, session: DUNNO, clock=time.monotonic),
        "exim": ReadsocketEndpoint(lambda question, session: GO, clock=time.monotonic),
    }
    acceptors = [
        Acceptor(one.dup(), endpoints[name].protocol)
        for name in HOOKS
        for one in listeners.sockets[name]
    ]
    await stop.wait()
    for acceptor in acceptors:
        acceptor.close()
    for endpoint in endpoints.values():
        endpoint.close()
    await asyncio.sleep(0)  # let the connections go down before the loop does
