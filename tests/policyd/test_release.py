"""The hand: what it runs, what it does when a command fails, how it reads the queue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.postfix import release
from policyd.postfix.hand import Ran
from policyd.postfix.release import Releaser, parse_queue
from policyd.settings.release import ReleaseSettings
from policyd.throttle import Controller
from tests.policyd.throttle_parts import BIG, NOW, hold, slowed

HELD = "Error looking up name=d1.test type=MX: DNS reply filter drops all results"


class Hand:
    """A releaser whose commands are only written down."""

    def __init__(self, pacer: Controller, **settings: float | str | bool | tuple[str, ...]) -> None:
        self.now = NOW
        self.ran: list[tuple[str, ...]] = []
        self.code = 0
        self.codes: dict[str, int] = {}  # of one instance, by its config directory
        self.listing = b""
        self.block: asyncio.Event | None = None
        self.pacer = pacer
        self.releaser = Releaser(
            pacer,
            ReleaseSettings(**settings),  # type: ignore[arg-type]
            lambda: self.now,
            receiver_of=lambda domain: BIG.receiver,
            run=self.run,
        )

    async def run(self, command: tuple[str, ...], timeout: float) -> Ran:
        self.ran.append(command)
        if self.block is not None:
            await self.block.wait()
        code = self.codes.get(command[2], self.code) if "-c" in command else self.code
        return Ran(code, self.listing)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 20))  # type: ignore[arg-type]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def waiting(count: int, rate: float = 1000.0) -> Controller:
    """A controller with so many messages whose tokens are there."""
    pacer = slowed(rate)
    for number in range(count):
        hold(pacer, f"AAAA{number:03}", f"d{number}.test", NOW)
    return pacer


def test_each_release_is_one_command_with_one_queue_id_and_no_shell() -> None:
    """postqueue -i ID, with the instance's config directory where there is one."""

    async def scene() -> None:
        hand = Hand(waiting(2), config_directory=("/etc/postfix-out",))
        hand.now = NOW + 1
        assert hand.releaser.step() == 2
        await settle()
        assert hand.ran == [
            ("postqueue", "-c", "/etc/postfix-out", "-i", f"AAAA00{number}") for number in (0, 1)
        ]
        assert hand.releaser.counts["released"] == 2

    play(scene)


def test_every_instance_is_told_and_one_that_is_down_does_not_count() -> None:
    """Nobody knows whose message it is: who does not have it takes no notice."""

    async def scene() -> None:
        hand = Hand(waiting(1), config_directory=("/etc/postfix", "/etc/postfix-out"))
        hand.codes["/etc/postfix"] = 69
        hand.now = NOW + 1
        hand.releaser.step()
        await settle()
        assert hand.ran == [
            ("postqueue", "-c", place, "-i", "AAAA000")
            for place in ("/etc/postfix", "/etc/postfix-out")
        ]
        assert (hand.releaser.counts["released"], hand.releaser.counts["failed"]) == (1, 0)

    play(scene)


def test_a_queue_that_cannot_be_read_makes_nothing_forgotten() -> None:
    """Of two instances' queues one is not listed: its messages still wait."""

    async def scene() -> None:
        hand = Hand(waiting(1), config_directory=("/etc/postfix", "/etc/postfix-out"))
        hand.codes["/etc/postfix-out"] = 69
        hand.now = NOW + 1
        assert not await hand.releaser.reconcile()
        assert hand.pacer.book.get("AAAA000") is not None
        hand.codes.clear()
        assert await hand.releaser.reconcile()
        assert hand.pacer.book.get("AAAA000") is None

    play(scene)


def test_commands_under_way_and_a_second_are_bounded() -> None:
    """Neither more at a time than allowed, nor more a second."""

    async def scene() -> None:
        hand = Hand(waiting(60), concurrency=3, rate=10.0)
        hand.block = asyncio.Event()
        hand.now = NOW + 1
        assert hand.releaser.step() == 3
        assert hand.releaser.step() == 0
        hand.block.set()
        await settle()
        for _ in range(10):
            hand.now += 0.1
            hand.releaser.step()
            await settle()
        assert 10 <= len(hand.ran) <= 14

    play(scene)


@pytest.mark.parametrize("code", [1, 69, 77])
def test_a_command_that_fails_puts_the_message_back(code: int) -> None:
    """The token returns; after a little while the message is tried again."""

    async def scene() -> None:
        hand = Hand(waiting(1))
        hand.code = code
        hand.now = NOW + 1
        hand.releaser.step()
        await settle()
        assert hand.releaser.counts["failed"] == 1
        assert hand.pacer.lane(BIG, NOW).granted == 0
        assert hand.pacer.book.waiting(BIG) == 1
        hand.code, hand.now = 0, NOW + 7
        hand.releaser.step()
        await settle()
        assert hand.releaser.counts["released"] == 1

    play(scene)


def test_a_queue_id_that_is_none_never_becomes_an_argument() -> None:
    """What a forged log line calls a queue id must not reach the command line."""

    async def scene() -> None:
        pacer = slowed(1000.0)
        hold(pacer, "-c/tmp/evil", "d1.test", NOW)
        hold(pacer, "AAAA\n-v", "d2.test", NOW)
        hand = Hand(pacer)
        hand.now = NOW + 1
        hand.releaser.step()
        await settle()
        assert hand.ran == []
        assert hand.releaser.counts["failed"] == 2

    play(scene)


def test_the_queue_is_read_at_start_and_the_book_follows() -> None:
    """Held messages found in the queue are let go like others."""

    async def scene() -> None:
        pacer = slowed(1000.0)
        hand = Hand(pacer)
        hand.listing = json.dumps(
            {
                "queue_name": "deferred",
                "queue_id": "BBBB1",
                "arrival_time": NOW - 100,
                "sender": "Bob@Shop.Example",
                "recipients": [{"address": "x@D1.test", "delay_reason": HELD}],
            }
        ).encode()
        await hand.releaser.reconcile()
        assert hand.ran == [("postqueue", "-j")]
        hand.now = NOW + 1
        hand.releaser.step()
        await settle()
        assert hand.ran[-1] == ("postqueue", "-i", "BBBB1")
        assert hand.releaser.counts["added"] == 1

    play(scene)


def test_when_we_step_aside_everything_is_let_go_at_the_safe_rate() -> None:
    """After `off` no token is asked for, and so many a second go."""

    async def scene() -> None:
        hand = Hand(waiting(30, rate=0.01), off_rate=5.0)
        hand.pacer.retire(hand.now)
        for _ in range(30):
            hand.now += 0.1
            hand.releaser.step()
            await settle()
        assert 15 <= len(hand.ran) <= 20

    play(scene)


def test_the_loop_lets_go_by_itself_and_ends_when_cancelled() -> None:
    """`run` works until it is cancelled, and leaves no task behind."""

    async def scene() -> None:
        hand = Hand(waiting(3))
        hand.listing = b"\n".join(
            json.dumps({"queue_name": "deferred", "queue_id": f"AAAA00{number}"}).encode()
            for number in range(3)
        )
        before = asyncio.all_tasks()
        task = asyncio.create_task(hand.releaser.run())
        await asyncio.sleep(0)
        hand.now = NOW + 1
        while hand.releaser.counts["released"] < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asyncio.all_tasks() == before

    play(scene)


def test_a_fault_of_ours_ends_neither_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever raises once, while mail is let go or the queue is read: both go on."""
    monkeypatch.setattr(release, "_AGAIN", 0.01)

    async def scene() -> None:
        hand = Hand(waiting(3))
        hand.listing = b"\n".join(
            json.dumps({"queue_name": "deferred", "queue_id": f"AAAA00{number}"}).encode()
            for number in range(3)
        )
        for name in ("due", "reconcile"):
            broken_once(hand.pacer, name)
        task = asyncio.create_task(hand.releaser.run())
        await asyncio.sleep(0)
        hand.now = NOW + 1
        async with asyncio.timeout(20):
            while hand.releaser.counts["released"] < 3 or not hand.releaser.counts["reconciled"]:
                assert not task.done()
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(scene)


def broken_once(pacer: Controller, name: str) -> None:
    """Its first call raises."""
    whole = getattr(pacer, name)

    def call(*args: Any, **named: Any) -> Any:
        setattr(pacer, name, whole)
        raise RuntimeError(name)

    setattr(pacer, name, call)


@pytest.mark.parametrize("turns", range(5))
def test_the_loop_ends_in_whichever_turn_of_a_wake_up_it_is_cancelled(turns: int) -> None:
    """Room for a message and the end at the same moment: the end is not lost."""

    async def scene() -> None:
        hand = Hand(waiting(0))
        task = asyncio.create_task(hand.releaser.run())
        await asyncio.sleep(0.05)
        hand.pacer.on_room()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(scene)


def test_the_listing_of_the_queue_is_read_line_by_line() -> None:
    """Held parts are told by our own hold's words, echoed or not; an operator's hold is left."""
    held = HELD.replace("d1.test", "x.test")
    rows = [
        {"queue_name": "deferred", "queue_id": "A1", "arrival_time": 5, "sender": "",
         "recipients": [{"address": "a@x.test", "delay_reason": held},
                        {"address": "b@x.test",
                         "delay_reason": f"delivery temporarily suspended: {held}"},
                        {"address": "c@y.test", "delay_reason": "450 busy"}]},
        {"queue_name": "hold", "queue_id": "B1", "arrival_time": 6, "sender": "s@s.test",
         "recipients": [{"address": "a@x.test", "delay_reason": HELD}]},
        {"queue_name": "active", "queue_id": "C1", "arrival_time": 7, "sender": "s@s.test",
         "recipients": [{"address": "a@x.test"}]},
    ]  # fmt: skip
    listing = b"\n".join(json.dumps(row).encode() for row in rows) + b"\n{broken\n[]\n"
    found = list(parse_queue(listing))
    assert [(one.queue_id, one.held) for one in found] == [
        ("A1", (("x.test", 2),)),
        ("C1", ()),
    ]


@pytest.mark.parametrize(
    ("reason", "ours", "known"),
    [
        ("Error looking up name=b.test type=A: DNS reply filter drops all results", True, True),
        ("Error looking up name=b.test type=AAAA: Invalid DNS reply filter syntax", True, True),
        ("unable to find primary relay for x.test", False, True),
        ("delivery temporarily suspended: unable to find primary relay for x.test", False, True),
        (
            "Host or domain name not found. Name service error for name=b.test type=A: not found",
            False,
            True,
        ),
        ("host b.test[192.0.2.1] said: 450 unable to find primary relay for x", False, False),
    ],
)
def test_a_hold_is_read_in_all_its_words(reason: str, ours: bool, known: bool) -> None:
    """By the recipient's domain, never the host's; doubtful words only of held domains."""
    row = {"queue_id": "A1", "recipients": [{"address": "a@x.test", "delay_reason": reason}]}
    listing = json.dumps(row).encode()
    held = [(("x.test", 1),)]
    assert [one.held for one in parse_queue(listing)] == (held if ours else [()])
    found = [one.held for one in parse_queue(listing, lambda domain: domain == "x.test")]
    assert found == (held if known else [()])


@given(st.binary(max_size=400))
def test_any_listing_can_be_read(listing: bytes) -> None:
    """Rubbish between the lines is skipped."""
    list(parse_queue(listing))
