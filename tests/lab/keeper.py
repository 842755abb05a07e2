"""A stand-in for systemd: does for mxheed what contrib/systemd's units say, in a few lines.

Contract: `python -m tests.lab.keeper USER COMMAND…` holds the two hook sockets, starts the command
with them (LISTEN_FDS, NOTIFY_SOCKET, WATCHDOG_USEC), ends it by SIGKILL when its watchdog is silent
for 2 s, starts it again 0.1 s after a signal ended it, and `mxheed bypass` in its place when it
ended with an error, or after five starts within 20 s. Each step is a line on standard output.
Failure: none of its own; it lives as long as the lab.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path

from .namespace import ENVIRONMENT, PYTHON

__all__ = ["main"]

SOCKETS = {"socketmap": 3, "policy": 4}  # name → descriptor; SD_LISTEN_FDS_START is 3
DIRECTORY = Path("/var/spool/postfix/mxheed")
NOTIFY = "/run/keeper.notify"
WATCHDOG = 2.0
BURST, INTERVAL, PAUSE = 5, 20.0, 0.1

# systemd sets these for the process it starts; only that process knows its number
_AS_STARTED = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'


class Keeper:
    """Keeps one service going."""

    def __init__(self, user: str, command: list[str]) -> None:
        self._user = user
        self._command = command
        self._heard = 0.0
        self._starts: deque[float] = deque(maxlen=BURST)

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.bind(NOTIFY)
        ear.setblocking(False)
        os.chmod(NOTIFY, 0o666)
        loop.add_reader(ear.fileno(), self._hear, ear)
        while True:
            now = time.monotonic()
            self._starts.append(now)
            self._heard = 0.0
            service = await self._start(self._command)
            print(f"started {service.pid}", flush=True)
            watching = asyncio.create_task(self._watch(service))
            code = await service.wait()
            watching.cancel()
            print(f"ended with {code}", flush=True)
            often = len(self._starts) == BURST and time.monotonic() - self._starts[0] < INTERVAL
            if code > 0 or often:
                await (await self._start([PYTHON, "-m", "policyd.cli", "bypass"])).wait()
            await asyncio.sleep(PAUSE)

    def _hear(self, ear: socket.socket) -> None:
        text = ear.recv(4096)
        if b"READY=1" in text or b"WATCHDOG=1" in text:
            self._heard = time.monotonic()

    async def _watch(self, service: asyncio.subprocess.Process) -> None:
        while True:
            await asyncio.sleep(0.05)
            if self._heard and time.monotonic() - self._heard > WATCHDOG:
                print("watchdog", flush=True)
                service.send_signal(signal.SIGKILL)
                return

    async def _start(self, command: list[str]) -> asyncio.subprocess.Process:
        environment = os.environ | ENVIRONMENT
        environment |= {
            "LISTEN_FDS": str(len(SOCKETS)),
            "LISTEN_FDNAMES": ":".join(SOCKETS),
            "NOTIFY_SOCKET": NOTIFY,
            "WATCHDOG_USEC": str(int(WATCHDOG * 1_000_000)),
            "HOME": "/var/lib/mxheed",
        }
        who = ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--init-groups", "--"]
        return await asyncio.create_subprocess_exec(
            *("bash", "-c", _AS_STARTED, "bash", *who, *command),
            env=environment,
            pass_fds=tuple(SOCKETS.values()),
        )


def _listen() -> None:
    """Open the sockets at the descriptors that the service expects."""
    for name, descriptor in SOCKETS.items():
        path = DIRECTORY / name
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o660)
        shutil.chown(path, group="postfix")
        listener.listen(4096)
        taken = listener.detach()
        if taken != descriptor:
            os.dup2(taken, descriptor)
            os.close(taken)
        os.set_inheritable(descriptor, True)


def main() -> None:
    """Open the sockets, keep the service."""
    _listen()
    asyncio.run(Keeper(sys.argv[1], sys.argv[2:]).run())


if __name__ == "__main__":
    main()
