"""A mail log that grows fast and is rotated in every way, and the truth about it.

    python -m bench.kills_writer FOLDER [--seed N] [--rate LINES] [--host NAME]

Contract: writes FOLDER/mail.log until standard input ends. A line "pause" is answered with one line
of JSON: what was written so far (see `Truth`); a line "go" lets it write on. The newest `KEPT`
generations stay in the folder, plain or compressed. Lines are written in pieces that end anywhere;
a renamed file gets a few more lines before the new one is opened.
Failure: OSError as the file system gives it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import select
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

__all__ = ["RECEIVERS", "GrowingLog", "Truth"]

RECEIVERS = tuple(f"receiver{number}.test" for number in range(12))
BACK = 72_000  # seconds that the log begins before now
PACE = 0.1  # seconds from message to message, as the stamps tell
KEPT = 200  # generations; a reader is never that far behind
SENT = "sent (250 2.0.0 Ok: queued as {id})"
SAID = "{outcome} (host mx.{host}[192.0.2.{n}] said: {reply} {id} (in reply to {stage} command))"
REPLIES = (  # outcome, reply, and whether all recipients of a message share it
    ("sent", "", True),
    ("sent", "", True),
    ("deferred", "450 4.2.1 slow down", False),
    ("deferred", "451 4.7.0 later", True),
    ("bounced", "550 5.1.1 unknown", False),
)


class Truth:
    """What a reader must have counted once it has read everything."""

    def __init__(self) -> None:
        self.lines = 0
        self.deliveries: Counter[str] = Counter()  # "receiver outcome": recipients
        self.replies: Counter[str] = Counter()  # receiver: replies
        self.history: Counter[str] = Counter()  # "minute receiver outcome": recipients
        self.rotations = 0

    def to_json(self) -> str:
        return json.dumps(
            {
                "lines": self.lines,
                "deliveries": self.deliveries,
                "replies": self.replies,
                "history": self.history,
                "rotations": self.rotations,
            }
        )


class GrowingLog:
    """The log, its writer and its logrotate in one."""

    def __init__(self, folder: Path, seed: int, host: str = "mx1") -> None:
        self.path = folder / "mail.log"
        self._host = host
        self.truth = Truth()
        self._random = Random(seed)
        self._dated = seed % 2 == 1
        self._serial = 0
        self._began = int(time.time()) - BACK
        self._ages: list[str] = []  # suffixes of the rotated files, newest first
        self._fd = self._open()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def write(self, messages: int) -> None:
        """That many messages, in pieces that end anywhere."""
        text = "".join(self._message() for _ in range(messages)).encode()
        cut = self._random.randrange(len(text) + 1)
        for piece in (text[:cut], text[cut:]):
            if piece:
                os.write(self._fd, piece)

    def _message(self) -> str:
        pick, self._serial = self._random.choice, self._serial + 1
        host, (outcome, reply, together) = pick(RECEIVERS), pick(REPLIES)
        name, pid = f"4D{self._serial:08X}", self._serial % 7 + 100
        recipients = self._random.randint(1, 4)
        stage = "end of DATA" if together else "RCPT TO"
        status = (SAID if reply else SENT).format(
            id=name, host=host, n=pid, outcome=outcome, reply=reply, stage=stage
        )
        when = self._began + self._serial * PACE
        stamp = time.strftime(f"%Y-%m-%dT%H:%M:%S+00:00 {self._host} ", time.gmtime(when))
        head = f"{stamp}postfix/smtp[{pid}]: {name}: to=<"
        tail = (
            f"@{host}>, relay=mx.{host}[192.0.2.{pid}]:25, delay=2.5,"
            f" delays={self._serial % 90 / 10}/0.1/0.2/2.2, dsn=2.0.0, status={status}\n"
        )
        lines = [f"{head}user{number}{tail}" for number in range(recipients)]
        lines.append(f"{stamp}postfix/qmgr[99]: {name}: removed\n")
        self.truth.lines += len(lines)
        self.truth.deliveries[f"{host} {outcome}"] += recipients
        self.truth.history[f"{int(when) // 60} {host} {outcome}"] += recipients
        self.truth.replies[host] += 1 if together else recipients
        return "".join(lines)

    def rotate(self) -> None:
        """One of the ways of rotation."""
        self._random.choice((self._rename, self._rename_late, self._copy, self._copy_pack))()

    def _name(self, age: int) -> Path:
        if self._dated:
            number = self.truth.rotations - age
            return self.path.with_name(f"mail.log-20261123-{1_800_000_000 + number}")
        return self.path.with_name(f"mail.log.{age + 1}")

    def _shift(self) -> Path:
        """The name of the newest rotated file, free to use."""
        if len(self._ages) >= KEPT:
            age = len(self._ages) - 1
            os.unlink(f"{self._name(age)}{self._ages.pop()}")
        if not self._dated:
            for age in reversed(range(len(self._ages))):
                suffix = self._ages[age]
                os.rename(f"{self._name(age)}{suffix}", f"{self._name(age + 1)}{suffix}")
        self.truth.rotations += 1
        self._ages.insert(0, "")
        return self._name(0)

    def _rename(self) -> None:
        self.path.rename(self._shift())
        os.close(self._fd)
        self._fd = self._open()
        self._pack(1)

    def _rename_late(self) -> None:
        self.path.rename(self._shift())
        fd = self._open()
        self.write(self._random.randint(1, 30))
        os.close(self._fd)
        self._fd = fd
        self._pack(2)

    def _copy(self) -> None:
        shutil.copyfile(self.path, self._shift())
        os.ftruncate(self._fd, 0)

    def _copy_pack(self) -> None:
        self._copy()
        self._pack(0)

    def _pack(self, age: int) -> None:
        if age >= len(self._ages) or self._ages[age]:
            return
        plain = self._name(age)
        stat = plain.stat()
        with plain.open("rb") as source, gzip.open(f"{plain}.gz", "wb", 1) as target:
            shutil.copyfileobj(source, target)
        os.utime(f"{plain}.gz", ns=(stat.st_mtime_ns, stat.st_mtime_ns))
        self._ages[age] = ".gz"
        plain.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--host", default="mx1", help="the machine's name in the lines")
    parser.add_argument("--rate", type=int, default=20_000, help="lines a second, about")
    options = parser.parse_args()
    log, pick = GrowingLog(options.folder, options.seed, options.host), Random(options.seed)
    due = time.monotonic()
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))
        if ready:
            word = sys.stdin.readline()
            if not word:
                return
            if word == "pause\n":
                print(log.truth.to_json(), flush=True)
                if not sys.stdin.readline():
                    return
            due = time.monotonic()
        messages = pick.randint(1, 400)
        log.write(messages)
        due += messages * 3.5 / options.rate
        if pick.random() < 0.3:
            log.rotate()


if __name__ == "__main__":
    main()
