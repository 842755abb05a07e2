"""Which log a machine has."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from logparse.detect import detect
from logparse.errors import LogError
from logparse.journal import Journal
from logparse.tail import Tail

POSTFIX = (
    "Nov 23 06:00:00 mx1 postfix/smtp[99]: 4D00000001: to=<a@example.org>, status=sent (250)\n"
)
EXIM = (
    "2026-11-23 06:00:00 1vN6Rm-0000000AbCd-1xYz => a@example.org R=dns T=smtp H=mx [192.0.2.1]\n"
)
OTHER = "Nov 23 06:00:00 mx1 dovecot: imap-login: Login: user=<a>\n"
LINES = {
    "postfix": POSTFIX,
    "another instance": POSTFIX.replace("postfix/smtp", "postfix-out/relay/smtp"),
    "long queue id": POSTFIX.replace("4D00000001", "4hQRcz0Qsvz3bpV"),
    "RFC 3339": POSTFIX.replace("Nov 23 06:00:00", "2026-11-23T06:00:00.123456+01:00"),
    "exim": EXIM + "\n",
    "exim, old ids": EXIM.replace("1vN6Rm-0000000AbCd-1xYz", "1vN6Rm-0000aB-2c") + "\n",
    "exim by syslog": f"Nov 23 06:00:00 mx1 exim[99]: {EXIM[20:]}\n",
}


def nothing() -> None:
    return None


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_the_first_usual_file_with_mail_is_taken(tmp_path: Path, line: str) -> None:
    """Files without mail, empty files and missing files are passed over."""
    paths = [tmp_path / name for name in ("none", "empty", "other", "mail", "more")]
    for path, text in zip(paths[1:], ("", OTHER, OTHER + line, POSTFIX), strict=True):
        path.write_text(text)
    found = detect(usual=[str(path) for path in paths], journal=nothing)
    assert (found.kind, found.path) == ("file", str(tmp_path / "mail"))


def test_mail_may_stand_deep_in_the_file_or_in_the_rotated_one(tmp_path: Path) -> None:
    """A log that was rotated a minute ago is still the mail log."""
    large, fresh = tmp_path / "large", tmp_path / "fresh"
    large.write_text(OTHER * 20_000 + POSTFIX)
    fresh.touch()
    fresh.with_name("fresh.1.gz").write_bytes(gzip.compress(POSTFIX.encode()))
    assert detect(usual=[str(large)], journal=nothing).path == str(large)
    assert detect(usual=[str(fresh)], journal=nothing).path == str(fresh)


def test_the_journal_is_taken_where_no_file_has_mail(tmp_path: Path) -> None:
    """Debian 12 writes no mail.log by default."""
    found = detect(usual=[str(tmp_path / "none")], journal=lambda: 1.0)
    assert found.kind == "journal"


@pytest.mark.parametrize(("newer", "kind"), [(3000.0, "file"), (90_000.0, "journal")])
def test_a_file_left_over_from_old_times_is_not_taken(
    tmp_path: Path, newer: float, kind: str
) -> None:
    """After an upgrade there is an old mail.log, while mail goes to the journal."""
    path = tmp_path / "mail.log"
    path.write_text(POSTFIX)
    os.utime(path, (1e9, 1e9))
    assert detect(usual=[str(path)], journal=lambda: 1e9 + newer).kind == kind


def test_what_was_asked_for_is_taken(tmp_path: Path) -> None:
    """Also where it does not exist yet, and whatever else there is."""
    path = str(tmp_path / "later.log")
    assert detect(path, journal=lambda: 1.0)[:2] == ("file", path)
    assert detect("journal", journal=nothing).kind == "journal"


def test_nothing_is_said_with_its_reason(tmp_path: Path) -> None:
    """The reason is for people: nothing there, or nothing we may read."""
    found = detect(usual=[str(tmp_path / "none")], journal=nothing)
    assert (found.kind, found.path) == ("none", None)
    with pytest.raises(LogError, match="no file and no journal"):
        found.open()


def test_a_choice_opens_its_source(tmp_path: Path) -> None:
    """A file is followed, the journal is asked."""
    file = detect(str(tmp_path / "mail.log")).open()
    journal = detect("journal").open({}, since="-1d")
    assert isinstance(file, Tail)
    assert isinstance(journal, Journal)
    file.close()
    journal.close()
