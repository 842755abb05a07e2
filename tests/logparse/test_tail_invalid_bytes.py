"""Hazard: bytes that are no UTF-8."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.logparse.tailing import Plain, Reader, append, lines

BAD = b"2026-11-23T06:00:00+00:00 mx1 postfix/smtp[99]: \xff\xfe caf\xe9\n"


def write(log: Path) -> None:
    with log.open("ab") as file:
        file.write(BAD)
    append(log, 6, 7)


def test_pygtail_stops_at_one_invalid_byte_for_ever(log: Path, plain: Plain) -> None:
    """Plain Pygtail raises, again and again, and never gets past the line."""
    write(log)
    for _ in range(3):
        with pytest.raises(UnicodeDecodeError):
            plain.lines()


def test_invalid_bytes_pass_through(log: Path, ours: Reader) -> None:
    """Bytes are handed out as they are; to read them is the parser's business."""
    write(log)
    assert ours.lines() == [BAD, *lines(6, 7)]


def test_nul_bytes_of_a_hole_are_passed_over(log: Path, ours: Reader) -> None:
    """A writer with an offset of its own leaves a hole where the file was truncated under it."""
    size = log.stat().st_size
    log.with_name("mail.log.1").write_bytes(log.read_bytes())
    with log.open("r+b") as file:
        file.truncate(0)
        file.seek(size)
        file.write(b"".join(lines(6, 7)))
    assert ours.lines() == lines(6, 7)
    assert ours.gap == 0


def test_a_line_without_end_is_dropped_and_counted(log: Path, ours: Reader) -> None:
    """Megabytes without a newline are no log line."""
    with log.open("ab") as file:
        file.write(b"x" * 3_000_000 + b"\n")
    append(log, 6, 6)
    found = ours.lines()
    assert found[-1:] == lines(6, 6)
    assert ours.gap + sum(map(len, found)) == 3_000_001 + len(lines(6, 6)[0])
    assert ours.gap >= 2_000_000
