"""Hazard: the writer goes on in the renamed file for a while, even after the new one was begun."""

from __future__ import annotations

from pathlib import Path

from tests.logparse.tailing import Plain, Reader, append, lines, rename


def test_pygtail_loses_late_lines(log: Path, plain: Plain) -> None:
    """Plain Pygtail never looks at the renamed file again."""
    older = rename(log)
    append(log, 6, 6)
    assert plain.lines() == lines(6, 6)
    append(older, 7, 7)
    append(log, 8, 8)
    assert plain.lines() == lines(8, 8)


def test_the_renamed_file_is_followed_while_the_new_one_is_empty(log: Path, ours: Reader) -> None:
    """Rotation is not over before somebody writes to the new file."""
    older = rename(log)
    append(older, 6, 6)
    assert ours.lines() == lines(6, 6)
    append(older, 7, 7)
    assert ours.lines() == lines(7, 7)
    append(log, 8, 8)
    assert ours.lines() == lines(8, 8)


def test_late_lines_are_read(log: Path, ours: Reader) -> None:
    """Two writers, one in the old file and one in the new: both are heard."""
    older = rename(log)
    append(log, 6, 6)
    assert ours.lines() == lines(6, 6)
    append(older, 7, 7)
    append(log, 8, 8)
    assert sorted(ours.lines()) == lines(7, 8)
    assert ours.gap == 0


def test_late_lines_are_read_after_a_restart(log: Path, ours: Reader) -> None:
    """The position holds the place in both files."""
    older = rename(log)
    append(log, 6, 6)
    assert ours.lines() == lines(6, 6)
    ours.restart(lambda: append(older, 7, 7))
    append(log, 8, 8)
    assert sorted(ours.lines()) == lines(7, 8)
    ours.restart()
    assert ours.lines() == []


def test_a_log_that_is_not_created_again_is_waited_for(log: Path, ours: Reader) -> None:
    """Between renaming and creating there is no log; then there is one."""
    older = rename(log, create=False)
    append(older, 6, 6)
    assert ours.lines() == lines(6, 6)
    assert ours.tail.waiting is not None
    append(log, 7, 7)
    assert ours.lines() == lines(7, 7)
    assert ours.tail.waiting is None
