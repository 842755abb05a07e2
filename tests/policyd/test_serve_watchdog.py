"""What the daemon tells systemd, seen through a real notification socket."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from policyd.process.watchdog import Notifier


def listener(address: str) -> socket.socket:
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    own.bind(address)
    own.settimeout(10)
    return own


def test_ready_and_stopping_are_told(tmp_path: Path) -> None:
    """The service manager hears both, and a status on one line."""
    place = str(tmp_path / "notify")
    with listener(place) as manager:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": place}, 7)
        notifier.ready("following\n/var/log/mail.log")
        notifier.stopping()
        told = [manager.recv(1000), manager.recv(1000)]
    assert told == [b"READY=1\nSTATUS=following /var/log/mail.log", b"STOPPING=1"]


def test_an_abstract_address_is_understood() -> None:
    """systemd may use a socket without a file: its name begins with @."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(b"")  # the kernel chooses an abstract name
        manager.settimeout(10)
        name = manager.getsockname()
        address = "@" + (name if isinstance(name, str) else name.decode())[1:]
        Notifier(address).send("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_pings_come_from_the_event_loop(tmp_path: Path) -> None:
    """Three pings in the time systemd allows; a loop that hangs sends none."""
    place = str(tmp_path / "notify")
    notifier = Notifier.from_environment(
        {"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": "7"}, 7
    )
    assert notifier.interval == pytest.approx(0.01)

    async def some() -> list[bytes]:
        manager = listener(place)
        watching = asyncio.create_task(notifier.watch())
        told = [await asyncio.to_thread(manager.recv, 100) for _ in range(3)]
        watching.cancel()
        manager.close()
        return told

    assert asyncio.run(some()) == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "8"}],
)
def test_nobody_is_pinged_who_did_not_ask(environ: dict[str, str]) -> None:
    """Without a watchdog for this process the task ends at once and nothing is sent."""
    notifier = Notifier.from_environment(environ, 7)
    asyncio.run(notifier.watch())
    notifier.ready()
    assert notifier.interval is None


def test_a_manager_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    """A notification nobody takes is dropped."""
    Notifier(str(tmp_path / "nobody")).send("READY=1")
