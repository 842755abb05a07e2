"""Hazard: the log is rotated more than once between two reads."""

from __future__ import annotations

from pathlib import Path

from tests.logparse.tailing import Plain, Reader, append, lines, rename


def rotate_three_times(log: Path) -> None:
    """Lines 6 to 8 end up in .3, 9 and 10 in .2, 11 in .1, 12 in the log."""
    for first, last, name in ((6, 8, "mail.log.3"), (9, 10, "mail.log.2"), (11, 11, "mail.log.1")):
        append(log, first, last)
        rename(log, name)
    append(log, 12, 12)


def test_pygtail_knows_only_the_newest(log: Path, plain: Plain) -> None:
    """Plain Pygtail looks at one rotated file and resets."""
    rotate_three_times(log)
    assert plain.lines() != lines(6, 12)


def test_all_generations_are_read_in_order(log: Path, ours: Reader) -> None:
    """From the one we stopped in to the live one, oldest first."""
    rotate_three_times(log)
    assert ours.lines() == lines(6, 12)
    assert ours.gap == 0


def test_also_after_a_restart(log: Path, ours: Reader) -> None:
    """The position finds the oldest of them again."""
    ours.restart(lambda: rotate_three_times(log))
    assert ours.lines() == lines(6, 12)
    assert ours.gap == 0


def test_a_generation_that_is_gone_is_a_gap(log: Path, ours: Reader) -> None:
    """A file removed before we had read it is said to be lost; the next one is read."""

    def rotate_and_remove() -> None:
        rotate_three_times(log)
        log.with_name("mail.log.3").unlink()

    ours.restart(rotate_and_remove)
    assert ours.lines() == lines(9, 12)
    assert ours.gap >= 1
