"""Where a sender's domain is blamed, the gate knows who asks before it answers, or waits."""

from __future__ import annotations

import pytest

from policyd.hooks.mxgate import DROP, KEEP
from policyd.serve.later import Later
from policyd.throttle import Lane
from tests.policyd.test_gate import NOW, Door, Session, a, mx

BULK = "bulk.example"
BIG = Lane("", "mx:big.test")


class Watched(Door):
    """A gate whose receiver blames one sender's domain and stops it; the agents can be seen."""

    def __init__(self) -> None:
        self.files: dict[int, str] = {}
        super().__init__(tokens=100, whose=lambda session: self.files.get(id(session)))
        self.controller.cancel(BIG.receiver, self.now)
        own = self.controller.senders.blamed(self.lane, BULK, self.now)
        assert own is not None
        own.pin("suspended", self.now + 3600, None, self.now)
        self.told: dict[int, bytes] = {}

    def comes(self, inode: int) -> Session:
        """A delivery agent with this queue file asks; what it is told is in `told`."""
        agent = Session()
        self.files[id(agent)] = f"00:1:{inode}"
        self.gate.ask(mx("d1.test").encode(), agent)
        answer = self.gate.ask(a().encode(), agent)
        if isinstance(answer, Later):
            answer.then(lambda late: self.told.__setitem__(inode, late))
        else:
            self.told[inode] = answer
        return agent

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.controller.door.tend(self.now)

    def log(self, inode: int, sender: str) -> None:
        """The queue manager's line is read."""
        self.controller.note_sender(f"0ABCD{inode:X}", sender, self.now)


@pytest.mark.parametrize(("sender", "answer"), [(BULK, DROP), ("fine.example", KEEP), ("", KEEP)])
def test_who_is_known_is_answered_at_once(sender: str, answer: bytes) -> None:
    """The blamed domain is held, the others go; so does a bounce, which nobody sent."""
    door = Watched()
    door.log(7, sender)
    door.comes(7)
    assert door.told == {7: answer}


@pytest.mark.parametrize(("sender", "answer"), [(BULK, DROP), ("fine.example", KEEP)])
def test_who_is_told_soon_is_waited_for(sender: str, answer: bytes) -> None:
    """The answer comes with the line that names the message."""
    door = Watched()
    looks: list[float] = []
    door.controller.door.soon.hurry = lambda: looks.append(door.now)
    door.comes(7)
    door.later(0.1)
    assert door.told == {}
    assert looks == [NOW]  # the log is read at once
    door.log(7, sender)
    door.later(0.03)
    assert door.told == {7: answer}


def test_who_stays_unknown_goes_as_all_mail_does() -> None:
    """After half a second: no guess, and no hold."""
    door = Watched()
    door.comes(7)
    for _ in range(30):
        door.later(0.02)
    assert door.told == {7: KEEP}


def test_who_goes_away_meanwhile_takes_no_place() -> None:
    """A client that closes its connection begins no attempt."""
    door = Watched()
    agent = door.comes(7)
    door.gate.closed(agent)
    door.log(7, "fine.example")
    door.later(1.0)
    assert door.told == {}
    assert door.lane.window.open == 0


def test_a_queue_file_that_is_used_again_is_not_taken_for_the_message_before() -> None:
    """One is accepted, its file is another's at once, and the log is read later."""
    door = Watched()
    door.log(7, "fine.example")
    agent = door.comes(7)
    assert door.told == {7: KEEP}
    door.gate.told(agent)
    door.gate.accepted(agent)
    door.told.clear()
    door.comes(7)
    assert door.told == {}  # it waits for its own line
    door.controller.removed("0ABCD7")
    door.controller.note_sender("0BBBB7", BULK, door.now)
    door.later(0.03)
    assert door.told == {7: DROP}


def test_when_mxheed_steps_aside_nobody_waits_for_a_name() -> None:
    """`mxheed off`, and the daemon's end, let everybody in."""
    door = Watched()
    door.comes(7)
    door.controller.retire(door.now)
    assert door.told == {7: KEEP}


def test_without_blame_nobody_is_looked_at() -> None:
    """A receiver that blames no sender costs no look."""
    door = Watched()
    own = door.controller.senders.of(BIG, BULK)
    assert own is not None
    door.controller.senders.forget(own)
    door.files = {}
    door.comes(7)
    assert door.told == {7: KEEP}
