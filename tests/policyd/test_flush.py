"""The short way to let mail go: the bytes of flush(8), and when it may be taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.postfix import flushwire
from policyd.postfix.flush import Flush
from policyd.postfix.flushwire import UnexpectedAnswer
from policyd.postfix.hand import Postqueue, Ran

FRONT = b"protocol\0queue_flush_protocol\0\0"
DONE = FRONT + b"status\0000\0\0"
ID = "4jcBLw3WDjzKdm1"


def test_the_question_is_the_one_that_postqueue_sends() -> None:
    """Byte for byte, as seen on Postfix 3.7 and 3.10."""
    assert flushwire.request("2C0C923C7DF") == b"request\0send_file\0queue_id\x002C0C923C7DF\0\0"


@given(st.integers(0, 99_999), st.lists(st.integers(1, 40)))
def test_an_answer_is_read_however_it_was_cut(number: int, cuts: list[int]) -> None:
    """Before its last byte more is awaited; with it, the number is known."""
    answer, end = FRONT + b"status\0%d\0\0" % number, 0
    for cut in cuts:
        end = min(end + cut, len(answer) - 1)
        assert flushwire.status(answer[:end]) is None
    assert flushwire.status(answer) == number


@given(st.integers(0, len(DONE) - 1), st.integers(0, 255))
def test_one_wrong_byte_anywhere_is_a_surprise(place: int, byte: int) -> None:
    """Or it makes another number, and never the same one."""
    answer = DONE[:place] + bytes((byte,)) + DONE[place + 1 :]
    if answer == DONE:
        return
    try:
        told, said = flushwire.status(answer), "a number"
    except UnexpectedAnswer as surprise:
        told, said = None, str(surprise)
    assert told != flushwire.DONE
    assert len(said) < 500
    assert said.isprintable()


@given(st.binary(min_size=1, max_size=400))
def test_what_is_awaited_is_bounded(more: bytes) -> None:
    """Whatever follows a whole answer is no answer; nor is a number without an end."""
    for received in (DONE + more, FRONT + b"status\0" + b"0" * 6 + more):
        with pytest.raises(UnexpectedAnswer):
            flushwire.status(received)


class World:
    """A flush(8) that answers as a test says, a hand that uses it, and a clock."""

    def __init__(self, folder: Path, answer: bytes | None = DONE) -> None:
        self.folder, self.answer = folder, answer
        self.now = 0.0
        self.asked: list[bytes] = []
        self.ran: list[tuple[str, ...]] = []
        self.allowed = True
        self.hand = Postqueue("/x/postqueue", (), 2.0, lambda: self.now, run=self._run)
        (folder / "public").mkdir()

    async def _run(self, command: tuple[str, ...], timeout: float) -> Ran:
        self.ran.append(command)
        if command[0] == "/x/postconf":
            return Ran(0, f"{self.folder}\n".encode())
        return Ran(0) if self.allowed else Ran(69, b"", b"postqueue: fatal: not allowed to flush")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\0\0"))
        if self.answer is None:
            await reader.read()  # until it gives up
        else:
            writer.write(self.answer)
        writer.close()

    @asynccontextmanager
    async def flush(self) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._serve, self.folder / "public" / "flush")
        async with server:
            yield

    def processes(self) -> int:
        """How many postqueue were started since this was asked last."""
        started, self.ran = self.ran, []
        return sum(command[0] == "/x/postqueue" for command in started)


def play(world: World, scene: Callable[[Postqueue], Awaitable[None]]) -> None:
    async def played() -> None:
        async with world.flush():
            assert await world.hand.check() == ""
            world.processes()
            await scene(world.hand)

    asyncio.run(asyncio.wait_for(played(), 20))


def test_what_postqueue_vouches_for_needs_no_process_for_a_minute(tmp_path: Path) -> None:
    """Then one release goes by postqueue, and vouches for the next minute."""
    world = World(tmp_path)

    async def scene(hand: Postqueue) -> None:
        for minute in range(3):
            world.now = minute * 61.0
            assert [await hand.let_go(ID) for _ in range(5)] == [""] * 5
            assert world.processes() == (1 if minute else 0)
        assert hand.asked == {"flush": 13, "postqueue": 2, "fallback": 0}

    play(world, scene)
    assert set(world.asked[1:]) == {flushwire.request(ID)}


def test_who_is_refused_by_postqueue_asks_flush_no_more(tmp_path: Path) -> None:
    """A name that was taken out of authorized_flush_users counts within a minute."""
    world = World(tmp_path)

    async def scene(hand: Postqueue) -> None:
        world.allowed, world.now, before = False, 61.0, len(world.asked)
        for _ in range(3):
            assert "authorized_flush_users" in await hand.let_go(ID)
        assert await hand.check() != ""
        assert len(world.asked) == before
        world.allowed = True
        assert await hand.check() == hand.indirect == ""

    play(world, scene)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"220 lab.test ESMTP Postfix\r\n", "answered b'220 lab"),
        (b"", "ended before the answer"),
        (FRONT + b"status\0003\0\0", "status 3"),
        (None, "no answer within 0.4 s"),
    ],
    ids=["another service", "nothing", "not done", "silence"],
)
def test_a_surprise_costs_no_release_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: bytes | None, said: str
) -> None:
    """postqueue does it, and for five minutes flush(8) is left alone; then it is tried again."""
    caplog.set_level(logging.INFO, "policyd.postfix.flush")
    world = World(tmp_path)

    async def scene(hand: Postqueue) -> None:
        world.answer = answer
        assert await asyncio.gather(*(hand.let_go(ID) for _ in range(4))) == [""] * 4
        asked = len(world.asked)
        world.now = 290.0
        assert await hand.let_go(ID) == ""
        assert len(world.asked) == asked
        assert said in hand.indirect
        assert hand.asked == {"flush": 0, "postqueue": 1, "fallback": 4}
        assert world.processes() == 5
        world.now, world.answer = 310.0, DONE
        assert await hand.let_go(ID) == hand.indirect == ""
        assert hand.asked["flush"] == 1

    play(world, scene)
    first, last = (record.getMessage() for record in caplog.records)
    assert said in first
    assert "answers again" in last


def test_a_flush_that_is_not_there_is_a_surprise_like_another(tmp_path: Path) -> None:
    """No socket, no right to it, a path too long for one: postqueue does it."""
    world = World(tmp_path)

    async def scene(hand: Postqueue) -> None:
        (tmp_path / "public" / "flush").unlink()
        assert await hand.let_go(ID) == ""
        assert "No such file" in hand.indirect
        assert world.processes() == 1

    play(world, scene)
    flush = Flush(1.0, lambda: 0.0)
    flush.path = "/x" * 100
    flush.vouch("")
    assert not asyncio.run(flush.let_go(ID))
    assert "too long" in flush.why


def test_what_flush_did_not_move_goes_by_postqueue(tmp_path: Path) -> None:
    """A second request for the same release takes the long way."""
    world = World(tmp_path)

    async def scene(hand: Postqueue) -> None:
        before = len(world.asked)
        assert await hand.let_go(ID, direct=False) == ""
        assert (len(world.asked), world.processes()) == (before, 1)

    play(world, scene)


@pytest.mark.parametrize("told", [b"", b"var/spool/postfix\n", b"\0\n"])
def test_without_a_queue_directory_each_release_is_a_process(tmp_path: Path, told: bytes) -> None:
    """A postconf that is not there, or says nothing of use, is no trouble."""

    async def run(command: tuple[str, ...], timeout: float) -> Ran:
        return Ran(0, told)

    hand = Postqueue("postqueue", (str(tmp_path),), 1.0, lambda: 0.0, run=run)
    assert asyncio.run(hand.check()) == hand.trouble == ""
    assert hand.indirect == "where flush(8) listens is not known"
