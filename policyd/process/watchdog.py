"""Tell systemd that the daemon is ready, alive, or about to stop.

Contract: `Notifier.from_environment` reads NOTIFY_SOCKET and WATCHDOG_USEC; without them every
method does nothing. `watch` runs in the event loop that answers Postfix: when the loop hangs, the
pings stop, and systemd ends the process. The protocol is one datagram, which is why no library is
used: the usual one (sdnotify) has not been released since 2017.
Failure: a message that cannot be sent is dropped; systemd then decides as if it had not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping

__all__ = ["Notifier"]


class Notifier:
    """The way to the service manager; an empty address means there is none."""

    def __init__(self, address: str = "", interval: float | None = None) -> None:
        # an abstract socket is written with "@" in the variable
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.interval = interval

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], pid: int) -> Notifier:
        """What systemd asks of this process; pings three times as often as it must."""
        interval = None
        limit = environ.get("WATCHDOG_USEC", "")
        if limit.isdecimal() and environ.get("WATCHDOG_PID", str(pid)) == str(pid):
            interval = int(limit) / 3_000_000
        return cls(environ.get("NOTIFY_SOCKET", ""), interval)

    def send(self, message: str) -> None:
        """Send one notification."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way,
        ):
            way.setblocking(False)  # a service manager that does not read must not stop us
            way.sendto(message.encode(), self._address)

    def ready(self, status: str = "") -> None:
        """The sockets answer."""
        self.send("READY=1\nSTATUS=" + status.replace("\n", " "))

    def stopping(self) -> None:
        """The daemon is about to end by its own will."""
        self.send("STOPPING=1")

    async def watch(self) -> None:
        """Ping for as long as the task lives; returns at once when nobody wants pings."""
        while self.interval:
            self.send("WATCHDOG=1")
            await asyncio.sleep(self.interval)
