"""Which log this machine has: a file with mail in it, the journal, or none.

Contract: `detect` looks, decides and says why; it opens nothing for good. A log that was asked for
is taken as it is, also where it does not exist yet. Otherwise the first of the usual files that is
readable and has mail in it, unless the journal has mail that is newer by more than an hour (a file
left over from before the machine stopped writing it). `newest_entry` is the journal's last mail.
Failure: none; a journalctl that is missing or fails means that there is no journal.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from logparse.auto import recognise
from logparse.errors import LogError
from logparse.journal import MAIL, Journal
from logparse.packedfile import open_generation
from logparse.rotated import rotated
from logparse.source import Position, Source
from logparse.tail import Tail

__all__ = ["USUAL", "SourceChoice", "detect", "newest_entry"]

USUAL = (
    "/var/log/mail.log",
    "/var/log/maillog",
    "/var/log/mail/mail.log",
    "/var/log/mail",
    "/var/log/mail.info",
    "/var/log/postfix.log",
    "/var/log/exim4/mainlog",
    "/var/log/exim/mainlog",
    "/var/log/exim/main.log",
    "/var/log/exim_mainlog",
    "/var/log/syslog",
    "/var/log/messages",
)
_LOOK = 1 << 17  # bytes at the start and at the end of a file
_STALE = 3600.0  # seconds a file may be older than the journal's last mail

_SOME_TIME = 0.0  # when a line was written does not matter here


class SourceChoice(NamedTuple):
    """A log to follow; `open` needs a kind other than "none"."""

    kind: Literal["file", "journal", "none"]
    path: str | None
    why: str
    olddir: str = ""  # where rotated files of the file are moved

    def open(self, position: Position | None = None, *, since: str | None = "-1d") -> Source:
        """The source, from a position on; `since` is where a journal never read begins."""
        if self.kind == "file" and self.path is not None:
            return Tail(self.path, position, patterns=(f"{self.olddir}/",) if self.olddir else ())
        if self.kind == "journal":
            return Journal(position, since=since)
        raise LogError(f"there is no log to open: {self.why}")


def newest_entry(command: str = "journalctl") -> float | None:
    """When the journal's last mail entry was written, in POSIX seconds; None: there is none."""
    words = [command, "--quiet", "--no-pager", "--output=json", "--lines=1", "--reverse", MAIL[0]]
    try:
        done = subprocess.run(words, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(rb'"__REALTIME_TIMESTAMP"\s*:\s*"(\d+)"', done.stdout)
    return int(found[1]) / 1_000_000 if found else None


def detect(
    log: str | None = None,
    *,
    usual: Sequence[str] = USUAL,
    journal: Callable[[], float | None] = newest_entry,
) -> SourceChoice:
    """The log to follow; `log`: "journal", or a file, asked for by the operator."""
    if log == "journal":
        return SourceChoice("journal", None, "asked for")
    if log:
        return SourceChoice("file", log, "asked for")
    newest = journal()
    denied = []
    for path in usual:
        try:
            written = _last_mail(path)
        except OSError:
            denied.append(path)
            continue
        if written is None:
            continue
        if newest is not None and newest > written + _STALE:
            return SourceChoice("journal", None, f"it has newer mail than {path}")
        return SourceChoice("file", path, "it has mail in it")
    if newest is not None:
        return SourceChoice("journal", None, "it has mail in it")
    if denied:
        return SourceChoice("none", None, f"{', '.join(denied)} cannot be read by this user")
    return SourceChoice("none", None, "no file and no journal with mail in it")


def _last_mail(path: str) -> float | None:
    """When a log was written last, None where it has no mail in it; it may be just rotated."""
    if not Path(path).is_file():
        return None
    for name in [path, *[entry.path for entry in reversed(rotated(path))][:1]]:
        if _has_mail(name):
            return os.stat(path).st_mtime
    return None


def _has_mail(path: str) -> bool:
    try:
        file = open_generation(path)
    except LogError:
        return False
    try:
        if file.packed:
            return recognise(file.read(_LOOK), _SOME_TIME) > 0
    finally:
        file.release()
    with open(path, "rb") as plain:
        start = plain.read(_LOOK)
        plain.seek(max(0, os.fstat(plain.fileno()).st_size - _LOOK))
        return any(recognise(part, _SOME_TIME) for part in (start, plain.read(_LOOK)))
