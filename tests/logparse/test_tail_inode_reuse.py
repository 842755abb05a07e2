"""Hazard: the new log gets the inode number of the old one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from logparse.tail import Tail
from tests.logparse.tailing import Plain, Reader, append, lines, pack, rename


def test_pygtail_goes_on_in_the_middle_of_another_file(log: Path, plain: Plain) -> None:
    """Plain Pygtail trusts the inode: it hands out the end of some line."""
    rename(log)
    append(log, 6, 20)
    inode = log.stat().st_ino
    plain.offset.write_text(f"{inode}\n{log.with_name('mail.log.1').stat().st_size - 10}\n")
    found = plain.lines()
    assert found
    assert found[0] not in lines(6, 20)


def test_a_file_is_known_by_its_beginning(log: Path, ours: Reader) -> None:
    """The same device and inode with another beginning is another file."""
    position = json.loads(json.dumps(ours.tail.position))
    ours.tail.close()
    append(log, 6, 7)
    pack(rename(log), gzip.compress, ".gz")
    append(log, 8, 30)
    position["files"][-1]["ino"] = log.stat().st_ino  # as if it had been used again
    ours.tail = Tail(log, position)
    assert ours.lines() == lines(6, 30)
    assert ours.gap == 0


def test_the_same_beginning_is_not_enough(tmp_path: Path) -> None:
    """A log that starts with the same banner every time is told apart by where we stopped."""
    banner = b"=" * 2000 + b"\n"
    log = tmp_path / "mail.log"
    log.write_bytes(banner)
    append(log, 1, 5)
    ours = Reader(log)
    ours.lines()

    def rotate() -> None:
        append(log, 6, 7)
        rename(log)
        log.write_bytes(banner)
        append(log, 8, 30)

    ours.restart(rotate)
    assert ours.lines() == [*lines(6, 7), banner, *lines(8, 30)]
    ours.tail.close()


def test_a_log_that_moved_to_another_device_is_found(log: Path, ours: Reader) -> None:
    """Restored from a backup: device and inode are new, the lines are not."""

    def restore() -> None:
        data = log.read_bytes()
        log.unlink()
        log.with_name("filler").touch()
        log.write_bytes(data)
        append(log, 6, 6)

    ours.restart(restore)
    assert ours.lines() == lines(6, 6)
    assert ours.gap == 0
