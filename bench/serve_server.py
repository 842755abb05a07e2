"""The servers that `bench.serve_bench` measures, each in a process and on a core of its own.

`python -m bench.serve_server KIND ADDRESS PROTOCOL CORE` serves until it is killed. KIND:
`bare-s`, `bare-p`: the least a server of the protocol can do, a constant for each read, on uvloop;
`mxheed`: the daemon's own handlers (gate with controller, status filter with the shipped rules,
policy), 1,000 domains behind 50 receivers of which one is suspended, a DNS server (`serve_dns`, on
the other core) that answers after 100 ms;
`mxheed-fast`, `mxheed-slow`: the same with DNS that answers at once, for 2 % after 200 ms.
Failure: an address in use ends it with a traceback.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import dns.asyncresolver
import uvloop

from bench.serve_dns import home
from policyd.config import Config
from policyd.core import Core
from policyd.process.clock import Clock
from policyd.receiver.lookup import MxLookup, resolve_mx
from policyd.serve.listen import BACKLOG, open_socket, parse
from policyd.serve.policy import PolicyEndpoint
from policyd.serve.settings import ServeSettings
from policyd.serve.socketmap import SocketmapEndpoint
from policyd.settings.lookup import LookupSettings

DOMAINS = 1000
SUSPENDED = "mx:host7.test"

WARM: list[Callable[[], Awaitable[None]]] = []
CHORES: list[Callable[[], object]] = []

Factory = Callable[[], asyncio.BaseProtocol]


class Bare(asyncio.Protocol):
    """Says the same to everything."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)  # type: ignore[attr-defined]


def bare(kind: str) -> Factory:
    answer = b"9:NOTFOUND ," if kind == "bare-s" else b"action=DUNNO\n\n"
    return lambda: Bare(answer)


def dns_server(kind: str) -> dns.asyncresolver.Resolver:
    """A server of its own that ends with this process group, and a resolver that asks it."""
    usual, seldom = {"mxheed": (0.1, 0.1), "mxheed-fast": (0, 0), "mxheed-slow": (0, 0.2)}[kind]
    words = [sys.executable, "-m", "bench.serve_dns", str(usual), str(seldom)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], int(server.stdout.readline())
    return resolver


def mxheed(kind: str, protocol: str) -> Factory:
    """The daemon's own endpoint with what it knows after a while."""
    config = Config(serve=ServeSettings(transports={"google": "mx-google"}))
    core = Core(config, clock=Clock())
    resolve = partial(resolve_mx, resolver=dns_server(kind))
    settings = replace(LookupSettings(), size=10_000)
    core.lookup = MxLookup(core.receivers, time.time, settings, resolve)
    now = time.time()
    for number in range(DOMAINS):
        core.receivers.learn(f"d{number}.test", f"mx1.{home(f'd{number}.test')}", now)
    CHORES.append(lambda: core.controller.due(time.time()))
    WARM.append(lambda: warm(core))
    core.controller.pin(SUSPENDED, "suspended", 3600.0, now)
    if protocol == "p":
        return PolicyEndpoint(core.policy, clock=time.time).protocol
    return SocketmapEndpoint(core.maps, clock=time.time).protocol


async def warm(core: Core) -> None:
    """The domains that are known have been looked up in quieter times."""
    await asyncio.gather(*(core.lookup.look_up(f"d{number}.test") for number in range(DOMAINS)))


async def main(kind: str, address: str, protocol: str) -> None:
    factory = bare(kind) if kind.startswith("bare") else mxheed(kind, protocol)
    for prepare in WARM:
        await prepare()
    loop = asyncio.get_running_loop()
    listener = open_socket(parse(address))
    await loop.create_server(factory, sock=listener, backlog=BACKLOG)
    gc.collect()
    gc.freeze()  # as the daemon does: what is there at the start stays
    while True:  # what the release does beside the answers
        await asyncio.sleep(0.05)
        for chores in CHORES:
            chores()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[4])})
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
