"""A sender's domain that a receiver blames is paced by itself; nobody else's mail is touched."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.throttle import Controller, Lane
from policyd.throttle.book.queueid import Locked
from policyd.throttle.lane.window import Attempt
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence

BULK = "bulk.example"
SAID = "450 4.7.1 Sender domain bulk.example exceeded its rate"
OWN = BIG.of_sender(BULK)
MINUTES = 60.0


class Post:
    """An MTA beside a controller: messages with queue files, and what becomes of them."""

    def __init__(self, **settings: Any) -> None:
        self.pacer = controller(**settings)
        self.now = NOW
        self.serial = count(1)

    def message(self, sender: str = BULK) -> tuple[str, int]:
        """One more message in the queue: its id and inode."""
        inode = 1000 + next(self.serial)
        queue_id = f"0ABCD{inode:X}"
        self.pacer.note_sender(queue_id, sender, self.now)
        return queue_id, inode

    def ask(self, inode: int | None, domain: str = "d1.test") -> Attempt | None:
        """The gate's question; `inode`: whose queue file the agent has locked, if it is seen."""
        seen = None if inode is None else Locked("00:1", inode)
        return self.pacer.admit(BIG, domain, self.now, patient=True, who=lambda: seen).attempt

    def told(self, queue_id: str, outcome: str, domain: str = "d1.test", **changes: Any) -> None:
        """The log line of an attempt."""
        if outcome == "deferred":
            changes = {"scope": "domain", "reply": SAID, "rule": "generic.rate-domain"} | changes
        line = evidence(
            outcome, queue_id=queue_id, time=self.now, domain=domain, recipient=f"a@{domain}",
            group=(queue_id, self.now), **changes,
        )  # fmt: skip
        self.pacer.observe(line, self.now)

    def send(
        self, outcome: str, sender: str = BULK, domain: str = "d1.test", **changes: Any
    ) -> str:
        """One message that asks, is let through, and ends so."""
        queue_id, inode = self.message(sender)
        assert self.ask(inode, domain) is not None
        self.told(queue_id, outcome, domain, **changes)
        return queue_id

    def wait(self, seconds: float) -> list[str]:
        """Time goes by; the messages that are let go in it."""
        gone, end = [], self.now + seconds
        while self.now < end:
            self.now += 0.05
            gone += [release.queue_id for release in self.pacer.due(self.now)]
        return gone

    @property
    def state(self) -> str:
        """How the blamed domain's lane stands."""
        own = self.pacer.senders.of(BIG, BULK)
        return own.advance(self.now) if own is not None else ""


def test_the_blamed_domain_is_held_and_nobody_else() -> None:
    """Its next message waits; other senders, and who cannot be seen, go as before."""
    post = Post()
    post.send("deferred")
    assert post.state == "suspended"
    assert post.pacer.peek(BIG, post.now) == "free"
    assert post.ask(post.message()[1]) is None
    assert post.ask(post.message("fine.example")[1]) is not None
    assert post.ask(None) is not None
    assert post.ask(99) is not None  # a queue file of which the log told nothing


def test_it_goes_on_at_the_rate_the_receiver_took_of_it() -> None:
    """Ten accepted, then refused: after the stop one probe, then a lane that is slowed."""
    post = Post()
    for number in range(10):
        post.send("sent", domain=f"d{number}.test")
        post.now += 0.05
    refused = [post.send("deferred")]
    held = []
    for _ in range(5):
        queue_id, inode = post.message()
        assert post.ask(inode) is None
        post.told(queue_id, "held")
        held.append(queue_id)
    assert post.wait(2.0) == []
    (probe,) = post.wait(4.0)  # for some seconds one to another domain would be preferred
    assert probe in refused + held
    assert post.ask(int(probe[5:], 16)) is not None
    post.told(probe, "sent")
    assert post.state == "slowed"
    left = set(refused + held) - {probe}
    for _ in range(15):
        for queue_id in post.wait(0.2):
            post.now += 0.5  # it was let go a little before its turn
            assert post.ask(int(queue_id[5:], 16)) is not None
            post.told(queue_id, "sent")
            left.remove(queue_id)
    assert not left
    own = post.pacer.senders.of(BIG, BULK)
    assert own is not None
    assert own.bucket is not None
    assert own.bucket.rate > 2  # nothing at all known would be 1


def test_an_echo_of_the_hold_keeps_no_other_sender_waiting() -> None:
    """Postfix suspends the destination of a held message: other mail for it is let go at once."""
    post = Post()
    post.send("deferred")
    blamed, inode = post.message()
    assert post.ask(inode) is None
    post.told(blamed, "held")
    echoed, _ = post.message("fine.example")
    post.told(echoed, "held")
    assert post.wait(0.5) == [echoed]


def test_what_waits_moves_with_its_sender() -> None:
    """A message that waited for the receiver waits for its sender's lane once that is blamed."""
    post = Post()
    early, inode = post.message()
    post.pacer.pin(BIG.receiver, "suspended", 10.0, post.now)
    assert post.ask(inode) is None
    post.told(early, "held")
    assert post.pacer.book.waiting(BIG) == 1
    post.pacer.cancel(BIG.receiver, post.now)
    post.send("deferred")
    post.told(early, "deferred")
    assert post.pacer.book.waiting(BIG) == 0
    assert post.pacer.book.waiting(OWN) == 2


def test_the_receivers_own_stop_holds_it_too_and_words_about_us_are_the_receivers() -> None:
    """What the blamed mail is told of our address stops the receiver's lane, as ever."""
    post = Post()
    post.send("deferred", retry_after=1.0)
    post.wait(1.1)
    queue_id, inode = post.message()
    assert post.ask(inode) is not None  # the probe
    post.told(queue_id, "deferred", scope="ip", stage="mail", reply="421 4.7.0 your address")
    assert post.pacer.peek(BIG, post.now) == "suspended"
    assert post.ask(post.message("fine.example")[1]) is None
    assert post.ask(post.message()[1]) is None


def test_only_what_the_log_tells_is_enough() -> None:
    """No agent can be seen: new mail passes, what was refused waits for the lane and goes."""
    post = Post()
    queue_id, _ = post.message()
    assert post.ask(None) is not None
    post.told(queue_id, "deferred")
    assert post.state == "suspended"
    assert post.wait(2.0) == []
    assert post.wait(1.0) == [queue_id]
    assert post.ask(None) is not None
    post.told(queue_id, "sent")
    assert post.state == "slowed"


def test_a_question_that_names_nobody_leaves_the_blame_to_the_log() -> None:
    """The status filter's question, without a queue id: the line behind it is judged."""
    post = Post()
    queue_id, inode = post.message()
    assert post.ask(inode) is not None
    lane = post.pacer.lane(BIG, post.now)
    attempt = lane.window._oldest[-1]
    nameless = evidence("deferred", source="status", scope="domain", reply=SAID, queue_id="")
    post.pacer.heard(nameless, lane, attempt, post.now)
    assert post.state == ""
    post.told(queue_id, "deferred")
    assert post.state == "suspended"


def test_a_question_that_names_the_sender_blames_it_at_once() -> None:
    """And its line is not judged again."""
    post = Post()
    queue_id, inode = post.message()
    assert post.ask(inode) is not None
    lane = post.pacer.lane(BIG, post.now)
    named = evidence("deferred", source="status", scope="domain", reply=SAID, sender=BULK)
    post.pacer.heard(named._replace(queue_id=""), lane, lane.window._oldest[-1], post.now)
    assert post.state == "suspended"
    post.told(queue_id, "deferred")
    own = post.pacer.senders.of(BIG, BULK)
    assert own is not None
    assert own.refused_total == 1


@pytest.mark.parametrize("count_", [1, 12])
def test_one_recipients_domain_cannot_blame_a_sender_for_all(count_: int) -> None:
    """Where the receiver has a history, a word of one mailbox slows only what it concerns."""
    post = Post()
    for number in range(400):
        post.send("sent", sender=(BULK, "fine.example")[number % 2], domain=f"d{number % 8}.test")
        post.now += 0.1
    for _ in range(count_):
        queue_id, inode = post.message()
        if post.ask(inode, "evil.test") is not None:  # else it waits by itself
            post.told(queue_id, "deferred", "evil.test", retry_after=14_400.0)
        post.now += 1.0
        post.send("sent", domain="d3.test")
    assert post.state == "free"
    assert post.ask(post.message()[1]) is not None


def test_it_goes_when_it_is_quiet() -> None:
    """Free again after the lane's own time, and forgotten a minute later, with nothing waiting."""
    post = Post(free_after=5 * MINUTES)
    refused = post.send("deferred")
    post.wait(3.0)
    assert post.ask(int(refused[5:], 16)) is not None
    post.told(refused, "sent")
    assert post.state == "slowed"
    post.now += 5 * MINUTES
    post.wait(2.0)
    assert post.state == "free"
    post.now += MINUTES
    post.wait(3.0)
    assert not post.pacer.senders


def test_very_many_domains_are_bounded() -> None:
    """Who finds no room for a lane waits by itself, as without lanes of senders."""
    post = Post()
    for number in range(150):
        queue_id, _ = post.message(f"s{number}.example")
        post.told(queue_id, "deferred")
        post.now += 0.01
    assert len(post.pacer.senders) == 100
    assert post.pacer.senders.left_out == 50
    assert post.pacer.blame.until(BIG, "s149.example") > post.now + 50
    assert post.pacer.blame.until(BIG, "s150.example") == 0.0


def test_a_restart_forgets_no_blame() -> None:
    """The lane comes back with its state, and what waits for it waits for it still."""
    post = Post()
    post.send("sent", domain="d2.test")
    refused = post.send("deferred", retry_after=100.0)
    saved = post.pacer.snapshot(post.now)
    again = Post()
    assert again.pacer.restore(saved, again.now) == 0
    assert again.state == "suspended"
    assert again.ask(again.message()[1]) is None
    assert again.ask(again.message("fine.example")[1]) is not None
    own, before = again.pacer.senders.of(BIG, BULK), post.pacer.senders.of(BIG, BULK)
    assert own is not None
    assert before is not None
    assert own.trouble.history.rows() == before.trouble.history.rows() != []
    assert again.wait(5.0) == []
    assert again.wait(10.0)[:1] == [refused]


def test_an_operator_frees_it_with_its_receiver() -> None:
    """`mxheed throttle cancel` forgets that trouble as well; `explain` and `list` show it."""
    post = Post()
    post.send("deferred")
    (own,) = post.pacer.troubled(post.now)
    assert (own.receiver, own.sender, own.state) == (BIG.receiver, BULK, "suspended")
    assert "for mail from bulk.example" in own.text
    assert [one.sender for one in post.pacer.explain(BIG.receiver, post.now)] == ["", BULK]
    post.pacer.cancel(BIG.receiver, post.now)
    assert post.ask(post.message()[1]) is not None


@pytest.mark.parametrize("how", ["end", "accepted", "heard", "sent", "deferred"])
def test_an_attempt_of_the_blamed_domain_ends_in_both_lanes(how: str) -> None:
    """Its place at the receiver is free again, whatever tells of its end first."""
    post = Post()
    refused = post.send("deferred")
    post.wait(3.0)
    own = post.pacer.senders.of(BIG, BULK)
    assert own is not None
    attempt = post.ask(int(refused[5:], 16))
    assert attempt is not None
    assert (own.window.open, own.base.window.open) == (1, 1)
    if how == "end":
        post.pacer.end(own, attempt, post.now)
    elif how == "accepted":
        post.pacer.accepted(own, attempt, post.now)
    elif how == "heard":
        words = evidence("deferred", source="status", scope="domain", queue_id="")
        post.pacer.heard(words, own, attempt, post.now)
    else:
        post.told(refused, how)
    assert (own.window.open, own.base.window.open) == (0, 0)
    assert own.base.accepted == (how in ("accepted", "sent"))
    assert own.refused_total == 1 + (how in ("heard", "deferred"))
    assert own.base.refused_total == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "sent", "deferred", "held", "ends", "wait", "heard"]),
        st.sampled_from([BULK, "fine.example"]),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=80,
)


@given(STEPS)
def test_every_place_that_was_taken_comes_back(steps: list[tuple[str, str, int, bool]]) -> None:
    """Whatever ends an attempt ends it in both lanes, once; no place and no promise is lost."""
    post = Post()
    under_way: list[tuple[str, Attempt, Any]] = []
    every: list[tuple[Any, Attempt]] = []
    for what, sender, number, seen in steps:
        domain = f"d{number}.test"
        if what == "ask":
            queue_id, inode = post.message(sender)
            who = Locked("00:1", inode) if seen else None
            given_ = post.pacer.admit(BIG, domain, post.now, who=lambda who=who: who)
            if given_.attempt is not None:
                under_way.append((queue_id, given_.attempt, given_.lane))
                every.append((given_.lane, given_.attempt))
        elif what == "wait":
            post.wait(0.3 * (number + 1))
        elif what == "held":
            post.told(post.message(sender)[0], "held", domain)
        elif under_way:
            queue_id, attempt, lane = under_way.pop(number % len(under_way))
            if what == "ends":
                post.pacer.end(lane, attempt, post.now)
            elif what == "heard":
                words = evidence("deferred", source="status", scope="domain", sender=sender)
                post.pacer.heard(words._replace(queue_id=""), lane, attempt, post.now)
            else:
                post.told(queue_id, what, attempt.domain)
    for lane, attempt in every:
        post.pacer.end(lane, attempt, post.now)
    for state in post.pacer.shown(post.now):
        assert state.window.open == 0
    post.pacer._dispatcher.expire(post.now + 1000.0)
    for state in post.pacer.shown(post.now):
        assert state.granted == 0
        assert state.at_door == 0


def test_the_own_name_of_a_lane_is_no_receiver() -> None:
    """Lanes of senders are beside the receivers', not among them."""
    post = Post()
    post.send("deferred")
    assert [state.lane for state in post.pacer.lanes(post.now)] == [BIG]
    assert Lane("", BIG.receiver, BULK) == OWN
    assert isinstance(post.pacer, Controller)
