"""Hazard: names of rotated files say nothing, and a log may lose its head or come back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.logparse.tailing import Reader, append, copytruncate, lines, rename

# older, newer: names whose digits are in no order, or that no rotation is known to give
NAMES = {
    "day, month, year": ("mail.log-30112026", "mail.log-01122026"),
    "the same with dashes": ("mail.log-30-11-2026", "mail.log-01-12-2026"),
    "month, day, year": ("mail.log-12312026", "mail.log-01012027"),
    "a ring of days": ("mail.log.31", "mail.log.01"),
    "a date before the extension": ("mail.2026-11-28.log", "mail.2026-11-29.log"),
    "a low line": ("mail.log_20261128", "mail.log_20261129"),
    "weeks": ("mail.log-2026W48", "mail.log-2026W49"),
    "weekdays": ("mail.log.Sat", "mail.log.Sun"),
    "words": ("mail.log.zulu", "mail.log.alpha"),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_generations_are_read_by_what_is_in_them(
    log: Path, ours: Reader, names: tuple[str, str]
) -> None:
    """Down over two rotations: every line once, in order, whatever names and times say."""

    def away() -> None:
        append(log, 6, 7)
        older = rename(log, names[0])
        append(log, 8, 9)
        newer = rename(log, names[1])
        append(log, 10, 10)
        os.utime(older, (2_000_000_001, 2_000_000_001))  # copied back from elsewhere
        os.utime(newer, (2_000_000_000, 2_000_000_000))

    ours.restart(away)
    assert ours.lines() == lines(6, 10)
    assert ours.gap == 0


@pytest.mark.parametrize("name", ["mail.log.bak", "maillog.processed", "x", "mail.log.Sat"])
@pytest.mark.parametrize("rotate", [rename, copytruncate])
def test_the_file_we_read_is_found_under_any_name(
    log: Path, ours: Reader, name: str, rotate: Callable[[Path, str], Path]
) -> None:
    """Its inode or its beginning is known: renamed or copied away, it is read to its end."""

    def away() -> None:
        append(log, 6, 7)
        rotate(log, name)
        append(log, 8, 8)

    ours.restart(away)
    assert ours.lines() == lines(6, 8)
    assert ours.gap == 0


@pytest.mark.parametrize("down", [False, True], ids=["running", "down"])
@pytest.mark.parametrize("cut", [1, 4])
def test_a_trimmed_head_counts_nothing_twice(log: Path, ours: Reader, down: bool, cut: int) -> None:
    """``tail -n +N log > new; mv new log``: reading goes on behind the lines we know."""

    def trim() -> None:
        append(log, 6, 6)
        new = log.with_name("new")
        new.write_bytes(b"".join(lines(1 + cut, 6)))
        new.replace(log)
        append(log, 7, 7)

    if down:
        ours.restart(trim)
    else:
        trim()
    assert ours.lines() == lines(6, 7)
    assert ours.gap == 0


@pytest.mark.parametrize("down", [False, True], ids=["running", "down"])
def test_a_folder_switched_away_and_back(tmp_path: Path, down: bool) -> None:
    """A link leads to A, to B, and to A again: no line of A is counted twice."""
    for name in "ab":
        (tmp_path / name).mkdir()
    link, new = tmp_path / "log", tmp_path / "new"

    def switch(name: str) -> None:
        new.symlink_to(name)
        new.replace(link)

    switch("a")
    append(tmp_path / "a" / "mail.log", 1, 5)
    ours = Reader(link / "mail.log")
    assert ours.lines() == lines(1, 5)
    append(tmp_path / "b" / "mail.log", 6, 8)
    switch("b")
    if down:
        ours.restart()
    assert ours.lines() == lines(6, 8)
    switch("a")
    append(tmp_path / "a" / "mail.log", 9, 9)
    if down:
        ours.restart()
    assert ours.lines() == lines(9, 9)
    ours.tail.close()


def test_a_pipe_in_place_of_the_log_holds_nobody_up(log: Path, ours: Reader) -> None:
    """It is said and waited for; the reader never waits for a writer."""
    log.unlink()
    os.mkfifo(log)
    assert ours.lines() == []
    assert "no regular file" in str(ours.tail.waiting)
    ours.restart()
    assert ours.lines() == []
    assert "no regular file" in str(ours.tail.waiting)
    log.unlink()
    append(log, 6, 6)
    assert ours.lines() == lines(6, 6)
