"""Hazard: the log is copied away and truncated, and may have grown past the old offset since."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.logparse.tailing import Plain, Reader, append, copytruncate, lines

SHORTER, LONGER = (8, 8), (8, 30)  # lines written after the rotation


@pytest.mark.parametrize("after", [LONGER], ids=["regrown"])
def test_pygtail_loses_lines(log: Path, plain: Plain, after: tuple[int, int]) -> None:
    """Plain Pygtail goes on at the old offset of a file that is another one now."""
    append(log, 6, 7)
    copytruncate(log)
    append(log, *after)
    found = plain.lines()
    assert set(lines(6, after[1])) - set(found)


@pytest.mark.parametrize("after", [SHORTER, LONGER], ids=["shorter", "regrown"])
@pytest.mark.parametrize("away", [False, True], ids=["running", "away"])
def test_every_line_is_read_once(
    log: Path, ours: Reader, after: tuple[int, int], away: bool
) -> None:
    """The rest is read from the copy, then the log from its new beginning."""

    def rotate() -> None:
        append(log, 6, 7)
        copytruncate(log)
        append(log, *after)

    if away:
        ours.restart(rotate)
    else:
        rotate()
    assert ours.lines() == lines(6, after[1])
    assert ours.gap == 0


def test_regrown_to_the_very_same_size(log: Path, ours: Reader) -> None:
    """The same length is not the same file."""
    copytruncate(log)
    append(log, 6, 9)
    missing = log.with_name("mail.log.1").stat().st_size - log.stat().st_size
    with log.open("ab") as file:
        file.write(b"x" * (missing - 1) + b"\n")
    assert log.stat().st_size == log.with_name("mail.log.1").stat().st_size
    assert ours.lines()[:4] == lines(6, 9)


def test_truncated_without_a_copy_is_a_gap(log: Path, ours: Reader) -> None:
    """What was there since the last look is lost, and it is said."""
    append(log, 6, 7)
    ours.restart(lambda: log.write_bytes(lines(8, 8)[0]))
    assert ours.lines() == lines(8, 8)
    assert ours.gap >= 1


def test_a_copy_in_the_making_is_not_read_twice(log: Path, ours: Reader) -> None:
    """Between copying and truncating there are two files with the same lines."""

    def rotate_and_copy() -> None:
        log.rename(log.with_name("mail.log.2"))
        append(log, 6, 9)
        log.with_name("mail.log.1").write_bytes(log.read_bytes())

    ours.restart(rotate_and_copy)
    assert ours.lines() == lines(6, 9)
    log.write_bytes(b"")
    append(log, 10, 11)
    assert ours.lines() == lines(10, 11)
    assert ours.gap == 0


def test_twice_between_two_reads(log: Path, ours: Reader) -> None:
    """Two copies are two generations."""
    append(log, 6, 7)
    copytruncate(log, "mail.log.2")
    append(log, 8, 9)
    copytruncate(log, "mail.log.1")
    append(log, 10, 11)
    assert ours.lines() == lines(6, 11)
    assert ours.gap == 0
