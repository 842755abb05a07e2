"""The gate for Exim: asked by message and domain, it holds and lets go, and owes nothing."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest

from policyd.hooks.eximgate import EximGate
from policyd.receiver.rollup import Receivers
from policyd.serve.eximline import Question, read
from policyd.serve.policy import Request
from policyd.serve.session import Session
from policyd.throttle import Controller
from policyd.throttle.evidence import Evidence, Lane
from policyd.throttle.settings.pacing import PacingSettings

NOW = 1_000_000.0
BIG, TWO = Lane("", "mx:big.test"), Lane("", "mx:two.test")
FIRST, SECOND = "1xXHrT-0007Ig-2A", "1xXHrT-0007Ig-2B"


class _Nobody:
    def of_host(self, mx: str) -> None:
        return None

    def of_domain(self, domain: str) -> None:
        return None


class World:
    """A gate, its controller and a clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.controller = Controller(PacingSettings(), rng=random.Random(1))
        self.receivers = Receivers(_Nobody())
        self.gate = EximGate(self.controller, self.receivers, lambda: self.now, self.policy)

        self.policy_says = b"DUNNO"

    def policy(self, request: Request, session: Session) -> bytes:
        self.requested = request
        return self.policy_says

    def ask(self, line: str) -> bytes:
        question = read(line.encode() if line.startswith("rcpt ") else f"hold {line}".encode())
        assert isinstance(question, Question)
        answer = self.gate.ask(question, Session())
        assert isinstance(answer, bytes)
        return answer

    def line(self, message: str, domain: str, outcome: str, **more: object) -> bool:
        """A log line of Exim's is judged, if it concerns us."""
        told = Evidence(
            time=self.now, source="log", pool=None, receiver="unknown", domain=domain,
            recipient=f"u@{domain}", queue_id=message, host="", outcome="held", category="",
            scope="connection", stance="none", rule=None, reply="", retry_after=None, stage=None,
            origin="local", conn_use=1, group=(None, 1, 7), arrived=self.now,
        )._replace(outcome=outcome, **more)  # type: ignore[arg-type]  # fmt: skip
        if self.gate.concerns(told):
            self.controller.observe(told, self.now)
            return True
        return False


@pytest.fixture
def world() -> World:
    return World()


def suspend(world: World, receiver: str = "mx:big.test") -> None:
    world.controller.pin(receiver, "suspended", 100, world.now)


def test_the_best_hosts_decide(world: World) -> None:
    """The receiver behind the best preference is asked for, in whatever order they come."""
    suspend(world)
    assert world.ask(f"{FIRST} d1.test 20 mx.two.test,10 mx.big.test") == b"hold"
    assert world.ask(f"{FIRST} d1.test 10 mx.two.test,20 mx.big.test") == b"go"


def test_one_of_several_equal_receivers_is_enough_to_hold(world: World) -> None:
    """Exim would turn to the other one of the same preference next."""
    suspend(world)
    assert world.ask(f"{FIRST} d1.test 10 mx.two.test,10 mx.big.test") == b"hold"


def test_a_domain_without_records_is_its_own_host_or_what_deliveries_showed(world: World) -> None:
    """Nobody could look its exchangers up."""
    suspend(world, "mx:d1.test")
    assert world.ask(f"{FIRST} d1.test") == b"hold"
    world.receivers.learn("d1.test", "mx.two.test", world.now)
    assert world.ask(f"{SECOND} d1.test") == b"go"


def test_a_domain_that_takes_no_mail_is_left_to_exim(world: World) -> None:
    """A null MX is no attempt."""
    assert world.ask(f"{FIRST} d1.test 0 ") == b"go"
    assert world.controller.lanes(world.now) == []


def test_pools_are_paced_apart(world: World) -> None:
    """The pool of the question is the pool of the lane."""
    world.controller.pin("mx:big.test", "suspended", 100, world.now, pool="out")
    assert world.ask(f"{FIRST} d1.test pool=out 10 mx.big.test") == b"hold"
    assert world.ask(f"{FIRST} d1.test 10 mx.big.test") == b"go"


def test_a_held_message_waits_in_its_own_lane_and_only_it_uses_its_promise(world: World) -> None:
    """Two messages of one domain, in two pools: each is booked where it was held."""
    world.controller.pin("mx:big.test", "suspended", 5, world.now, pool="out")
    world.controller.pin("mx:big.test", "suspended", 5, world.now, pool="")
    for message, pool in ((FIRST, "pool=out "), (SECOND, "")):
        assert world.ask(f"{message} d1.test {pool}10 mx.big.test") == b"hold"
        assert world.line(message, "d1.test", "held")
    parts = {one.queue_id: next(iter(one.parts))[0].pool for one in world.controller.book}
    assert parts == {FIRST: "out", SECOND: ""}
    world.controller.cancel("mx:big.test", world.now)
    world.now += 1
    released = world.controller.due(world.now)
    assert {one.queue_id for one in released} == {FIRST, SECOND}
    assert world.ask(f"{SECOND} d1.test 10 mx.big.test") == b"go"
    message = world.controller.book.get(FIRST)
    assert message is not None
    assert [part.asked for part in message.pending.values()] == [False]


def test_what_an_operator_holds_is_left_alone(world: World) -> None:
    """ "domain is held" without our answer `hold` before it is the operator's own list."""
    assert world.ask(f"{FIRST} d1.test 10 mx.big.test") == b"go"
    assert not world.line(FIRST, "d1.test", "held")
    assert not world.line(SECOND, "d2.test", "held")
    assert len(world.controller.book) == 0


def test_an_attempt_that_exim_did_not_make_gives_its_place_back(world: World) -> None:
    """A retry time that is not reached: no attempt was made, nothing is in flight."""
    assert world.ask(f"{FIRST} d1.test 10 mx.big.test") == b"go"
    state = world.controller.lane(BIG, world.now)
    assert state.window.open == 1
    world.line(FIRST, "d1.test", "suspended", reply="retry time not reached for any host")
    assert state.window.open == 0
    assert world.ask(f"{SECOND} d1.test 10 mx.big.test") == b"go"
    world.line(SECOND, "d1.test", "sent", receiver="mx:big.test", host="mx.big.test",
               origin="remote")  # fmt: skip
    assert state.window.open == 0
    assert state.accepted == 1


def test_the_sender_is_known_at_the_first_attempt(world: World) -> None:
    """A sender's domain that is blamed waits, also where the log has not named it yet."""
    assert world.ask(f"{FIRST} d1.test from=lists.test 10 mx.big.test") == b"go"
    assert world.controller.blame.present.sender(FIRST) == "lists.test"


def test_two_attempts_of_a_message_are_two_transactions(world: World) -> None:
    """Exim logs no delays: what tells its attempts apart is the process, or the second."""
    for turn, outcome in ((7, "sent"), (8, "sent")):
        world.now += 1
        assert world.ask(f"{FIRST} d1.test 10 mx.big.test") == b"go"
        world.line(FIRST, "d1.test", outcome, receiver="mx:big.test", host="mx.big.test",
                   origin="remote", group=("192.0.2.1", 1, turn))  # fmt: skip
    state = world.controller.lane(BIG, world.now)
    assert (state.window.open, state.accepted) == (0, 2)


@pytest.mark.parametrize(
    ("stage", "outcome", "reply", "blocked"),
    [
        ("rcpt", "deferred", "450 4.7.1 slow down", False),
        ("connect", "deferred", "421 busy", True),
        ("mail", "deferred", "451 later", True),
        ("eod", "deferred", "452 later", True),
        (None, "deferred", "Connection timed out", True),
        (None, "suspended", "retry time not reached for any host for 'd1.test'", True),
        (None, "suspended", "retry time not reached", False),
    ],
)
def test_what_exims_own_records_keep_from_being_tried(
    world: World, stage: str | None, outcome: str, reply: str, blocked: bool
) -> None:
    """Only what puts off a host or the message there needs `-M`; a success ends that."""
    host = "mx.big.test" if outcome == "deferred" else ""
    world.line(FIRST, "d1.test", outcome, receiver="mx:big.test", host=host, stage=stage,
               reply=reply, origin="remote" if stage else "local")  # fmt: skip
    records = world.gate.records
    assert records.blocks(FIRST, "mx:big.test") is blocked
    records.accepted(FIRST, "mx:big.test")
    assert not records.blocks(FIRST, "mx:big.test")


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (b"DUNNO", b"go"),
        (b"DEFER_IF_PERMIT 4.7.1 busy; retry=00:05:00", b"defer 4.7.1 busy; retry=00:05:00"),
        (b"REJECT 5.7.1 closed", b"reject 5.7.1 closed"),
        (b"HOLD", b"go"),
        (b"FILTER smtp:[a]", b"go"),
        (b"WARN x", b"go"),
    ],
)
def test_at_submission_it_says_what_the_policy_service_says(
    world: World, action: bytes, answer: bytes
) -> None:
    """What concerns one recipient is passed on; what touches a whole message is not."""
    world.policy_says = action
    sender = b64encode(b"a b@lists.test\nx=y").decode()
    assert world.ask(f"rcpt d1.test sender={sender} user=!") == answer
    assert world.requested.get(b"recipient") == b"rcpt@d1.test"
    assert world.requested.get(b"sender") == b"a b@lists.test?x=y"
    assert world.requested.get(b"sasl_username") == b""


def test_what_came_in_without_an_attempt_is_noted(world: World) -> None:
    """Exim's own line is, a reply or a subject that quotes it is not."""
    stamp = b"2026-11-28 21:57:59"
    world.gate.take_in(
        stamp + b" 1xXHrT-0007Ig-2A no immediate delivery: more than 10 messages received\n"
        + stamp + b".123 +0100 [77] 1xXHrT-00000007Igk-2AbC no immediate delivery: load average\n"
        + stamp + b" 1xXHrT-0007Ig-2C <= a@b T=\"1xXHrT-0007Ig-2D no immediate delivery: x\"\n"
    )  # fmt: skip
    assert list(world.gate.queued) == ["1xXHrT-0007Ig-2A", "1xXHrT-00000007Igk-2AbC"]


def test_a_blamed_sender_waits_at_its_first_attempt_and_others_do_not(world: World) -> None:
    """The question names the sender's domain before the log does."""
    told = {"receiver": "mx:big.test", "host": "mx.big.test", "stage": "mail", "origin": "remote",
            "category": "reputation.domain", "scope": "domain", "stance": "wait",
            "reply": "451 4.7.1 your domain sends too much"}  # fmt: skip
    for message in (FIRST, SECOND):
        assert world.ask(f"{message} d1.test from=lists.test 10 mx.big.test") == b"go"
        world.line(message, "d1.test", "deferred", **told)
        world.now += 1
    third, fourth = "1xXHrT-0007Ig-2C", "1xXHrT-0007Ig-2D"
    assert world.ask(f"{third} d1.test from=lists.test 10 mx.big.test") == b"hold"
    assert world.ask(f"{fourth} d1.test from=other.test 10 mx.big.test") == b"go"


def test_a_promise_is_used_by_the_message_it_was_made_to(world: World) -> None:
    """Two messages of one domain are let go; the second one that asks uses its own promise."""
    suspend(world)
    for message in (FIRST, SECOND):
        assert world.ask(f"{message} d1.test 10 mx.big.test") == b"hold"
        world.line(message, "d1.test", "held")
    world.controller.cancel("mx:big.test", world.now)
    world.now += 1
    assert len(world.controller.due(world.now)) == 2
    assert world.ask(f"{SECOND} d1.test 10 mx.big.test") == b"go"
    asked = {
        one.queue_id: [part.asked for part in one.pending.values()] for one in world.controller.book
    }
    assert asked == {FIRST: [False], SECOND: [True]}
