"""The hand on Postfix's queue: let one message go, list the queue, know whether that works.

Contract: `Postqueue` runs `postqueue` without a shell, with the daemon's own rights in the daemon's
own sandbox; what it lets go it lets flush(8) do without a process (policyd.postfix.flush) where it
can. Every failure becomes words that say what and what to do. `trouble` is the present state: a
request that failed, until one succeeds. `check` makes such a request for a queue id that cannot
exist, which Postfix answers as any other and does nothing about. `asked` counts the ways that were
taken: `flush`, `postqueue`, and `fallback` where flush(8) was tried and postqueue had to do it.
Another MTA's hand offers the same three: `let_go`, `listing`, `check`.
Failure: `HandError` from `listing`; the others return the words, "" for success.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from policyd.errors import MxheedError
from policyd.postfix.flush import Flush

__all__ = ["HandError", "Postqueue", "Ran", "Run", "run_command", "words"]

_QUEUE_ID = re.compile(r"[0-9A-Za-z]{5,30}\Z")
_NOBODY = "0000000000"  # ids end in an inode number, and no inode has 0
_IN_A_ROW = 3  # a single message that could not be let go is no trouble yet
_READING = 6  # a listing may take so many times as long as a release,
_BRIEFER = 5  # an answer of flush(8) a fifth of it
_PREFIX = re.compile(r"^[\w/-]{1,40}: (?:warning|error|fatal): ")
_LONGEST = 300  # characters of what a command said

# sysexits(3), as far as postqueue uses them, in words
_MEANINGS = {
    64: "wrong usage",
    65: "wrong data",
    69: "the service is not available",
    70: "an internal error",
    71: "an error of the system",
    75: "a failure that may pass",
    77: "not permitted",
    78: "an error in Postfix's configuration",
}
_DOWN = "ail system is down"  # Postfix writes it with a capital, too
_POSTFIX_START = "postfix start starts it"
_INSTALLED = "is Postfix installed here? release.postqueue names its command"
# what is said, and what to do about it; the first that is found counts
_REMEDIES = (
    ("Address family not supported", "add AF_NETLINK to RestrictAddressFamilies= of the unit"),
    ("not allowed to flush", "add the daemon's user to authorized_flush_users in main.cf"),
    ("not allowed to view", "add the daemon's user to authorized_mailq_users in main.cf"),
    ("ermission denied", "put the daemon's user into the group postdrop"),
    ("alternate_config_directories", "name it there, in the main.cf of the machine's own Postfix"),
    (_DOWN, _POSTFIX_START),
    ("No such file", _INSTALLED),
    ("no end after", "is the machine overloaded? release.timeout says how long may be waited"),
)
_OTHERWISE = "run it by hand as the daemon's user"


class HandError(MxheedError):
    """The queue could not be read."""


class Ran(NamedTuple):
    """What a command gave."""

    code: int
    out: bytes = b""
    err: bytes = b""


Run = Callable[[tuple[str, ...], float], Awaitable[Ran]]


async def run_command(command: tuple[str, ...], timeout: float) -> Ran:
    """Run a command without a shell.

    The standard library starts it by vfork, at a tenth of what a fork of a process of our size
    costs (uvloop's); a thread waits for its end. Of what it complains the pipe takes some 64 KB;
    more is refused, so that nobody has to read along.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer
            )
        finally:
            os.close(writer)
        try:
            output, _ = await asyncio.to_thread(process.communicate, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            with process:  # closes the pipe and takes it away
                raise TimeoutError(f"no end after {timeout:g} s") from None
        except BaseException:
            process.kill()  # the thread takes it away
            raise
        return Ran(process.returncode, output, _read(reader))
    finally:
        os.close(reader)


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 65_536)
    except BlockingIOError:  # nothing, and a child of it keeps the pipe open
        return b""


def words(command: Sequence[str], ran: Ran | OSError) -> str:
    """What a failure means and what to do; "" for success."""
    if isinstance(ran, Ran) and ran.code == 0:
        return ""
    if isinstance(ran, OSError):
        said, how = str(ran.strerror or ran), ""
    else:
        said = _said(ran.err)
        how = f"ended by signal {-ran.code}" if ran.code < 0 else f"exit code {ran.code}"
        how += f": {_MEANINGS[ran.code]}" if ran.code in _MEANINGS else ""
    told = f"{said} ({how})" if said and how else said or how
    todo = next((todo for sign, todo in _REMEDIES if sign in told), _OTHERWISE)
    return f"`{' '.join(command)}`: {told}; {todo}"


def _said(err: bytes) -> str:
    """What it complained of, on one line: Postfix gives the reason first, then what it means."""
    lines = (_PREFIX.sub("", line) for line in err.decode("utf-8", "replace").splitlines())
    told = "; ".join(filter(None, map(str.strip, lines)))[:_LONGEST]
    return "".join(c if c.isprintable() else "?" for c in told)


class _Postfix(NamedTuple):
    """One Postfix."""

    command: tuple[str, ...]  # to which postqueue's options are added
    postconf: tuple[str, ...]  # what tells where its queue is
    flush: Flush


class Postqueue:
    """The hand on one or several Postfixes whose mail is paced together."""

    def __init__(
        self,
        command: str,
        directories: Sequence[str],
        timeout: float,
        clock: Callable[[], float],
        *,
        direct: bool = True,
        run: Run = run_command,
    ) -> None:
        postconf = os.path.join(os.path.dirname(command), "postconf")  # they are kept together
        places: list[tuple[str, ...]] = [("-c", one) for one in directories] or [()]
        # one for each Postfix; who does not have a message that is let go, takes no notice
        self._all = [
            _Postfix(
                (command, *place),
                (postconf, *place, "-xh", "queue_directory"),
                Flush(timeout / _BRIEFER, clock),
            )
            for place in places
        ]
        self._direct = direct
        self._timeout = timeout
        self._run = run
        self._in_a_row = 0  # releases that failed
        self._unlisted = ""  # why the queue could not be read the last time
        self._unreleased = ""  # why the last release failed
        self._unchecked = ""  # why the last check failed
        self.asked = {"flush": 0, "postqueue": 0, "fallback": 0}

    @property
    def away(self) -> bool:
        """Whether there is no Postfix here, or none that runs: then it holds nothing either."""
        return _POSTFIX_START in self.trouble or _INSTALLED in self.trouble

    @property
    def trouble(self) -> str:
        """Why held messages cannot be let go just now; "": they can."""
        unreleased = self._unreleased if self._in_a_row >= _IN_A_ROW else ""
        return self._unchecked or unreleased or self._unlisted

    @property
    def indirect(self) -> str:
        """Why a process is started for each release; "": none is."""
        if not self._direct:
            return "release.direct is false"
        return next(filter(None, (one.flush.why for one in self._all)), "")

    async def let_go(self, queue_id: str, *, direct: bool = True) -> str:
        """Ask every Postfix to deliver a message now; why none could be asked.

        Not `direct`: by postqueue, for what the short way seems not to have moved.
        """
        if not _QUEUE_ID.match(queue_id):
            return "not a queue id"
        failures = [await self._let_go(one, queue_id, direct) for one in self._all]
        if "" in failures:
            self._in_a_row = 0
            if not any(failures):
                self._unchecked = ""
            return ""
        self._in_a_row += 1
        self._unreleased = failures[0]
        return failures[0]

    async def _let_go(self, one: _Postfix, queue_id: str, direct: bool) -> str:
        tried = direct and not one.flush.why
        if tried and await one.flush.let_go(queue_id):
            self.asked["flush"] += 1
            return ""
        self.asked["fallback" if tried else "postqueue"] += 1
        return await self._tried(one, queue_id)

    async def listing(self) -> bytes:
        """Everything in the queue, `postqueue -j`; half of the truth is none."""
        found = []
        for one in self._all:
            asked = (*one.command, "-j")
            ran = await self._ran(asked, _READING * self._timeout)
            self._unlisted = words(asked, ran)
            if not isinstance(ran, Ran) or ran.code:
                raise HandError(self._unlisted)
            found.append(ran.out)
        return b"".join(found)

    async def check(self) -> str:
        """Whether each Postfix takes a release from us now."""
        failures = [await self._checked(one) for one in self._all]
        self._unchecked = next(filter(None, failures), "")
        if not self._unchecked:
            self._in_a_row = 0
        return self._unchecked

    async def _checked(self, one: _Postfix) -> str:
        """By postqueue, and by the short way."""
        failure = await self._tried(one, _NOBODY)
        if self._direct and not failure:
            ran = await self._ran(one.postconf, self._timeout)
            queue = os.fsdecode(ran.out).rstrip("\n") if isinstance(ran, Ran) else ""
            one.flush.path = f"{queue}/public/flush" if queue.startswith("/") else ""
            await one.flush.let_go(_NOBODY)
        return failure

    async def _tried(self, one: _Postfix, queue_id: str) -> str:
        command = (*one.command, "-i", queue_id)
        failure = words(command, await self._ran(command, self._timeout))
        one.flush.vouch(failure)
        return failure

    async def _ran(self, command: tuple[str, ...], timeout: float) -> Ran | OSError:
        try:
            return await self._run(command, timeout)
        except OSError as wrong:  # a time-out is one
            return wrong
