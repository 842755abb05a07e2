"""Hazard: a reader comes while a line is being written."""

from __future__ import annotations

from pathlib import Path

from tests.logparse.tailing import Plain, Reader, line

HALF, REST = line(6).encode()[:30], line(6).encode()[30:]


def write(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def test_pygtail_hands_out_half_a_line(log: Path, plain: Plain) -> None:
    """Plain Pygtail makes two lines of one."""
    write(log, HALF)
    assert plain.lines() == [HALF]
    write(log, REST)
    assert plain.lines() == [REST]


def test_a_partial_last_line_waits_for_its_end(log: Path, ours: Reader) -> None:
    """Half a line stays where it is until the other half is there."""
    write(log, HALF)
    assert ours.lines() == []
    write(log, REST)
    assert ours.lines() == [HALF + REST]
    assert ours.gap == 0


def test_a_partial_line_survives_a_restart(log: Path, ours: Reader) -> None:
    """The position stands before the half line, not behind it."""
    write(log, HALF)
    assert ours.lines() == []
    ours.restart(lambda: write(log, REST))
    assert ours.lines() == [HALF + REST]


def test_a_partial_line_is_finished_in_the_renamed_file(log: Path, ours: Reader) -> None:
    """A writer that was in the middle of a line when the file was renamed finishes it there."""
    write(log, HALF)
    assert ours.lines() == []
    older = log.rename(log.with_name("mail.log.1"))
    write(log, line(7).encode())
    assert ours.lines() == [line(7).encode()]
    write(older, REST)
    assert ours.lines() == [HALF + REST]
    assert ours.gap == 0


def test_a_line_that_is_never_finished_is_a_gap(log: Path, ours: Reader) -> None:
    """Half a line that stays one is counted once nobody can finish it any more."""
    write(log, HALF)
    log.rename(log.with_name("mail.log.2"))
    write(log, line(7).encode())
    assert ours.lines() == [line(7).encode()]
    assert ours.gap == 0
    log.rename(log.with_name("mail.log.1"))
    write(log, line(8).encode())
    assert ours.lines() == [line(8).encode()]
    assert ours.gap == len(HALF)
