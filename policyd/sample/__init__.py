"""The bundled sample day, and its replay for a machine that has no mail log yet.

Contract: `lines(now)` yields (when to show it, the line with that very stamp) in order of time,
for ever. What happened before one o'clock is already past at `now`, hour for hour; from then on the
day runs at `speed` times its pace, and then begins again. Queue ids differ from round to round, so
nothing looks like a repetition. No clock: the caller waits.
Failure: OSError where the package lacks its log.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["PATH", "PRESENT", "SPEED", "lines"]

PATH = Path(__file__).with_name("mail.log.gz")
SPEED = 60.0
PRESENT = 13 * 3600.0  # when two receivers are about to make trouble

_DAY = 86_400.0
_STAMP = len("2026-11-17T00:00:00.000000+00:00")
_CLOCK = slice(11, 26)  # "00:00:00.000000", a day that begins at midnight UTC
_QUEUE_ID = b"]: 4"  # where a sample line's id begins: its first digit is the same for 12 years
_DIGITS = b"4BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy0123567"


def lines(now: float, speed: float = SPEED) -> Iterator[tuple[float, bytes]]:
    """The day as if it were happening now: (POSIX seconds, whole line with its newline)."""
    day = [(_second(line), line) for line in gzip.decompress(PATH.read_bytes()).splitlines(True)]
    for second, line in day:
        gone = second - PRESENT
        yield _restamp(line, now + (gone if gone < 0 else gone / speed), 0)
    start, turn = now + (_DAY - PRESENT) / speed, 1
    while True:
        for second, line in day:
            yield _restamp(line, start + second / speed, turn)
        start, turn = start + _DAY / speed, turn + 1


def _second(line: bytes) -> float:
    hours, minutes, seconds = line[_CLOCK].split(b":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _restamp(line: bytes, at: float, turn: int) -> tuple[float, bytes]:
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
    rest = line[_STAMP:]
    if turn:
        rest = rest.replace(_QUEUE_ID, b"]: %c" % _DIGITS[turn % len(_DIGITS)], 1)
    return at, stamp.encode() + rest
