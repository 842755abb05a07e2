"""The responder of last resort: gives the safe answer to everything, so that mail flows unpaced.

Contract: standard library only, no configuration, no state. It takes the sockets over: those that
systemd passes, else the addresses on the command line, else the daemon's defaults. `NOTFOUND ` to
every socketmap question, `DUNNO` to every policy request. It says what it does on stdout. A unix
socket is taken even from a process that hangs; `--end-hung` ends that process (SIGKILL) if it has
declared itself an mxheed, which also frees the clients that wait for it and any TCP port it holds.
Failure: an address that cannot be opened, or that a healthy process answers, is named on stderr;
it goes on with the rest, and ends with code 1 if nothing is left to serve.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from policyd.errors import ListenError
from policyd.process.identity import declare, end
from policyd.serve.accept import Acceptor
from policyd.serve.endpoint import Endpoint
from policyd.serve.holder import QUESTIONS, described, holders, probe
from policyd.serve.listen import Address, inherited, open_socket, parse, remove
from policyd.serve.notfound import NothingFound
from policyd.serve.policy import DUNNO, PolicyEndpoint

__all__ = ["POLICY", "SOCKETMAP", "main"]

# what `ServeSettings` has, which is not imported: this must start when nothing else does
SOCKETMAP = "inet:127.0.0.1:9826"
POLICY = "inet:127.0.0.1:9827"

_HOOKS = ("socketmap", "policy")
_PATIENCE = 1.0


class _Taken(NamedTuple):
    """A socket that listens, and how to clean up after it."""

    hook: str
    listener: socket.socket
    where: str
    path: str = ""
    inode: int = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Answer until SIGTERM or Ctrl-C; returns the exit code."""
    wanted = _arguments(argv)
    declare()
    taken = _passed()
    for hook in _HOOKS:
        if any(already.hook == hook for already in taken):
            continue
        for text in getattr(wanted, hook):
            try:
                taken.append(_take(hook, parse(text), wanted))
            except ListenError as wrong:
                print(f"mxheed bypass: {wrong}", file=sys.stderr, flush=True)
    if not taken:
        return 1
    for hook, _, where, *_ in taken:
        answer = "NOTFOUND" if hook == "socketmap" else "DUNNO"
        print(f"mxheed bypass: {answer} to everything at {where}", flush=True)
    print("mxheed bypass: nothing is paced or held while this runs", flush=True)
    try:
        asyncio.run(_serve(taken))
    finally:
        for _, _, _, path, inode in taken:
            if path:
                remove(path, inode)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="mxheed bypass",
        description="Give the safe answer to everything Postfix asks, so that mail flows unpaced "
        "while the daemon cannot run. No configuration, no state.",
        epilog="ADDRESS is inet:HOST:PORT or unix:/path. Sockets passed by systemd go first.",
    )
    for hook, usual in (("socketmap", SOCKETMAP), ("policy", POLICY)):
        parser.add_argument(
            f"--{hook}", action="append", metavar="ADDRESS", help=f"default: {usual}"
        )
    parser.add_argument("--group", default="", help="group of the unix sockets, such as postfix")
    parser.add_argument(
        "--mode", type=_mode, default=0o660, help="their mode in octal (default: 0660)"
    )
    parser.add_argument(
        "--end-hung",
        action="store_true",
        help="end (SIGKILL) an mxheed that listens there and does not answer within a second",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="take a unix socket even from a process that answers"
    )
    wanted = parser.parse_args(argv)
    if wanted.socketmap is None and wanted.policy is None:
        wanted.socketmap, wanted.policy = [SOCKETMAP], [POLICY]
    wanted.socketmap, wanted.policy = wanted.socketmap or [], wanted.policy or []
    return wanted


def _mode(text: str) -> int:
    if not re.fullmatch("0?[0-7]{3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no mode; write three octal digits: 0660")
    return int(text, 8)


def _passed() -> list[_Taken]:
    passed = inherited(os.environ, os.getpid())
    return [
        _Taken(hook, listener, f"{listener.getsockname()}, passed by systemd")
        for hook in _HOOKS
        for listener in passed.get(hook, [])
    ]


def _take(hook: str, address: Address, wanted: argparse.Namespace) -> _Taken:
    finding = probe(address, QUESTIONS[hook], _PATIENCE)
    found = holders(address) if finding != "free" else []
    who = " and ".join(map(described, found)) or "a process that is not ours to see"
    if finding == "answers" and not wanted.anyway:
        raise ListenError(
            f"{address} is answered by {who}; `mxheed off` makes a running daemon step "
            "aside, --anyway takes its unix sockets"
        )
    ended = [pid for pid in found if end(pid)] if finding == "hung" and wanted.end_hung else []
    if ended:
        print(f"mxheed bypass: {address} hung, ended {who}", flush=True)
        _until_free(hook, address)
    elif finding == "hung":
        why = "not proven to be an mxheed of ours" if wanted.end_hung else "--end-hung"
        print(
            f"mxheed bypass: {address} hangs in {who}; its clients wait for it until it "
            f"is ended ({why}, or kill -9)",
            flush=True,
        )
    listener = open_socket(address, mode=wanted.mode, group=wanted.group, take_over=True)
    inode = os.stat(address.path).st_ino if address.path else 0
    return _Taken(hook, listener, str(address), address.path, inode)


def _until_free(hook: str, address: Address) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and probe(address, QUESTIONS[hook], 0.05) != "free":
        time.sleep(0.01)


async def _serve(taken: Sequence[_Taken]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    endpoints: dict[str, Endpoint[Any]] = {
        "socketmap": NothingFound(clock=time.monotonic),
        "policy": PolicyEndpoint(lambda request, session: DUNNO, clock=time.monotonic),
    }
    acceptors = [Acceptor(listener, endpoints[hook].protocol) for hook, listener, *_ in taken]
    await stop.wait()
    for acceptor in acceptors:
        acceptor.close()
    for endpoint in endpoints.values():
        endpoint.close()


if __name__ == "__main__":
    sys.exit(main())
