"""A DNS server for `bench.serve_server`: every domain has one mail exchanger, after a while.

`python -m bench.serve_dns USUAL SELDOM` listens on a free UDP port of 127.0.0.1, prints it, and
answers MX questions: for d0.test, d1.test… at once, behind 50 receivers; for other names after
USUAL seconds, for one in fifty of them after SELDOM.
Failure: what is no question ends it with a traceback.
"""

from __future__ import annotations

import asyncio
import os
import sys

import dns.message
import dns.rrset

from bench.serve_bench import CLIENT_CORE

RECEIVERS = 50


def home(domain: str) -> str:
    """Where the mail for d0.test, d1.test… goes."""
    return f"host{int(domain[1:].partition('.')[0]) % RECEIVERS}.test"


class Server(asyncio.DatagramProtocol):
    """Answers by the name asked for."""

    def __init__(self, usual: float, seldom: float) -> None:
        self.delays = (usual, seldom)
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name
        asked = name.to_text()
        answer = dns.message.make_response(question)
        if asked.endswith(".test."):
            host, delay = f"mx1.{home(asked)}.", 0.0
        else:
            self.asked += 1
            host, delay = f"mx.{asked}", self.delays[self.asked % 50 == 0]
        answer.answer.append(dns.rrset.from_text(name, 3600, "IN", "MX", f"10 {host}"))
        loop = asyncio.get_running_loop()
        loop.call_later(delay, self.transport.sendto, answer.to_wire(), peer)  # type: ignore[attr-defined]


async def main(usual: float, seldom: float) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Server(usual, seldom), local_addr=("127.0.0.1", 0)
    )
    print(transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.sched_setaffinity(0, {CLIENT_CORE})
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2])))
