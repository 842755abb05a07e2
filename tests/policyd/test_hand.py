"""The hand on the queue: what a failure is called, when it is a trouble, what is bounded."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.postfix.hand import HandError, Postqueue, Ran, run_command, words

# what Postfix 3.7 says, as it says it
NETLINK = (
    b"postqueue: fatal: inet_addr_local[getifaddrs]: "
    b"getifaddrs: Address family not supported by protocol\n"
)
NO_GROUP = (
    b"postqueue: warning: connect to public/flush: Permission denied\n"
    b"postqueue: fatal: Cannot flush mail queue - mail system is down\n"
)
DOWN = (
    b"postqueue: warning: connect to public/flush: Connection refused\n"
    b"postqueue: fatal: Cannot flush mail queue - mail system is down\n"
)
SHOWQ = (
    b"postqueue: warning: Mail system is down -- accessing queue directly"
    b" (Connect to the Postfix showq service: No such file or directory)\n"
    b"postqueue: fatal: malformed showq server response\n"
)
FLUSH = b"postqueue: fatal: User mxheed(790) is not allowed to flush the mail queue\n"
VIEW = b"postqueue: fatal: User mxheed(790) is not allowed to view the mail queue\n"
DIRECTORY = (
    b"postqueue: error: unauthorized configuration directory name: /etc/nono\n"
    b'postqueue: fatal: specify "alternate_config_directories = /etc/nono" in main.cf\n'
)


@pytest.mark.parametrize(
    ("ran", "said", "todo"),
    [
        (Ran(69, b"", NETLINK), "exit code 69: the service is not available", "AF_NETLINK"),
        (Ran(69, b"", NO_GROUP), "public/flush: Permission denied", "group postdrop"),
        (Ran(69, b"", DOWN), "mail system is down", "postfix start"),
        (Ran(69, b"", SHOWQ), "malformed showq", "postfix start"),
        (Ran(69, b"", FLUSH), "User mxheed(790)", "authorized_flush_users"),
        (Ran(69, b"", VIEW), "User mxheed(790)", "authorized_mailq_users"),
        (Ran(69, b"", DIRECTORY), "/etc/nono", "main.cf of the machine's own Postfix"),
        (Ran(75), "exit code 75: a failure that may pass", "by hand"),
        (Ran(-signal.SIGKILL), "ended by signal 9", "by hand"),
        (TimeoutError("no end after 10 s"), "no end after 10 s", "release.timeout"),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), "No such file", "postqueue"),
    ],
)
def test_a_failure_says_what_and_what_to_do(ran: Ran | OSError, said: str, todo: str) -> None:
    """No bare number: the command, Postfix's own words, what the code means, the remedy."""
    told = words(("postqueue", "-j"), ran)
    assert told.startswith("`postqueue -j`: ")
    what, _, remedy = told.rpartition("; ")
    assert said in what
    assert todo in remedy


@given(st.integers(-64, 255), st.binary(max_size=2000))
def test_whatever_a_command_says_is_told_on_one_short_line(code: int, err: bytes) -> None:
    """Bytes that are no text, control characters, floods: one printable line."""
    told = words(("postqueue", "-j"), Ran(code, b"", err))
    assert (told == "") == (code == 0)
    assert len(told) < 600
    assert told.isprintable()


def test_a_flood_of_complaints_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A command that writes megabytes to its standard error ends, and little of it is kept."""
    script = tmp_path / "flood"
    script.write_text("#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x >&2\nexit 3\n")
    script.chmod(0o755)
    ran = asyncio.run(run_command((str(script),), 20))
    assert ran.code == 3
    assert 0 < len(ran.err) <= 65_536


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    """The process is gone when its time is up."""
    script = tmp_path / "hang"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(run_command((str(script),), 0.1))


def test_a_command_tells_its_code_output_and_complaint(tmp_path: Path) -> None:
    """Arguments arrive as they are, whatever characters they hold."""
    script = tmp_path / "echo"
    script.write_text('#!/bin/sh\nprintf "%s|" "$@"\necho oh >&2\nexit 3\n')
    script.chmod(0o755)
    told = asyncio.run(run_command((str(script), "-i", "$(x) ;"), 10))
    assert told == Ran(3, b"-i|$(x) ;|", b"oh\n")


class Play:
    """A hand whose commands have the outcomes that a test says."""

    def __init__(self) -> None:
        self.flush = self.list = Ran(0)
        self.hand = Postqueue("postqueue", (), 1.0, lambda: 0.0, run=self._run)

    async def _run(self, command: tuple[str, ...], timeout: float) -> Ran:
        return self.list if command[-1] == "-j" else self.flush

    def let_go(self) -> str:
        return asyncio.run(self.hand.let_go("4jcBLw3WDjzKdm1"))

    def check(self) -> str:
        return asyncio.run(self.hand.check())

    def listing(self) -> bytes:
        return asyncio.run(self.hand.listing())


def test_one_message_that_cannot_be_let_go_is_no_trouble_yet_but_three_are() -> None:
    """And the first that goes ends it."""
    play = Play()
    play.flush = Ran(69, b"", FLUSH)
    assert [bool(play.let_go() and play.hand.trouble) for _ in range(3)] == [False, False, True]
    assert "authorized_flush_users" in play.hand.trouble
    play.flush = Ran(0)
    assert play.let_go() == play.hand.trouble == ""


def test_a_check_that_fails_is_a_trouble_before_anything_waits() -> None:
    """It ends with the next check, or with a message that goes."""
    for mended in (Play.check, Play.let_go):
        play = Play()
        play.flush = Ran(69, b"", NETLINK)
        assert play.check() == play.hand.trouble != ""
        assert not play.hand.away
        play.flush = Ran(0)
        assert mended(play) == play.hand.trouble == ""


def test_a_queue_that_cannot_be_read_is_a_trouble_until_it_can() -> None:
    """What is held there is not known."""
    play = Play()
    play.list = Ran(69, b"", VIEW)
    with pytest.raises(HandError, match="authorized_mailq_users"):
        play.listing()
    assert "authorized_mailq_users" in play.hand.trouble
    play.list = Ran(0, b"{}\n")
    assert play.listing() == b"{}\n"
    assert play.hand.trouble == ""


@pytest.mark.parametrize(
    ("err", "away"), [(DOWN, True), (NO_GROUP, False), (NETLINK, False), (FLUSH, False)]
)
def test_a_postfix_that_does_not_run_is_told_from_one_that_refuses(err: bytes, away: bool) -> None:
    """Who only reads a log needs none; who may not ask one must hear of it."""
    play = Play()
    play.flush = Ran(69, b"", err)
    play.check()
    assert play.hand.away is away
