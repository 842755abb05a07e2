"""Hazard: rotated files have names of many kinds; hour-stamped ones are not in Pygtail's list."""

from __future__ import annotations

from pathlib import Path

import pytest

from logparse.archive import rotated_set
from logparse.detect import SourceChoice
from logparse.source import Source
from tests.logparse.tailing import Plain, Reader, append, lines, rename

# older, newer
NAMES = {
    "numbers": ("mail.log.2", "mail.log.1"),
    "more than nine": ("mail.log.10", "mail.log.9"),
    "padded numbers, as of exicyclog": ("mail.log.02", "mail.log.01"),
    "savelog": ("mail.log.1", "mail.log.0"),
    "days": ("mail.log-20261122", "mail.log-20261123"),
    "hours": ("mail.log-2026112309", "mail.log-2026112310"),
    "hours with a dash": ("mail.log-20261123-09", "mail.log-20261123-10"),
    "seconds": ("mail.log-20261123-1795000000", "mail.log-20261123-1795003600"),
    "dots, as of TimedRotatingFileHandler": ("mail.log.2026-11-22", "mail.log.2026-11-23"),
    "date and time": ("mail.log.2026-11-23_09-00-00", "mail.log.2026-11-23_10-00-00"),
    "extension kept, numbers": ("mail.2.log", "mail.1.log"),
    "extension kept, days": ("mail-20261122.log", "mail-20261123.log"),
    "both kinds, after a change of logrotate.conf": ("mail.log.1", "mail.log-20261123"),
}


def rotate_twice(log: Path, older: str, newer: str) -> None:
    append(log, 6, 7)
    rename(log, older)
    append(log, 8, 9)
    rename(log, newer)
    append(log, 10, 10)


def test_pygtail_does_not_know_hours(log: Path, plain: Plain) -> None:
    """Plain Pygtail resets, and what stood in the rotated file is lost."""
    append(log, 6, 7)
    rename(log, "mail.log-2026112310")
    append(log, 8, 8)
    assert plain.lines() == lines(8, 8)


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_lines_are_found_under_any_name(log: Path, ours: Reader, names: tuple[str, str]) -> None:
    """Two generations that came while we were away are read in order."""
    ours.restart(lambda: rotate_twice(log, *names))
    assert ours.lines() == lines(6, 10)
    assert ours.gap == 0


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_a_rotated_set_is_listed_oldest_first(log: Path, names: tuple[str, str]) -> None:
    """Archives and followed logs know the same names."""
    rotate_twice(log, *names)
    assert rotated_set(log) == [str(log.with_name(name)) for name in (*names, "mail.log")]


@pytest.mark.parametrize(
    "name",
    ["mail.log.bak", "mail.log~", "mail.logs", "mail-2.log", "mail.log.1.tmp", "xmail.log.1"],
)
def test_other_files_are_left_alone(log: Path, ours: Reader, name: str) -> None:
    """A name that no rotation makes is not a generation."""
    log.with_name(name).write_bytes(b"".join(lines(50, 60)))
    append(log, 6, 6)
    rename(log)
    append(log, 7, 7)
    assert ours.lines() == lines(6, 7)


@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_rotated_files_are_found_in_another_folder(
    log: Path, names: tuple[str, str], absolute: bool
) -> None:
    """Hazard: logrotate's olddir; the folder does not even exist before the first rotation."""
    old = log.parent / "old"
    choice = SourceChoice("file", str(log), "asked for", str(old) if absolute else "old")
    reader = choice.open()
    assert drained(reader) == (lines(1, 5), 0)
    position = reader.position
    reader.close()
    old.mkdir()
    rotate_twice(log, *(f"old/{name}" for name in names))
    reader = choice.open(position)
    assert drained(reader) == (lines(6, 10), 0)
    append(log, 11, 11)
    rename(log, "old/mail.log.0")
    append(log, 12, 12)
    assert drained(reader) == (lines(11, 12), 0)
    reader.close()


def drained(source: Source) -> tuple[list[bytes], int]:
    """All lines that are there, and what was lost."""
    data, gap = b"", 0
    while (block := source.read()) is not None:
        data, gap = data + block.data, gap + block.gap
    return data.splitlines(keepends=True), gap
