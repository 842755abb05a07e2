"""Whatever rotation does to a log, in whatever order: every whole line once, or a gap."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import zstandard
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logparse.tail import Tail

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
    ".zst": zstandard.ZstdDecompressor().decompress,
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NAMES: dict[str, Callable[[int, int], str]] = {
    "numbers": lambda age, born: f"mail.log.{age}",
    "days": lambda age, born: f"mail.log-202611{born:02}",
    "day, month, year": lambda age, born: f"mail.log-{day(born):%d%m%Y}",
    "day, month, year with dashes": lambda age, born: f"mail.log-{day(born):%d-%m-%Y}",
    "month, day, year": lambda age, born: f"mail.log-{day(born):%m%d%Y}",
    "a ring of days": lambda age, born: f"mail.log.{day(born):%d}",
    "a date inside": lambda age, born: f"mail.{day(born):%Y-%m-%d}.log",
    "a low line": lambda age, born: f"mail.log_{day(born):%Y%m%d}",
    "weekdays": lambda age, born: f"mail.log.{WEEKDAYS[born % 7]}",
    "hours": lambda age, born: f"mail.log-20261123{born:02}",
    "seconds": lambda age, born: f"mail.log-20261123-{1795000000 + born}",
    "inside": lambda age, born: f"mail.{age}.log",
}


# both kinds of MTA, on several machines, in one file; Exim's own stamp is of the machine's zone
WRITERS = (
    "{0:%Y-%m-%dT%H:%M:%S}+00:00 mx1 postfix/smtp[99]:",
    "{0:%Y-%m-%dT%H:%M:%S}+00:00 mx2 postfix/smtp[99]:",
    "{1:%Y-%m-%d %H:%M:%S} 1vOaaa-00000000abc-1xyz =>",
    "{0:%Y-%m-%dT%H:%M:%S}+00:00 mx3 exim[99]: 1vOaaa-00000000abc-1xyz =>",
)


def serial(line: bytes) -> int:
    """The number of a line."""
    return int(line.split(b" a line")[0].rpartition(b" ")[2])


def day(number: int) -> date:
    """Days around the end of a month and of a year."""
    return date(2026, 12, 27) + timedelta(days=number)


class AnyHistory(RuleBasedStateMachine):
    """A log, its writer and logrotate on one side, a reader that may be killed on the other."""

    @initialize(scheme=st.sampled_from(sorted(NAMES)), switches=st.booleans())
    def begin(self, scheme: str, switches: bool) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="tail-"))
        self.folder = self.home / "log"
        for name in "ab":
            (self.home / name).mkdir()
        self.folder.symlink_to("a")
        self.away, self.switches = False, switches
        self.resting: list[tuple[int, str]] = []  # generations in the other folder
        self.log = self.folder / "mail.log"
        self.log.touch()
        self.name = NAMES[scheme]
        self.older: list[tuple[int, str]] = []  # (born, suffix), newest first
        self.tick = 1_700_000_000
        self.serial = 0
        self.started = ""  # the beginning of a line whose end is not written yet
        self.written: list[bytes] = []
        self.late = False  # a line was written to a renamed file
        self.may_lose = False  # an operator did what no reader can survive
        self.no_trace = False  # and did it to a file that was never seen
        self.rotations = 0
        self.renamed = False  # the newest rotated file is one that a writer may still have open
        self.touch(self.log)
        self.tail = Tail(self.log)
        self.seen: list[bytes] = []
        self.gap = 0
        self.read_all()
        self.commit()

    def teardown(self) -> None:
        if not hasattr(self, "tail"):
            return
        try:
            self.finish(self.log)
            self.read_all()
            self.judge()
        finally:
            self.tail.close()
            shutil.rmtree(self.home)

    def judge(self) -> None:
        assert len(set(self.seen)) == len(self.seen), "a line was handed out twice"
        missing = set(self.written) - set(self.seen)
        assert not set(self.seen) - set(self.written), "a line that nobody wrote"
        if missing:
            assert self.may_lose, f"lost: {sorted(missing)}"
            assert self.gap or self.no_trace, f"lost in silence: {sorted(missing)}"
        elif not self.may_lose:
            assert not self.gap, "a gap that is none"
        if not self.late:
            assert self.seen == sorted(self.seen, key=serial), "not in order"

    # the writer

    def touch(self, path: Path) -> None:
        """Time passes from one operation to the next, as it does for a real log."""
        self.tick += 1
        os.utime(path, ns=(self.tick * 10**9, self.tick * 10**9))

    def put(self, path: Path, text: str) -> None:
        with path.open("ab") as file:
            file.write(text.encode())
        self.touch(path)

    def line(self) -> str:
        self.serial += 1
        self.tick += 1
        when = datetime.fromtimestamp(self.tick, UTC)
        head = WRITERS[self.serial % len(WRITERS)].format(when, when.astimezone())
        text = f"{head} {self.serial:06} a line of its own, as long as the lines of mail logs are\n"
        self.written.append(text.encode())
        return text

    @rule(lines=st.integers(1, 60))
    def append(self, lines: int) -> None:
        text, self.started = self.started, ""
        self.put(self.log, text + "".join(self.line() for _ in range(lines)))

    @precondition(lambda self: not self.started)
    @rule(size=st.integers(1, 60))
    def append_half_a_line(self, size: int) -> None:
        whole = self.line()
        self.put(self.log, whole[:size])
        self.started = whole[size:]

    def finish(self, path: Path) -> None:
        if self.started:
            self.put(path, self.started)
            self.started = ""

    @precondition(lambda self: self.renamed and not self.older[0][1])
    @rule(lines=st.integers(1, 3))
    def append_to_the_renamed_file(self, lines: int) -> None:
        self.late = True
        self.put(self.path(0), "".join(self.line() for _ in range(lines)))

    # logrotate

    def path(self, index: int) -> Path:
        born, suffix = self.older[index]
        return self.folder / (self.name(index + 1, born) + suffix)

    def shift(self) -> None:
        """Make room for a new generation, oldest first."""
        paths = [self.path(index) for index in range(len(self.older))]
        self.rotations += 1
        self.older.insert(0, (self.rotations, ""))
        for index in reversed(range(len(paths))):
            paths[index].rename(self.path(index + 1))

    # A log without a line is rotated once, not again and again while somebody writes elsewhere
    @precondition(lambda self: self.log.exists() and (self.log.stat().st_size or not self.late))
    @precondition(lambda self: len(self.older) < len(WEEKDAYS))
    @rule(create=st.booleans(), finish_late=st.booleans())
    def rename(self, create: bool, finish_late: bool) -> None:
        if not finish_late:
            self.finish(self.log)
        self.shift()
        self.renamed = True
        self.log.rename(self.path(0))
        if create:
            self.log.touch()
            self.touch(self.log)
        self.finish(self.path(0))

    @precondition(lambda self: self.log.exists() and not self.switches)
    @precondition(lambda self: len(self.older) < len(WEEKDAYS))
    @rule()
    def copy_and_truncate(self) -> None:
        self.finish(self.log)
        self.shift()
        self.renamed = False
        shutil.copyfile(self.log, self.path(0))
        self.touch(self.path(0))
        os.truncate(self.log, 0)
        self.touch(self.log)

    @precondition(lambda self: self.older)
    @rule(index=st.integers(0, 3), suffix=st.sampled_from(sorted(PACKERS)))
    def compress(self, index: int, suffix: str) -> None:
        index = min(index, len(self.older) - 1)
        plain = self.path(index)
        if self.older[index][1]:
            return
        changed = plain.stat().st_mtime_ns
        self.older[index] = (self.older[index][0], suffix)
        packed = self.path(index)
        packed.write_bytes(PACKERS[suffix](plain.read_bytes()))
        os.utime(packed, ns=(changed, changed))
        plain.unlink()

    # the operator

    def will_lose(self, path: Path) -> None:
        """What came and went between two looks leaves no trace; what we were reading does."""
        self.may_lose = True
        unpack = UNPACKERS.get(path.suffix, bytes)
        gone = set(unpack(path.read_bytes()).splitlines(keepends=True))
        self.no_trace |= not (gone & set(self.seen) and gone & set(self.saved[1]))

    @precondition(lambda self: self.older)
    @rule()
    def remove_the_oldest(self) -> None:
        self.will_lose(self.path(len(self.older) - 1))
        self.path(len(self.older) - 1).unlink()
        self.older.pop()
        self.renamed &= bool(self.older)

    @precondition(lambda self: self.log.exists() and not self.switches)
    @rule()
    def empty_the_log(self) -> None:
        self.finish(self.log)
        self.will_lose(self.log)
        os.truncate(self.log, 0)
        self.touch(self.log)

    @precondition(lambda self: self.log.exists() and self.log.stat().st_size)
    @precondition(lambda self: not self.switches)
    @rule(part=st.integers(1, 99))
    def trim_the_head(self, part: int) -> None:
        """As ``tail -n +N log > new; mv new log`` does."""
        self.finish(self.log)
        whole = self.log.read_bytes().splitlines(keepends=True)
        keep = whole[len(whole) * part // 100 :]
        # what was cut may not have been read; and where our last lines were, no one can know
        read = set(self.saved[1]) & set(self.seen)
        if set(whole) - set(keep) - read or not set(keep) & read:
            self.may_lose = True
        self.no_trace |= bool(set(whole) - set(keep) - read)
        new = self.folder / "new"
        new.write_bytes(b"".join(keep))
        new.replace(self.log)
        self.touch(self.log)
        self.renamed = False

    @precondition(lambda self: self.switches)
    @rule()
    def switch_the_folder(self) -> None:
        """A link to the folder leads to another one for a while, where the same log is written.

        Such histories hold renamed files only: what is emptied while nobody looks is not known.
        """
        self.finish(self.log)
        self.away = not self.away
        (self.home / "new").symlink_to("b" if self.away else "a")
        (self.home / "new").replace(self.folder)
        self.older, self.resting = self.resting, self.older
        self.renamed = False
        # what is written in the folder we do not see is out of reach, and may leave no trace; but
        # nothing is counted twice
        self.may_lose = self.late = self.no_trace = True
        if not self.log.exists():
            self.log.touch()
            self.touch(self.log)

    # the reader

    def take(self, limit: int) -> bool:
        block = self.tail.read(limit)
        if block is None:
            return False
        assert block.data == b"" or block.data.endswith(b"\n")
        self.seen += block.data.splitlines(keepends=True)
        self.gap += block.gap
        return True

    @rule(limit=st.integers(1, 500))
    def read(self, limit: int) -> None:
        self.take(limit)

    @rule()
    def read_all(self) -> None:
        while self.take(65536):
            pass

    @rule()
    def commit(self) -> None:
        self.saved = (json.dumps(self.tail.position), list(self.seen), self.gap)

    @rule()
    def kill(self) -> None:
        self.tail.close()
        position, self.seen, self.gap = self.saved[0], list(self.saved[1]), self.saved[2]
        self.tail = Tail(self.log, json.loads(position))

    @invariant()
    def never_twice(self) -> None:
        if hasattr(self, "seen"):
            assert len(set(self.seen)) == len(self.seen)


AnyHistory.TestCase.settings = settings(
    max_examples=int(os.environ.get("TAIL_EXAMPLES", "150")),
    stateful_step_count=30,
    deadline=None,
)
TestAnyHistory = AnyHistory.TestCase
