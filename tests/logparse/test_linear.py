"""Hostile lines take time in proportion to their length.

A line of sixteen times the length may take sixteen times as long; a parser that backtracks or
copies what is left at each step takes two hundred. The bound lies between with room for a busy
machine; the shortest of several runs is taken.
"""

from __future__ import annotations

import time
from datetime import UTC

import pytest

from bench.logs_worst import KINDS
from logparse.auto import AutoParser
from logparse.reply import unfold
from logparse.wrapping import unwrap
from tests.logparse.postfix_lines import NOW

_GROWTH = 16
_BOUND = 60.0

_MORE = {
    "brackets": b'{"a":' + b"[" * 50,
    "structured data": b'<22>1 2026-02-03T04:05:06Z h a 1 - [a b="' + b"\\]" * 40,
    "journal fields": b"A=b\n" * 30,
    "journal names": b"AAAA" * 30,
    "compose": b"a.b" * 20 + b" " * 60,
}
_LINES = {name: text.encode() for name, text in KINDS.items()} | _MORE


def stretched(line: bytes, times: int) -> bytes:
    """The hostile middle of the line, repeated."""
    half = len(line) // 2
    return line[:half] + line[half:-8] * times + line[-8:] + b"\n"


def seconds(line: bytes) -> float:
    best = 1e9
    for _ in range(4):
        parser = AutoParser(UTC)
        started = time.process_time()
        for _ in range(3):
            parser.feed(line, NOW)
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize("kind", _LINES)
def test_time_grows_with_the_length(kind: str) -> None:
    """Sixteen times the hostile text costs nowhere near its square."""
    short, long = stretched(_LINES[kind], 16), stretched(_LINES[kind], 16 * _GROWTH)
    assert seconds(long) < _BOUND * max(seconds(short), 0.0002)


@pytest.mark.parametrize("piece", ["550-a ", "550-5.1.1 b ", "550 ", "-", "550-"])
def test_unfolding_is_linear(piece: str) -> None:
    """A reply of a hundred thousand lines is unfolded at once."""
    started = time.process_time()
    unfold("550-5.1.1 x " + piece * 100_000)
    assert time.process_time() - started < 2.0


def test_unwrapping_is_linear() -> None:
    """A megabyte of brackets is no wrapping, and that is known at once."""
    started = time.process_time()
    for line in (b"{" * 1_000_000, b"[" * 1_000_000, b"<22>1 " * 200_000, b'{"log":"' * 100_000):
        unwrap(line)
    assert time.process_time() - started < 2.0
