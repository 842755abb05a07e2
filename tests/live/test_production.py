"""docs/production.md, followed to the letter: its commands run in its order, on a booted machine.

The package index is played by what the tests themselves have installed; all else is real: venv and
pip, the wheel, systemd with the shipped sandbox, Postfix, a receiver for example.org.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.lab.lab import Ran, ReceiverView
from tests.lab.machine import Machine
from tests.lab.namespace import ENVIRONMENT, PYTHON, REPOSITORY
from tests.lab.postfix import START

pytestmark = pytest.mark.live

PAGE = REPOSITORY / "docs" / "production.md"
SOURCE = ("rules", "logparse", "policyd", "contrib", "README.md", "LICENSE", "pyproject.toml",
          "setup.cfg")  # fmt: skip
# what a package index would give is there already; pip is told to ask none
INDEX = {
    "LD_LIBRARY_PATH": ENVIRONMENT["LD_LIBRARY_PATH"],
    "PYTHONPATH": "/srv/packages",
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}
# an environment as `python3 -m venv` makes it, with the pip that is there already: that is quicker
PYTHON3 = f"""\
#!/bin/sh
set -e
[ "$1 $2" = "-m venv" ]
{PYTHON} -m venv --without-pip "$3"
printf '#!/bin/sh\\nexec %s/bin/python -m pip "$@"\\n' "$3" >"$3/bin/pip"
chmod 755 "$3/bin/pip"
echo /srv/packages > "$(echo "$3"/lib/python3*/site-packages)"/index.pth
"""


def blocks() -> dict[str, list[str]]:
    """The commands of each section, those left out that say so."""
    found: dict[str, list[str]] = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        title = section.partition("\n")[0]
        found[title] = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    return {title: texts for title, texts in found.items() if texts}


class World:
    """A machine with Postfix in it, on which nobody has installed anything yet."""

    def __init__(self, lab: Lab, machine: Machine) -> None:
        self.lab, self.machine = lab, machine
        self.receiver: ReceiverView = lab.receiver(
            "example", domains=["example.org"], mx="mx.example.org"
        )
        etc = lab.directory / "etc"
        for name in ("passwd", "group"):
            text = (etc / name).read_text()
            (etc / name).write_text(re.sub(r"^mxheed:.*\n|,?mxheed$", "", text, flags=re.M))
        self.folder = lab.directory / "root"
        (self.folder / "mxheed").mkdir(parents=True)
        for name in SOURCE:
            machine.check("cp", "-a", f"/srv/mxheed/{name}", f"{self.folder}/mxheed")
        machine.check("mount", "-t", "tmpfs", "none", "/usr/local/bin")
        machine.run("tee", "/usr/local/bin/python3", text=PYTHON3)
        machine.check("chmod", "755", "/usr/local/bin/python3")
        machine.check(*START)

    def follow(self, *commands: str) -> Ran:
        """Type commands, as root, in the folder that has the source; none may fail."""
        environment = [f"{name}={value}" for name, value in INDEX.items()]
        script = f"set -e; cd {self.folder}\n" + "\n".join(commands)
        ran = self.machine.run("env", *environment, "bash", "-c", script)
        assert ran.code == 0, f"{script}\n{ran.out}\n{ran.err}"
        return ran

    def section(self, title: str) -> list[Ran]:
        """Type all commands of a section."""
        return [self.follow(block) for block in blocks()[title]]

    def until(self, condition: object, what: str) -> None:
        self.lab.until(condition, what)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A lab whose Postfix runs inside the booted machine."""
    with Lab("debian") as lab:
        lab.postfix.configure()
        lab.postfix.start()
        lab.check("postfix", "stop")
        machine = Machine(lab)
        yield World(lab, machine)
        machine.stop()


def test_the_page_is_followed_from_nothing_to_nothing(world: World) -> None:
    """Installed, hooked in; held and let go; upgraded, gone back; uninstalled, nothing lost."""
    world.section("Install")
    [started] = world.section("Start")
    assert "written   /etc/systemd/system/mxheed.service" in started.out
    assert world.machine.show("mxheed.service") == "active"
    [hooked] = world.section("Hook it into Postfix")
    assert not re.search("^(wrong|unchecked)", hooked.out, re.M), hooked.out

    *before, cancel = blocks()["The first message"][0].splitlines()
    world.follow(*before[:-1])
    world.until(lambda: world.lab.postfix.deliveries("deferred"), "the message is held")
    assert re.search(r"mx:example\.org +suspended.* 1 ", world.follow(before[-1]).out)
    world.follow(cancel)
    world.until(lambda: world.receiver.taken() == ["postmaster@example.org"], "it is let go")

    world.section("Watch it")
    world.follow(*before[:-1])
    world.until(lambda: len(world.lab.postfix.queue()) == 1, "another is held")
    [upgraded] = world.section("Upgrade")
    assert "as it is  /etc/systemd/system/mxheed.service" in upgraded.out
    world.section("Go back")
    assert "mx:example.org" in world.follow(before[-1]).out
    assert len(world.lab.postfix.queue()) == 1

    world.section("Step aside, uninstall")
    world.until(lambda: len(world.receiver.taken()) == 2, "nothing is stranded")
    assert world.lab.postfix.deliveries("bounced") == []
    world.follow(before[1])
    world.until(lambda: len(world.receiver.taken()) == 3, "mail flows without mxheed")
    assert world.machine.run("sh", "-c", "ls /usr/local/bin/mxheed /opt/mxheed").code != 0


def test_few_commands_lead_to_the_first_message() -> None:
    """As many as the page says."""
    found = blocks()
    way = [found["Install"][0], found["Start"][0], found["Hook it into Postfix"][0],
           found["The first message"][0]]  # fmt: skip
    lines = [line for block in way for line in block.splitlines()]
    assert len(lines) == 9
    assert "eight commands, as root, and one to read" in PAGE.read_text()


def test_every_command_of_the_page_is_known() -> None:
    """What is not run says so, in the words before it."""
    text = PAGE.read_text()
    assert set(re.findall(r"^```(\S.*)$", text, re.M)) == {"sh", "sh by-hand"}
    assert text.count("```sh by-hand") == 2
