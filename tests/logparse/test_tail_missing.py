"""Hazard: the log is missing or unreadable when the reader starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.logparse.tailing import Plain, Reader, append, lines

NOBODY = 65_534


@pytest.fixture
def nobody(log: Path) -> Iterator[None]:
    """Somebody who may look into the folder but is not root."""
    for folder in (log.parent, *log.parent.parents):
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o111 != 0o111:
            folder.chmod(0o755)
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


# Its __del__ opens a file in order to close it, and raises as well
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pygtail_raises(tmp_path: Path) -> None:
    """Plain Pygtail does not wait."""
    with pytest.raises(FileNotFoundError):
        Plain(tmp_path / "mail.log").lines()


def test_a_missing_log_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once that the log is missing; when it comes, it is read."""
    log = tmp_path / "mail.log"
    ours = Reader(log)
    for _ in range(3):
        assert ours.lines() == []
    assert ours.tail.waiting is not None
    assert caplog.text.count("waiting for the log") == 1
    assert "mail.log: No such file or directory" in caplog.text
    append(log, 1, 2)
    assert ours.lines() == lines(1, 2)
    assert ours.tail.waiting is None
    ours.tail.close()


def test_a_folder_in_the_logs_place_costs_no_descriptors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and may stay there for ever."""
    log = tmp_path / "mail.log"
    log.mkdir()
    ours = Reader(log)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        assert ours.lines() == []
    assert len(os.listdir("/proc/self/fd")) == before
    assert caplog.text.count("waiting for the log") == 1
    assert str(log) in caplog.text
    log.rename(tmp_path / "away")
    append(log, 1, 2)
    assert ours.lines() == lines(1, 2)
    ours.tail.close()


def test_a_folder_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    """Also the folder may come later."""
    log = tmp_path / "exim4" / "mainlog"
    ours = Reader(log)
    assert ours.lines() == []
    log.parent.mkdir()
    append(log, 1, 2)
    assert ours.lines() == lines(1, 2)
    ours.tail.close()


@pytest.mark.usefixtures("nobody")
def test_an_unreadable_log_is_waited_for(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Until somebody adds us to the group `adm`."""
    mine = os.geteuid() != NOBODY
    ours = Reader(log)
    _chmod(log, 0o000, mine)
    assert ours.lines() == []
    assert "Permission denied" in (ours.tail.waiting or "")
    assert caplog.text.count("waiting for the log") == 1
    _chmod(log, 0o644, mine)
    assert ours.lines() == lines(1, 5)
    ours.tail.close()


@pytest.mark.usefixtures("nobody")
def test_a_new_file_that_is_unreadable_is_waited_for(log: Path) -> None:
    """Rotation may create the new file with other rights; no line of it is passed over."""
    mine = os.geteuid() != NOBODY
    ours = Reader(log)
    assert ours.lines() == lines(1, 5)
    _as_owner(lambda: log.rename(log.with_name("mail.log.1")), mine)
    _as_owner(lambda: append(log, 6, 7), mine)
    _chmod(log, 0o000, mine)
    assert ours.lines() == []
    assert "Permission denied" in (ours.tail.waiting or "")
    _chmod(log, 0o644, mine)
    assert ours.lines() == lines(6, 7)
    assert ours.gap == 0
    ours.tail.close()


def test_a_log_taken_away_while_we_are_away(log: Path, ours: Reader) -> None:
    """A rotated file is read to its end although there is no live one yet."""

    def rotate() -> None:
        append(log, 6, 7)
        log.rename(log.with_name("mail.log.1"))

    ours.restart(rotate)
    assert ours.lines() == lines(6, 7)
    append(log, 8, 8)
    assert ours.lines() == lines(8, 8)
    assert ours.gap == 0


def _chmod(path: Path, mode: int, mine: bool) -> None:
    _as_owner(lambda: path.chmod(mode), mine)


def _as_owner(action: object, mine: bool) -> None:
    assert callable(action)
    if mine:
        action()
        return
    os.seteuid(0)
    action()
    os.seteuid(NOBODY)
