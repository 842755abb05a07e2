"""One delivery agent, message after message: who is held is held alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.live.next_hops import furnish, hold, know_pools, let_go, listed
from tests.live.test_next_hops import CONFIG, WIRINGS, wire

pytestmark = pytest.mark.live

USUAL = {
    "b@plain": "deferred",
    "b@free": "sent by a.free.test",
    "b@several": "deferred",
    "b@free-we-are-backup": "sent by a.free.test",
    "b@foreign-backup": "deferred",
    "alice@lab.test": "sent by local",
}


@pytest.fixture(scope="module")
def world(_debian_lab: Lab) -> Iterator[Lab]:
    """The lab with all names published; Postfix is wired, and mxheed started, by each test."""
    lab = _debian_lab
    furnish(lab)
    yield lab
    lab.configure()
    lab.reset()
    lab.postfix.restart()


def one_agent(lab: Lab) -> None:
    """Let a single smtp(8) make all attempts."""
    path = lab.directory / "postfix" / "master.cf"
    service = re.compile(r"^((?:smtp|pool2)\s+unix(?:\s+\S+){4}\s+)-(\s+smtp)$", re.M)
    text, found = service.subn(r"\g<1>1\2", path.read_text())
    assert found, text
    path.write_text(text)
    lab.postfix.restart()


@pytest.mark.parametrize("name", WIRINGS)
def test_a_message_is_held_for_its_held_recipients_only(world: Lab, name: str) -> None:
    """Its other recipients are delivered at once, by the same delivery agent, in each wiring."""
    wire(world, WIRINGS[name])
    one_agent(world)
    world.mxheed.stop()
    world.mxheed.start(CONFIG)  # it must not know a status filter from another wiring
    know_pools(world)
    hold(world)
    assert world.submit([list(USUAL)] * 3) == {"250": 3}
    world.until(lambda: listed(world).keys() >= USUAL.keys(), "all have been tried")
    assert listed(world) == USUAL
    let_go(world)
    world.until(lambda: not world.postfix.queue(), "nothing is left", 60)
