"""Exim and the shipped units under a real systemd: held by the daemon, let go by the hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policyd.exim.lines import Wanted, gate
from tests.lab import Lab
from tests.lab.machine import Machine
from tests.live.test_systemd import wheel

pytestmark = [pytest.mark.live, pytest.mark.exim]

SOCKETS = ("mxheed-exim-hand.socket",)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Lab, Machine]]:
    """A machine with Exim on which mxheed was installed by the README's commands."""
    with Lab("debian") as lab:
        lab.exim.configure(gate(Wanted("/run/mxheed/exim", "/run/mxheed/alive")))
        lab.exim.start()
        lab.configure()
        lab.postfix.start()
        machine = Machine(lab)
        machine.program(wheel(tmp_path / "one", "1.0"))
        machine.configure({"log": {"path": ["/var/log/mail.log", "/var/log/exim4/mainlog"]}})
        machine.install()
        machine.check("systemctl", "enable", "--now", *SOCKETS)
        machine.check("systemctl", "restart", "mxheed.service")
        yield lab, machine
        machine.stop()


def test_the_shipped_units_hold_and_let_go(world: tuple[Lab, Machine]) -> None:
    """The daemon keeps its sandbox; the hand has Exim's rights; a stop of it ends no delivery."""
    lab, machine = world
    fine = lab.receiver("fine")
    assert lab.submit(["a@d0.fine.test"], host="127.0.0.2") == {"250": 1}
    lab.until(fine.taken, "mail flows")
    assert machine.mxheed("throttle", "pin", "mx:fine.test", "suspended").code == 0
    assert lab.submit(["b@d0.fine.test"], host="127.0.0.2") == {"250": 1}
    lab.until(lambda: lab.exim.lines("domain is held"), "it is held")
    assert machine.mxheed("throttle", "cancel", "mx:fine.test").code == 0
    lab.until(lambda: len(fine.taken()) == 2, "it is let go")
    pid = machine.show("mxheed-exim-hand.service", "MainPID")
    status = machine.check("cat", f"/proc/{pid}/status")
    assert "NoNewPrivs:\t0" in status
    assert "Uid:\t792" in status
    daemon = machine.check("cat", f"/proc/{machine.show('mxheed.service', 'MainPID')}/status")
    assert "NoNewPrivs:\t1" in daemon
    told = machine.mxheed("doctor", "--config", "/etc/mxheed/mxheed.yaml").out
    assert "hold_domains was expanded: it asks mxheed" in told
    assert "the daemon can let mail held in Exim's queue go (it tried)" in told
    machine.check("systemctl", "stop", "mxheed.service")
    assert lab.run("test", "-e", "/run/mxheed/alive").code == 1
    assert lab.submit(["c@d0.fine.test"], host="127.0.0.2") == {"250": 1}
    lab.until(lambda: len(fine.taken()) == 3, "mail flows without it")
