"""The systemd journal as a source of log lines, by way of `journalctl` and its cursors.

Contract: see `logparse.source`. Entries come as one line each in the shape of a syslog file, with
the journal's own time in UTC; one of Postfix's that tells no event is not read, and comes as an
empty line. What stands in the journal at the start is read first, by a
journalctl that ends; a second one waits for what comes. By default all entries of the facility
mail are read (Postfix, and Exim where it logs to syslog); `matches` are journalctl's, such as
`_SYSTEMD_UNIT=postfix@-.service`, and exclude what other programs write under the same name.
Failure: `LogError` with journalctl's words; the next `read` starts it again from the last cursor.
Where the entry at the cursor is gone (vacuumed, or the journal was removed), entries after it may
be gone as well: a gap of at least one byte is told and logged. Messages that journald itself let
fall are a gap of a byte each.
"""

from __future__ import annotations

import logging
import os
import re
import select
import subprocess
from collections.abc import Callable, Sequence
from typing import NoReturn

from logparse.errors import LogError
from logparse.framing import is_dull
from logparse.source import LIMIT, Block, Position
from logparse.wrapping import unwrap

__all__ = ["MAIL", "Journal"]

_log = logging.getLogger(__name__)

# All of the facility mail, and journald's own words when it lets messages fall (RateLimitBurst=)
DROPPED = "a596d6fe7bfa4994828e72309e95d61e"
MAIL = ("SYSLOG_FACILITY=2", "+", f"MESSAGE_ID={DROPPED}", "_TRANSPORT=driver")
SILENCE = 20.0  # seconds journalctl may take for the next entry of what is there already

# Quotes inside a value are escaped: this cannot be a part of a message
_CURSOR = re.compile(rb'"__CURSOR"\s*:\s*"([^"\\]+)"')
_COUNT = re.compile(rb'"N_DROPPED"\s*:\s*"(\d{1,9})"')
_OURS = re.compile(rb"from [^ \"]*(?:postfix|exim)")
_SHAPE = re.compile(r"s=[0-9a-f]+;i=[0-9a-f]+;b=[0-9a-f]+;m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+")


class Journal:
    """See the module."""

    def __init__(
        self,
        position: Position | None = None,
        *,
        matches: Sequence[str] = MAIL,
        files: Sequence[str | os.PathLike[str]] = (),
        since: str | None = None,
        journalctl: str = "journalctl",
        options: Sequence[str] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`since` (as journalctl reads it) is where to begin without a position.

        `options`: which journals, as `--merge`. With a `clock` others wait for their turn, so
        `read` does not wait for journalctl, and `starting` tells that there is more to come.
        """
        self._command = [journalctl, "--quiet", "--output=json", "--all", "--no-pager", *options]
        self._command += [f"--file={os.fspath(file)}" for file in files]
        self._clock = clock
        self._silent_since: float | None = None  # while others are read meanwhile
        self._matches = tuple(matches)
        self._since = since
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._following = False  # False: what stood there at the start is not read yet
        self._from_now = False
        self._part = b""  # of an entry
        self._gap = 0
        self._cursor: str | None = None  # of the last entry handed out
        if position:
            self._take(position.get("cursor"))
        self._expected: str | None = None  # the first entry must be the one we know

    def _take(self, cursor: object) -> None:
        if isinstance(cursor, str) and _SHAPE.fullmatch(cursor):
            self._cursor = cursor
        else:  # what was read is not known: better a gap than lines counted twice
            self._lost(f"the stored position is damaged ({str(cursor)[:80]})")
            self._following = self._from_now = True

    @property
    def position(self) -> Position:
        """The cursor of the last entry handed out."""
        return {"cursor": self._cursor} if self._cursor else {}

    @property
    def starting(self) -> bool:
        """Whether what stood in the journal at the start is not read to its end yet."""
        return not self._following

    def read(self, limit: int = LIMIT) -> Block | None:
        """The next entries as lines; waits for journalctl only for what is in the journal."""
        if self._process is None:
            self._start()
        if self._clock and not self._following and self._is_silent(self._clock()):
            return None
        data = self._fetch(limit)
        if not data and not self._following:
            self._end_of_backlog()
        whole, newline, self._part = (self._part + data).rpartition(b"\n")
        entries = self._unseen((whole + newline).splitlines(keepends=True))
        self._note_dropped(whole)
        gap, self._gap = self._gap, 0
        if not entries and not gap:
            return self.read(limit) if data else None
        if entries and (found := _CURSOR.search(entries[-1])):
            self._cursor = found[1].decode()
        lines = b"".join(map(_line, entries))
        return Block(lines, self.position, gap, end=self._following and len(data) < limit)

    def close(self) -> None:
        """End journalctl."""
        process, self._process = self._process, None
        self._part = b""
        if process is not None:
            process.kill()
            process.communicate()

    def _start(self) -> None:
        command = list(self._command)
        self._expected = None if self._following else self._cursor
        if self._following:
            command.append("--follow")
            command.append("--lines=0" if self._from_now else "--no-tail")
        if self._cursor:
            place = "after-cursor" if self._following else "cursor"
            command.append(f"--{place}={self._cursor}")
        elif self._since and not self._from_now:
            command.append(f"--since={self._since}")
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen([*command, *self._matches], stdout=pipe, stderr=pipe)
        except OSError as error:
            raise LogError(f"cannot run {command[0]}: {error.strerror}") from error
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)

    def _is_silent(self, now: float) -> bool:
        """Whether journalctl has nothing to say yet; after `SILENCE` it is an error."""
        pipe = select.poll()
        pipe.register(self._pipe, select.POLLIN)
        if pipe.poll(0):
            self._silent_since = None
            return False
        self._silent_since = now if self._silent_since is None else self._silent_since
        if now - self._silent_since < SILENCE:
            return True
        self._silent_since = None
        self.close()
        raise LogError(f"journalctl said nothing for {SILENCE:.0f} seconds")

    def _fetch(self, limit: int) -> bytes:
        """Some of what journalctl wrote; b"" at the end of the backlog, or nothing for now."""
        pipe = select.poll()  # select() fails in a process with more than a thousand connections
        pipe.register(self._pipe, select.POLLIN)
        if not pipe.poll(0 if self._following else SILENCE * 1000):
            if self._following:
                return b""
            self.close()
            raise LogError(f"journalctl said nothing for {SILENCE:.0f} seconds")
        data = os.read(self._pipe, limit)
        if not data and self._following:
            self._fail("ended by itself")
        return data

    def _end_of_backlog(self) -> None:
        assert self._process is not None
        if self._process.wait():
            self._fail("failed")
        if self._expected:  # not a single entry: the one we know is not there
            self._expected = None
            self._lost("the entry we read last is not in the journal any more")
        self.close()
        self._following = True

    def _unseen(self, entries: list[bytes]) -> list[bytes]:
        """Without the entry we know already; it must be the first."""
        if self._expected and entries:
            found = _CURSOR.search(entries[0])
            if found and found[1].decode() == self._expected:
                del entries[0]
            else:
                self._lost("the entry we read last is not in the journal any more")
            self._expected = None
        return entries

    def _note_dropped(self, entries: bytes) -> None:
        """Count what journald did not take down: its limit is easily met by a busy MTA."""
        if DROPPED.encode() not in entries:
            return
        for entry in entries.splitlines():
            count = _COUNT.search(entry)
            if count and b'"_TRANSPORT":"driver"' in entry and _OURS.search(entry):
                self._gap += int(count[1])
                _log.warning(
                    "journald dropped %d messages of the MTA; see RateLimitBurst= in"
                    " journald.conf(5)",
                    int(count[1]),
                )

    def _fail(self, how: str) -> NoReturn:
        assert self._process is not None
        self._process.kill()
        words = self._process.communicate()[1].decode("utf-8", "replace").split("\n")[0]
        self.close()
        raise LogError(f"journalctl {how}: {words or 'it gave no reason'}")

    def _lost(self, why: str) -> None:
        self._gap += 1
        _log.warning("the journal: an unknown number of entries is lost: %s", why)


def _line(entry: bytes) -> bytes:
    """The log line of an entry; reading JSON takes ten times as long as seeing that it is dull."""
    return b"\n" if is_dull(entry) else unwrap(entry[:-1]).text + b"\n"
