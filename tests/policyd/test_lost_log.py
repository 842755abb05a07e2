"""A daemon whose log is lost: what it answers, lets go and says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policyd.config import Config
from policyd.core import prepare
from policyd.daemon import Daemon
from policyd.reading.sources import PLAYED, Chosen, SampleDay, choose
from policyd.receiver.lookup import LookupSettings
from policyd.serve.session import Session
from policyd.serve.turns import finish
from tests.policyd.clocks import Times
from tests.policyd.test_daemon import SENT, lines
from tests.policyd.throttle_parts import evidence

CONFIG = Config(lookup=LookupSettings(enabled=False))
GOOGLE = b"gmail-smtp-in.l.google.com. 60 IN A 192.0.2.26"
HOLD, GO = b"OK IGNORE", b"NOTFOUND "


class Scene:
    """A daemon that holds mail for Google, with one message in its book."""

    def __init__(self, folder: Path) -> None:
        self.times = Times()
        clock = self.times.clock()
        self.log = folder / "mail.log"
        self.log.write_text(lines(SENT, 3))
        chosen = choose((str(self.log),), clock=clock)
        self.daemon = Daemon(CONFIG, None, folder / "state.db", chosen, clock)
        self.daemon.core.controller.pin("google", "suspended", 7200.0, clock())
        held = evidence("held", queue_id="AAAA1", domain="d1.example", receiver="google",
                        time=clock(), arrived=clock())  # fmt: skip
        self.daemon.core.controller.observe(held, clock())

    def read(self) -> None:
        """What the follower does: read, and report how that went."""
        source = self.daemon.follower.source
        while (block := source.read()) is not None:
            self.daemon.follower._take(block)
        self.daemon.follower.opened = self.daemon.follower.trouble is None
        self.daemon.tick()

    def ask(self, question: bytes = GOOGLE, session: Session | None = None) -> object:
        return self.daemon.hooks.maps["mx"](question, session or Session(), "")

    def lose(self) -> None:
        """The log, for longer than we are patient."""
        self.log.unlink()
        for seconds in (1.0, 301.0):
            self.times.go(seconds)
            self.read()

    def off(self) -> None:
        self.daemon.core.controller.retire(self.daemon.clock())

    def reload(self) -> None:
        self.daemon.core.reload(prepare(CONFIG, None))
        self.daemon.core.controller.cancel("google", self.daemon.clock())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    found = Scene(tmp_path)
    yield found
    found.daemon.store.close()
    found.daemon.follower.source.close()


def test_a_lost_log_opens_the_lanes_after_five_minutes_and_closes_them_when_it_is_back(
    scene: Scene,
) -> None:
    """Held mail is let go, everything is answered safely, and it is said; then all is as before."""
    daemon = scene.daemon
    assert scene.ask() == GO  # nothing was read yet
    scene.read()
    assert scene.ask() == HOLD
    assert daemon._troubles() == {}
    scene.log.unlink()
    scene.times.go(1.0)
    scene.read()
    assert "there is no such file now: lanes keep their state" in daemon._troubles()["log"]
    scene.times.go(298.0)
    scene.read()
    assert scene.ask() == HOLD
    assert daemon.core.controller.due(daemon.clock()) == []
    scene.times.go(3.0)
    scene.read()
    assert scene.ask() == GO
    assert finish(daemon._page()).safe == daemon._troubles()["log"]
    assert "every hook gives its safe answer" in finish(daemon._page()).safe
    due = daemon.core.controller.due(daemon.clock())
    assert [(release.queue_id, release.why) for release in due] == [("AAAA1", "off")]
    scene.log.write_text(lines(SENT, 3))
    scene.times.go(1.0)
    scene.read()
    assert scene.ask() == HOLD
    assert (daemon._troubles(), finish(daemon._page()).safe) == ({}, "")


MIDDLE: dict[str, Callable[[Scene], None]] = {
    "lost": Scene.lose,
    "off": Scene.off,
    "reload": Scene.reload,
}


@pytest.mark.parametrize("how", MIDDLE)
def test_an_attempt_that_is_being_held_is_held_to_its_end(scene: Scene, how: str) -> None:
    """Whatever opens the lanes between two of its hosts: it must not go to the worse one."""
    scene.read()
    agent, domain = Session(), b"held.example. 60 IN MX "
    exchangers = (b"10 gmail-smtp-in.l.google.com.", b"20 mx.backup.example.")
    asked = [scene.ask(domain + exchanger, agent) for exchanger in exchangers]
    assert [*asked, scene.ask(GOOGLE, agent)] == [GO, GO, HOLD]
    MIDDLE[how](scene)
    backup = b"mx.backup.example. 60 IN A 192.0.2.27"
    assert scene.ask(backup, agent) == HOLD
    assert [scene.ask(domain + exchanger, agent) for exchanger in exchangers] == [GO, GO]
    assert [scene.ask(host, agent) for host in (GOOGLE, backup)] == [GO, GO]


@pytest.mark.parametrize(
    ("why", "trouble"),
    [
        ("there is no mail log here", f"{PLAYED} (there is no mail log here)"),
        ("as asked", None),
    ],
)
def test_who_has_no_log_of_his_own_hears_of_it_on_healthz(
    tmp_path: Path, why: str, trouble: str | None
) -> None:
    """A sample that nobody asked for is a trouble; one that was asked for is not."""
    clock = Times().clock()
    chosen = Chosen("sample", "the sample day", why, lambda _: SampleDay(clock))
    daemon = Daemon(CONFIG, None, tmp_path / "state.db", chosen, clock)
    assert daemon._troubles().get("log") == trouble
    assert finish(daemon._page()).safe == PLAYED
    daemon.store.close()
