"""The shipped units under a real systemd, as they are shipped: the whole sandbox is in force.

One machine is booted; Postfix beside it sends to a receiver that takes everything. What must never
happen is said by every test: nothing that was held may be stranded.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.machine import PROGRAM, UNITS, Machine
from tests.lab.namespace import REPOSITORY
from tests.patience import stretched

pytestmark = pytest.mark.live

RECEIVER = "mx:fine.test"
SERVICES = ("mxheed.service", "mxheed-bypass.service")
# how the unit was before it could let anything go
WITHOUT_NETLINK = """\
[Service]
RestrictAddressFamilies=
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
"""


class World:
    """The machine, its Postfix and the one receiver."""

    def __init__(self, lab: Lab, machine: Machine) -> None:
        self.lab, self.machine = lab, machine
        self.fine = lab.receiver("fine")
        self._sent = 0
        self.send(1)

    def send(self, count: int, *, held: bool = False) -> None:
        """Submit mail and wait until it is delivered, or held."""
        before = len(self.lab.postfix.deliveries("deferred"))
        names = [f"u{self._sent + number}@d0.fine.test" for number in range(count)]
        assert self.lab.submit(names) == {"250": count}
        self._sent += count
        if held:
            self.until(
                lambda: len(self.lab.postfix.deliveries("deferred")) >= before + count, "it is held"
            )
        else:
            self.until(self.all_arrived, "mail flows")

    def hold(self, count: int = 5) -> None:
        """Mail that is held."""
        assert self.machine.mxheed("throttle", "pin", RECEIVER, "suspended").code == 0
        self.send(count, held=True)

    def let_go(self) -> None:
        """The receiver is free again: everything arrives before Postfix would try it."""
        assert self.machine.mxheed("throttle", "cancel", RECEIVER).code == 0
        self.until(self.all_arrived, "what was held arrives", 15)
        assert self.lab.postfix.deliveries("bounced") == []

    def all_arrived(self) -> bool:
        return len(self.fine.taken()) == self._sent and not self.lab.postfix.queue()

    def until(self, condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        self.lab.until(condition, what, seconds)

    def active(self, unit: str = "mxheed.service") -> bool:
        return self.machine.show(unit) == "active"

    def doctor(self) -> list[str]:
        """What the doctor finds wrong with releasing."""
        told = self.machine.mxheed("doctor", "--config", "/etc/mxheed/mxheed.yaml").out
        return [line.strip() for line in told.splitlines() if "let held messages go" in line]

    def said(self) -> str:
        """What the services said."""
        return (self.lab.directory / "log" / "services.out").read_text()


def wheel(folder: Path, version: str) -> Path:
    """This checkout as a package of that version, built away from it."""
    folder.mkdir()
    for name in ("rules", "logparse", "policyd"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("README.md", "LICENSE", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    settings = (REPOSITORY / "setup.cfg").read_text()
    (folder / "setup.cfg").write_text(
        re.sub(r"^version = .*", f"version = {version}", settings, count=1, flags=re.M)
    )
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=folder, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A machine on which mxheed was installed by the README's commands."""
    assert Path("/lib/systemd/systemd").exists(), "install systemd"
    with Lab("debian") as lab:
        lab.configure()
        lab.postfix.start()
        machine = Machine(lab)
        machine.program(wheel(tmp_path_factory.mktemp("wheels") / "one", "1.0"))
        machine.configure()
        machine.install()
        yield World(lab, machine)
        machine.stop()


def test_the_units_are_the_shipped_ones_and_their_sandbox_is_in_force(world: World) -> None:
    """No line is taken away; systemd has no complaint; the exposure is at most 2.0 of 10."""
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.socket")):
        assert (world.machine.units / unit.name).read_bytes() == unit.read_bytes()
    pid = world.machine.show("mxheed.service", "MainPID")
    status = world.machine.check("cat", f"/proc/{pid}/status")
    for line in ("Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"):
        assert line in status
    told = world.machine.run("systemd-analyze", "verify", *SERVICES)
    assert (told.code, told.out, told.err) == (0, "", "")
    for unit in SERVICES:
        told = world.machine.run(
            "systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=20",
            f"/etc/systemd/system/{unit}",
        )  # fmt: skip
        assert told.code == 0, told.out[-200:]


def test_what_is_held_is_let_go(world: World) -> None:
    """From inside the whole sandbox: the doctor says it works, without a process, and it does."""
    (found,) = world.doctor()
    assert found.startswith("fine")
    assert found.endswith("by flush(8) itself")
    world.hold()
    world.let_go()
    way = re.search(r'requests_total{way="flush"} (\d+)', world.machine.metrics())
    assert way is not None
    assert int(way[1]) > 0


def test_postfixs_configuration_is_read_from_inside_the_sandbox(world: World) -> None:
    """At start, and when it was changed, within seconds and without a word of ours."""
    assert (
        "Postfix: the status filter tells for the default one; relays behind the first: none"
        in (world.said())
    )
    world.lab.postfix.set("smtp_fallback_relay = [b.fall.test]:587\n")
    world.until(lambda: "behind the first: b.fall.test." in world.said(), "the change is seen")
    world.lab.postfix.set("smtp_fallback_relay =\n")


def test_killed_hung_or_broken_each_question_is_answered_within_five_seconds(world: World) -> None:
    """And what was held before is let go after: by the daemon, which comes back by itself."""
    machine = world.machine
    machine.drop_in("mxheed-bypass.service", "[Service]\nRuntimeMaxSec=1\n")
    machine.check("systemctl", "reset-failed", "mxheed.service")  # the starts of other tests
    world.hold()
    for signal in ("KILL", "STOP"):
        machine.signal(signal)
        answer, waited = machine.ask()
        assert (answer, waited < stretched(5.0)) == (1, True), waited
        world.until(world.active, "it was started again")
    broken = world.lab.directory / "etc" / "mxheed" / "mxheed.yaml"
    good = broken.read_text()
    broken.write_text("nonsense: 1\n")
    machine.signal("KILL")
    answer, waited = machine.ask()
    assert (answer, waited < stretched(5.0)) == (1, True), waited
    world.until(lambda: world.active("mxheed-bypass.service"), "the bypass answers")
    assert machine.show("mxheed.service") == "failed"
    broken.write_text(good)
    world.until(world.active, "the mended daemon takes its sockets back")
    assert not world.active("mxheed-bypass.service")
    world.let_go()


def test_neither_a_stop_nor_an_upgrade_strands_anything(world: World, tmp_path: Path) -> None:
    """The sockets stay: the next question starts the daemon, the new version as the old one."""
    world.hold()
    world.machine.check("systemctl", "stop", "mxheed.service")
    world.machine.program(wheel(tmp_path / "two", "2.0"))
    assert world.machine.ask()[0] == 1
    version = 'mxheed_build_info{version="2.0"} 1'
    world.until(lambda: version in world.machine.metrics(), "the new one runs")
    world.let_go()


def test_a_configuration_with_mistakes_makes_the_reload_fail(world: World) -> None:
    """`systemctl reload` tells so by its exit code; the daemon goes on as before."""
    file = world.lab.directory / "etc" / "mxheed" / "mxheed.yaml"
    good = file.read_text()
    file.write_text("pacing: {nonsense: 1}\n")
    try:
        ran = world.machine.run("systemctl", "reload", "mxheed.service")
        assert (ran.code, world.active()) == (1, True)
        assert "newest file has mistakes" in world.machine.healthz()[1]
        said = (world.lab.directory / "log" / "services.out").read_text()
        assert f"{file.name}:1:10: " in said.rpartition("the old one stays")[2]
    finally:
        file.write_text(good)
    assert world.machine.run("systemctl", "reload", "mxheed.service").code == 0
    assert world.machine.healthz()[0] == 200
    world.send(1)


def test_a_hand_that_cannot_reach_the_queue_is_told_everywhere(world: World) -> None:
    """/healthz, metric, doctor and `off` say what is wrong; mended, all of it goes."""
    machine = world.machine
    world.hold()
    machine.drop_in("mxheed.service", WITHOUT_NETLINK)
    machine.check("systemctl", "restart", "mxheed.service")
    try:
        world.until(lambda: "AF_NETLINK" in machine.healthz()[1], "it is a trouble")
        assert machine.healthz()[0] == 503
        world.until(lambda: "mxheed_release_working 0" in machine.metrics(), "it is a metric")
        (found,) = world.doctor()
        assert found.startswith("wrong")
        assert "AF_NETLINK" in found
        ran = machine.mxheed("off")
        assert ran.code == 1
        assert "what is held cannot be let go" in ran.err
        assert "AF_NETLINK" in ran.err
    finally:
        machine.drop_in("mxheed.service", "")
        machine.check("systemctl", "restart", "mxheed.service")
    machine.mxheed("on")
    world.let_go()
    assert machine.healthz()[0] == 200


def test_uninstalling_by_the_readme_strands_nothing(world: World) -> None:
    """Everything that was held arrives, and Postfix goes on as if mxheed had never been there."""
    world.hold()
    text = (UNITS / "README.md").read_text()
    block = re.search(r"^    mxheed off\n(?:    .*\n)+", text, re.M)
    assert block is not None
    off, *rest = (line.strip() for line in block[0].splitlines())
    world.machine.check("bash", "-c", f"{Path(PROGRAM).parent}/{off}")
    world.until(world.all_arrived, "all is let go")
    for line in rest:  # Postfix runs beside the machine, in the lab
        run = world.lab.check if line.startswith("post") else world.machine.check
        run("bash", "-c", line)
    assert world.machine.run("ps", "-C", "mxheed").out.count("\n") == 1
    assert [path for path in world.machine.units.glob("mxheed*") if path.is_file()] == []
    world.send(3)
