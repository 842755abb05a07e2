"""A pipe is a source that never waits."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from logparse.pipe import LONGEST, Pipe


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, int]]:
    """A source and the descriptor to write to it."""
    reading, writing = os.pipe()
    yield Pipe(reading), writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            assert descriptor == writing


def got(pipe: Pipe) -> bytes | None:
    block = pipe.read()
    return None if block is None else block.data


def test_whole_lines_come_and_a_part_waits(ends: tuple[Pipe, int]) -> None:
    """A line is handed out when its newline has come, and not before."""
    pipe, writing = ends
    assert got(pipe) is None
    os.write(writing, b"one\ntwo\nthr")
    assert got(pipe) == b"one\ntwo\n"
    assert got(pipe) is None
    os.write(writing, b"ee\n")
    assert got(pipe) == b"three\n"


def test_the_last_line_needs_no_newline(ends: tuple[Pipe, int]) -> None:
    """What is left when the writer goes away is a line."""
    pipe, writing = ends
    os.write(writing, b"one\ntwo")
    assert got(pipe) == b"one\n"
    os.close(writing)
    assert got(pipe) == b"two\n"
    assert got(pipe) is None


def test_a_line_without_end_is_bounded(ends: tuple[Pipe, int]) -> None:
    """A writer that never sends a newline does not fill the memory."""
    pipe, writing = ends
    handed = b""
    for _ in range(LONGEST // 32768 + 2):
        os.write(writing, b"x" * 32768)
        handed += got(pipe) or b""
    assert len(handed) > LONGEST


def test_the_mode_of_the_descriptor_is_given_back(ends: tuple[Pipe, int]) -> None:
    """After `close` the descriptor blocks again, as whoever shares it expects."""
    pipe, _ = ends
    pipe.close()
    assert os.get_blocking(pipe._descriptor)
