"""The hand on Exim's queue: what is asked of it, what it says, what it never does."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.exim import side
from policyd.exim.hand import EximCommand, EximHand, words
from policyd.exim.queue import parse
from policyd.exim.remote import Remote, request
from policyd.exim.running import Ended
from policyd.exim.service import serve
from policyd.exim.story import held
from policyd.serve.listen import open_socket
from policyd.serve.listen import parse as address
from policyd.settings.release import ReleaseSettings

ID = "1xXHrT-0007Ig-2A"
LISTING = """\
25m  2.9K 1xXHrT-0007Ig-2A <news@lists.example>
          first@d1.test
        D second@d1.test
          "x  D y"@d1.test
          third@D2.test

 3d  176K 1xXHrT-00000007Igk-2AbC <>  *** frozen ***
          root@lab.test

99h   287 1xXHrT-0007Ig-2C <a b>c@x.test> (uucp)
          v@d3.test

"""


class Script:
    """A way to an Exim that says what it is told to say."""

    name, there = "exim4", True

    def __init__(self, *answers: Ended | OSError) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._answers = list(answers)

    async def ask(self, verb: str, ids: Iterable[str] = ()) -> Ended:
        self.asked.append((verb, *ids))
        answer = self._answers.pop(0) if self._answers else Ended(0, b"")
        if isinstance(answer, OSError):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("verb", "ended", "told"),
    [
        ("go", Ended(0, b""), ""),
        ("check", Ended(0, b""), ""),
        ("list", Ended(0, b"  anything, Permission denied\n"), ""),
        ("go", Ended(1, b"exim: Permission denied\n"), "Exim's group"),
        ("go", Ended(0, b"2026-11-28 21:56:34 X Spool error for /var/spool/exim4//input//X-D: "
                        b"Permission denied\n"), "NoNewPrivileges"),
        ("check", Ended(0, b"2026-11-28 21:56:34 000000-000000-00 Spool file 000000-000000-00-D "
                           b"not found\n"), "NoNewPrivileges"),
        ("go", Ended(0, b"Spool file for X is locked (another process is handling this message)"),
         ""),
        ("go", Ended(-9, b""), "exit code -9"),
    ],
)  # fmt: skip
def test_what_exim_says_is_read_for_what_it_means(verb: str, ended: Ended, told: str) -> None:
    """Without its rights Exim ends with 0 all the same; what it complains of tells."""
    said = words("exim4", verb, ended)
    assert bool(said) is bool(told)
    assert told in said


def test_a_message_that_is_frozen_is_never_forced() -> None:
    """`-M` would thaw it."""
    way = Script()
    hand = EximHand(way)
    hand.frozen = frozenset({ID})
    assert asyncio.run(hand.let_go(ID, forced=True)) == ""
    assert asyncio.run(hand.let_go("1xXHrT-0007Ig-2B", forced=True)) == ""
    assert way.asked == [("go", ID), ("force", "1xXHrT-0007Ig-2B")]


@pytest.mark.parametrize("name", ["", "-M", "../x", "4F1A2B3C", ID + " " + ID, ID + "\n"])
def test_only_a_message_id_is_handed_on(name: str) -> None:
    """What is no id never becomes an argument."""
    way = Script()
    assert asyncio.run(EximHand(way).let_go(name)) == "not a message id"
    assert way.asked == []


def test_trouble_is_told_until_it_is_over() -> None:
    """A check that fails is trouble, one that works ends it; a single failed release is none."""
    denied = Ended(1, b"exim: Permission denied\n")
    hand = EximHand(Script(denied, Ended(0, b""), denied, denied, denied, Ended(0, b"")))
    assert asyncio.run(hand.check())
    assert "Permission denied" in hand.trouble
    assert asyncio.run(hand.check()) == hand.trouble == ""
    for number in range(3):
        assert asyncio.run(hand.let_go(ID))
        assert bool(hand.trouble) is (number == 2)
    assert asyncio.run(hand.let_go(ID)) == hand.trouble == ""


def test_the_queue_is_read_as_exim_prints_it() -> None:
    """Open recipients by domain; what is delivered or frozen is told apart; odd addresses too."""
    first, second, third = parse(LISTING.encode())
    assert first == (ID, 1500.0, "lists.example", False, (("d1.test", 2), ("d2.test", 1)))
    assert (second.message, second.frozen, second.sender) == ("1xXHrT-00000007Igk-2AbC", True, "")
    assert (third.age, third.sender, third.open) == (99 * 3600, "x.test", (("d3.test", 1),))


@given(st.binary(max_size=400))
def test_any_listing_is_read_without_an_error(listing: bytes) -> None:
    """What is no message is skipped."""
    list(parse(listing))
    held(listing)


def test_a_message_s_own_log_tells_what_is_held() -> None:
    """The last word on a recipient counts; a reply that quotes our words is none."""
    told = b"""\
2026-11-28 21:57:59 Received from a@b.c U=root P=local S=244
2026-11-28 21:57:59 x  d y@d1.test <"x  D y"@d1.test> defer (-23): domain is held
2026-11-28 21:57:59.123 +0000 [77] v@d2.test defer (-23): domain is held
2026-11-28 21:57:59 w@d2.test defer (-23): domain is held
2026-11-28 21:58:09 w@d2.test R=dnslookup T=remote_smtp defer (-44): SMTP error: 450 busy
2026-11-28 21:58:09 e@d3.test R=x T=remote_smtp defer (-44): 450 x defer (-23): domain is held
"""
    assert held(told) == {"d1.test": 1, "d2.test": 1}


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (b"go " + ID.encode(), ("go", (ID,))),
        (b"force " + ID.encode(), ("force", (ID,))),
        (b"story " + ID.encode(), ("story", (ID,))),
        (b"list", ("list", ())),
        (b"check", ("check", ())),
        (b"rule", ("rule", ())),
        (b"go", None),
        (b"list " + ID.encode(), None),
        (b"go -bP", None),
        (b"rm " + ID.encode(), None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_the_service_knows_six_verbs(line: bytes, meaning: object) -> None:
    """Nothing else is ever run."""
    assert request(line) == meaning


def script(folder: Path, body: str) -> str:
    """A program in Exim's place."""
    path = folder / "exim4"
    path.write_text(f"#!{sys.executable}\nimport sys, time, os\n{body}")
    path.chmod(0o755)
    return str(path)


def test_the_service_runs_exim_and_says_what_it_said(tmp_path: Path) -> None:
    """Over its socket the hand is the same hand."""
    program = script(tmp_path, "print(*sys.argv[1:]); sys.exit(len(sys.argv) - 1)\n")
    path = str(tmp_path / "hand")

    async def run() -> tuple[Ended, Ended]:
        serving = asyncio.create_task(serve(open_socket(address(f"unix:{path}")), program))
        remote = Remote(path)
        assert remote.there
        told = await remote.ask("story", (ID,)), await remote.ask("list")
        serving.cancel()
        return told

    story, listing = asyncio.run(run())
    assert story == (2, f"-Mvl {ID}\n".encode())
    assert listing == (1, b"-bp\n")


def test_the_service_takes_a_line_that_never_ends_for_no_request(tmp_path: Path) -> None:
    """It gets no answer, and is no fault."""
    path, faults = str(tmp_path / "hand"), []

    async def run() -> bytes:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: faults.append(told))
        serving = asyncio.create_task(serve(open_socket(address(f"unix:{path}")), "true"))
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"go " + b"x" * 4096)
        with suppress(ConnectionError):
            told = await reader.read()
        writer.close()
        serving.cancel()
        return told

    assert (asyncio.run(run()), faults) == (b"", [])


def test_a_fault_of_ours_does_not_end_the_reading_of_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever raises once: the queue is read again."""
    monkeypatch.setattr(side, "_AGAIN", 0.01)
    release = ReleaseSettings(exim_hand="")
    core: Any = SimpleNamespace(
        config=SimpleNamespace(release=release),
        eximgate=SimpleNamespace(decisions={"held": 1}, queued=deque()),
        clock=time.monotonic,
    )
    exim, read = side.EximSide(core, played=False), []
    exim._hand = lambda: EximHand(Script())  # type: ignore[method-assign]

    async def reconcile() -> bool:
        read.append(True)
        if len(read) == 1:
            raise RuntimeError("once")
        return True

    exim.reconcile = reconcile  # type: ignore[method-assign]

    async def run() -> None:
        exim.hand = EximHand(Script())
        reading = asyncio.create_task(exim._run())
        async with asyncio.timeout(20):
            while len(read) < 2:
                assert not reading.done()
                await asyncio.sleep(0.01)
        reading.cancel()

    asyncio.run(run())


def test_a_delivery_that_takes_long_is_left_to_itself(tmp_path: Path) -> None:
    """The hand is free at once; the delivery goes on to its end, also when we have gone."""
    done = tmp_path / "done"
    program = script(
        tmp_path, f"time.sleep(1); open({str(done)!r}, 'w').write(str(os.getsid(0)))\n"
    )
    command = EximCommand(program, lambda name: name)
    began = time.monotonic()
    assert asyncio.run(EximHand(command).let_go(ID)) == ""
    assert time.monotonic() - began < 0.9
    while not (done.exists() and done.read_text()):
        assert time.monotonic() - began < 20
        time.sleep(0.05)
    assert int(done.read_text()) != os.getsid(0), "a session of its own"


def test_where_no_exim_is_the_hand_is_away() -> None:
    """Nothing is run, nothing is trouble."""
    hand = EximHand(EximCommand("", lambda name: None))
    assert hand.away
    assert not EximHand(Script()).away
