"""The systemd journal as a source, on journal files made by systemd-journal-remote."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logparse.errors import LogError
from logparse.journal import DROPPED, MAIL, Journal

REMOTE = "/lib/systemd/systemd-journal-remote"
pytestmark = pytest.mark.needs("journalctl", REMOTE)
START = 1_795_000_000_000_000  # microseconds

Fields = dict[str, str | bytes]


def entry(number: int, **fields: str | bytes) -> Fields:
    """One mail entry, a second after the one before."""
    return {
        "__REALTIME_TIMESTAMP": str(START + number * 1_000_000),
        "_BOOT_ID": "0123456789abcdef0123456789abcdef",
        "__MONOTONIC_TIMESTAMP": str(number * 1_000_000),
        "_HOSTNAME": "mx1",
        "SYSLOG_IDENTIFIER": "postfix/smtp",
        "SYSLOG_FACILITY": "2",
        "_PID": "99",
        "MESSAGE": f"line {number}: removed",
    } | fields


def export(entries: list[Fields]) -> bytes:
    """The journal's export format; a value with a newline needs its binary form."""
    text = b""
    for fields in entries:
        for name, value in fields.items():
            data = value.encode() if isinstance(value, str) else value
            if b"\n" in data or not data.isascii():
                text += name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
            else:
                text += name.encode() + b"=" + data + b"\n"
        text += b"\n"
    return text


def write(path: Path, entries: list[Fields]) -> Path:
    """Add entries to a journal file."""
    subprocess.run(
        [REMOTE, "--output", str(path), "-"], input=export(entries), check=True, capture_output=True
    )
    return path


def line(number: int) -> bytes:
    """The line that `entry` becomes."""
    seconds = START // 1_000_000 + number
    stamp = subprocess.run(
        ["date", "-u", "-d", f"@{seconds}", "+%Y-%m-%dT%H:%M:%S"], capture_output=True, check=True
    )
    return stamp.stdout.strip() + b".000000Z mx1 postfix/smtp[99]: line %d: removed\n" % number


class Reader:
    """A journal with a stored position."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gap = 0
        self.journal = Journal(files=[path])

    def lines(self) -> list[bytes]:
        """All that is there, until the journal says that it waits."""
        found = b""
        while (block := self.journal.read()) is not None:
            found += block.data
            self.gap += block.gap
            if block.end:
                break
        return found.splitlines(keepends=True)

    def restart(self, position: dict[str, Any] | None = None) -> None:
        """End, and begin again where the position says."""
        position = position or json.loads(json.dumps(self.journal.position))
        self.journal.close()
        self.journal = Journal(position, files=[self.path])


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A journal with five entries."""
    reader = Reader(write(tmp_path / "mail.journal", [entry(n) for n in range(1, 6)]))
    yield reader
    reader.journal.close()


def test_entries_are_lines(reader: Reader) -> None:
    """Each entry is one line in the shape of a syslog file, with the journal's time in UTC."""
    assert reader.lines() == [line(number) for number in range(1, 6)]
    assert reader.gap == 0


def test_reading_goes_on_behind_the_cursor(reader: Reader) -> None:
    """A restart hands out nothing twice and nothing too little."""
    assert len(reader.lines()) == 5
    reader.journal.close()
    write(reader.path, [entry(number) for number in (6, 7)])
    reader.restart()
    assert reader.lines() == [line(6), line(7)]
    reader.restart()
    assert reader.lines() == []
    assert reader.gap == 0


def test_every_position_is_exact(tmp_path: Path) -> None:
    """Whatever block was committed last, the next reader goes on after it."""
    path = write(tmp_path / "mail.journal", [entry(number) for number in range(1, 41)])
    reader, seen, positions = Reader(path), 0, []
    while (block := reader.journal.read(limit=3000)) is not None:
        seen += block.data.count(b"\n")
        positions.append((seen, block.position))
    assert len(positions) > 3
    for count, position in positions[:: max(1, len(positions) // 4)]:
        reader.restart(dict(position))
        assert [text.split()[-2].rstrip(b":") for text in reader.lines()] == [
            str(number).encode() for number in range(count + 1, 41)
        ]
    reader.journal.close()
    assert reader.gap == 0


def test_what_comes_later_is_followed(reader: Reader) -> None:
    """Once the backlog is read, a second journalctl waits for new entries."""
    assert len(reader.lines()) == 5
    write(reader.path, [entry(6)])
    found: list[bytes] = []
    for _ in range(500):
        found += reader.lines()
        if found:
            break
        subprocess.run(["true"], check=True)  # a moment, without a clock
    assert found == [line(6)]


def test_other_facilities_are_not_read(tmp_path: Path) -> None:
    """The journal of a busy machine holds more than mail."""
    entries = [entry(1), entry(2, SYSLOG_FACILITY="3"), entry(3)]
    reader = Reader(write(tmp_path / "mail.journal", entries))
    assert reader.lines() == [line(1), line(3)]
    reader.journal.close()


def test_a_unit_can_be_asked_for(tmp_path: Path) -> None:
    """Trusted fields keep out what other programs write under Postfix's name."""
    unit = "postfix@-.service"
    entries = [entry(1, _SYSTEMD_UNIT=unit), entry(2, _SYSTEMD_UNIT="evil.service")]
    path = write(tmp_path / "mail.journal", entries)
    journal = Journal(files=[path], matches=[f"_SYSTEMD_UNIT={unit}"])
    block = journal.read()
    journal.close()
    assert block is not None
    assert block.data == line(1)


def test_a_message_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    """Newlines and bytes that are no UTF-8 do not break the line, or forge another one."""
    forged = b"x\n2026-11-23T06:00:00Z mx1 postfix/smtp[1]: 4D1: to=<a@b>, status=sent (250)"
    path = write(
        tmp_path / "mail.journal", [entry(1, MESSAGE=forged), entry(2, MESSAGE=b"caf\xe9 \xff")]
    )
    reader = Reader(path)
    found = reader.lines()
    reader.journal.close()
    assert len(found) == 2
    assert found[0].endswith(b": " + forged.replace(b"\n", b" ") + b"\n")
    assert found[1].endswith(b": caf\xe9 \xff\n")


def test_a_cursor_in_a_message_is_only_text(tmp_path: Path) -> None:
    """The position is the journal's, not what somebody wrote into a message."""
    lie = '"__CURSOR":"s=0;i=1;b=0;m=0;t=0;x=0","__CURSOR" : "s=1"'
    reader = Reader(
        write(tmp_path / "mail.journal", [entry(1, MESSAGE=lie), entry(2, MESSAGE=lie)])
    )
    assert len(reader.lines()) == 2
    reader.restart()
    assert reader.lines() == []
    reader.journal.close()
    assert reader.gap == 0


def test_entries_that_are_gone_are_a_gap(
    tmp_path: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the entry at the cursor was vacuumed, others may have been as well."""
    reader.lines()
    position = dict(reader.journal.position)
    reader.journal.close()
    other = write(tmp_path / "later.journal", [entry(number) for number in range(9, 12)])
    reader.path = other
    reader.restart(position)
    assert reader.lines() == [line(number) for number in range(9, 12)]
    assert reader.gap == 1
    assert "not in the journal any more" in caplog.text


def test_nothing_left_is_a_gap(tmp_path: Path, reader: Reader) -> None:
    """Also a journal that was emptied is noticed."""
    reader.lines()
    position = dict(reader.journal.position)
    reader.path = write(tmp_path / "empty.journal", [entry(1, SYSLOG_FACILITY="3")])
    reader.restart(position)
    assert reader.lines() == []
    assert reader.gap == 1


@pytest.mark.parametrize("cursor", ["", "nonsense", 7, None, "s=1;i=2 --flag"])
def test_a_damaged_cursor_leads_to_the_end(reader: Reader, cursor: object) -> None:
    """Better a gap that is told than entries counted twice."""
    reader.restart({"cursor": cursor})
    assert reader.lines() == []
    assert reader.gap == 1


def test_messages_that_journald_dropped_are_a_gap(tmp_path: Path) -> None:
    """A burst of mail over RateLimitBurst= is lost before anybody can read it; it is counted."""
    dropped = entry(
        2,
        SYSLOG_FACILITY="5",
        SYSLOG_IDENTIFIER="systemd-journald",
        MESSAGE_ID=DROPPED,
        _TRANSPORT="driver",
        MESSAGE="Suppressed 321 messages from postfix@-.service",
        N_DROPPED="321",
    )
    cron = dropped | {"MESSAGE": "Suppressed 5 messages from cron.service", "N_DROPPED": "5"}
    forged = dropped | {"_TRANSPORT": "syslog"}
    reader = Reader(write(tmp_path / "mail.journal", [entry(1), dropped, cron, forged, entry(3)]))
    reader.lines()
    reader.journal.close()
    assert reader.gap == 321


def test_a_failing_journalctl_is_told_and_tried_again(tmp_path: Path) -> None:
    """Its own words are the error; the next read starts it anew."""
    path = tmp_path / "journalctl"
    path.write_text("#!/bin/sh\necho 'No journal files were found.' >&2\nexit 1\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    journal = Journal(journalctl=str(path))
    for _ in range(2):
        with pytest.raises(LogError, match=r"failed: No journal files were found\."):
            journal.read()


def test_a_missing_journalctl_is_told(tmp_path: Path) -> None:
    """A machine without systemd has no journal."""
    with pytest.raises(LogError, match="cannot run"):
        Journal(journalctl=str(tmp_path / "none")).read()


def test_a_journalctl_that_dies_is_started_again(reader: Reader) -> None:
    """While following: an error, and then on from the last cursor."""
    assert len(reader.lines()) == 5
    assert reader.lines() == []
    process = reader.journal._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(LogError, match="ended by itself"):
        reader.lines()
    write(reader.path, [entry(6)])
    reader.restart()
    assert reader.lines() == [line(6)]


def test_the_default_is_the_facility_mail() -> None:
    """Postfix and a syslogging Exim use it, and nothing has to be known about units."""
    assert MAIL[0] == "SYSLOG_FACILITY=2"


def test_what_tells_no_event_is_an_empty_line(tmp_path: Path) -> None:
    """Most of Postfix's entries are not even read; they count as lines, and nothing is lost."""
    words = ["connect from a.test[192.0.2.1]", "4ABC12: from=<a@b.test>, size=9", "4ABC12: removed"]
    entries = [entry(number, MESSAGE=text) for number, text in enumerate(words, 1)]
    reader = Reader(write(tmp_path / "mail.journal", entries))
    lines = reader.lines()
    assert lines[0] == b"\n"
    assert [text.partition(b"]: ")[2] for text in lines[1:]] == [
        b"4ABC12: from=<a@b.test>, size=9\n",
        b"4ABC12: removed\n",
    ]
    assert reader.gap == 0
