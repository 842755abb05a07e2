"""Hazard: the rotated file is compressed at once: another name, another inode, other bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.logparse.tailing import Plain, Reader, append, lines, pack, rename

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".bz2": bz2.compress,
}


def rotate(log: Path, suffix: str = ".gz") -> Path:
    append(log, 6, 900)
    packed = pack(rename(log), PACKERS[suffix], suffix)
    append(log, 901, 902)
    return packed


def test_pygtail_loses_the_rest(log: Path, plain: Plain) -> None:
    """Plain Pygtail knows a rotated file by its inode only."""
    rotate(log)
    assert not set(plain.lines()) & set(lines(6, 900))


@pytest.mark.parametrize("suffix", PACKERS)
def test_the_rest_is_read_from_the_compressed_file(log: Path, ours: Reader, suffix: str) -> None:
    """A file is known by what is in it, also through its compression."""
    ours.restart(lambda: rotate(log, suffix))
    assert ours.lines() == lines(6, 902)
    assert ours.gap == 0


@pytest.mark.parametrize("suffix", PACKERS)
def test_the_open_file_is_read_to_its_end(log: Path, ours: Reader, suffix: str) -> None:
    """While we run, the descriptor outlives name and compression."""
    rotate(log, suffix)
    assert ours.lines() == lines(6, 902)
    assert ours.gap == 0


def test_both_files_are_one_generation(log: Path, ours: Reader) -> None:
    """While the compressor is at work there is a whole file and a part of its copy."""

    def rotate_and_compress_half() -> None:
        append(log, 6, 900)
        rotated = rename(log)
        half = gzip.compress(rotated.read_bytes())[:200]
        rotated.with_name("mail.log.1.gz").write_bytes(half)
        append(log, 901, 902)

    ours.restart(rotate_and_compress_half)
    assert ours.lines() == lines(6, 902)
    assert ours.gap == 0


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_broken_archive_is_read_as_far_as_it_goes(
    log: Path, ours: Reader, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be unpacked is a gap, not the end of all reading."""

    def rotate_and_break() -> None:
        packed = rotate(log, suffix)
        packed.write_bytes(packed.read_bytes()[:-200])

    ours.restart(rotate_and_break)
    found = ours.lines()
    assert found[-2:] == lines(901, 902)
    assert ours.gap >= 1
    assert "broken or cut off" in caplog.text or "is gone" in caplog.text
