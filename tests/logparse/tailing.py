"""What the tests of log tailing share: our reader, plain Pygtail, and logrotate's moves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pygtail import Pygtail

from logparse.tail import Tail

__all__ = ["Plain", "Reader", "append", "copytruncate", "line", "lines", "pack", "rename"]


def line(number: int) -> str:
    """A line as long as those of mail logs; no two are alike."""
    return f"2026-11-23T06:00:00.{number:06}+00:00 mx1 postfix/smtp[99]: line {number}\n"


def lines(first: int, last: int) -> list[bytes]:
    """The lines from `first` to `last`, as a reader should hand them out."""
    return [line(number).encode() for number in range(first, last + 1)]


def append(path: Path, first: int, last: int) -> None:
    """Write these lines, as a logger does."""
    with path.open("ab") as file:
        file.write(b"".join(lines(first, last)))


def rename(log: Path, name: str = "mail.log.1", create: bool = True) -> Path:
    """Rotate by renaming; the older files must be out of the way."""
    target = log.rename(log.parent / name)
    if create:
        log.touch()
    return target


def copytruncate(log: Path, name: str = "mail.log.1") -> Path:
    """Rotate by copying; the log keeps its inode."""
    shutil.copyfile(log, log.with_name(name))
    os.truncate(log, 0)
    return log.with_name(name)


def pack(path: Path, packer: Callable[[bytes], bytes], suffix: str) -> Path:
    """Compress a rotated file as logrotate does: another inode, the time of the old file."""
    stat = path.stat()
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(packer(path.read_bytes()))
    os.utime(packed, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    path.unlink()
    return packed


class Reader:
    """Our tail, with a stored position."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.gap = 0
        self.tail = Tail(log)

    def lines(self) -> list[bytes]:
        """All lines that are new."""
        found = b""
        while (block := self.tail.read()) is not None:
            found += block.data
            self.gap += block.gap
        assert found == b"" or found.endswith(b"\n")
        return found.splitlines(keepends=True)

    def restart(self, while_away: Callable[[], object] = lambda: None) -> None:
        """End, let something happen, begin again where the position says."""
        position = json.dumps(self.tail.position)
        self.tail.close()
        while_away()
        self.tail = Tail(self.log, json.loads(position))


class Plain:
    """Pygtail as it comes."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.offset = log.with_name("offset")

    def lines(self) -> list[bytes]:
        """All lines that are new to it."""
        tail = Pygtail(str(self.log), offset_file=str(self.offset), encoding="utf-8")
        try:
            return [text.encode() for text in tail]
        finally:
            if tail.fh:
                tail.fh.close()
