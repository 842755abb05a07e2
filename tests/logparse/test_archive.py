"""Finished logs: compressed or not, one or a whole set, from a file or a pipe."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from logparse.archive import Archive, rotated_set
from logparse.packed import PackError, Unpacked
from tests.logparse.tailing import append, lines

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip in two members": lambda data: gzip.compress(data[:999]) + gzip.compress(data[999:]),
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd in two frames": lambda data: (
        zstandard.ZstdCompressor().compress(data[:999])
        + zstandard.ZstdCompressor().compress(data[999:])
    ),
    "bzip2": bz2.compress,
}
TEXT = b"".join(lines(1, 3000))


def read(archive: Archive, limit: int = 65536) -> tuple[bytes, int]:
    data, gap = b"", 0
    while (block := archive.read(limit)) is not None:
        assert block.data.endswith(b"\n") or not block.data
        data, gap = data + block.data, gap + block.gap
    archive.close()
    return data, gap


@pytest.mark.parametrize("limit", [1, 1000, 65536, 1 << 22])
@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())
def test_any_compression_is_read(
    tmp_path: Path, pack: Callable[[bytes], bytes], limit: int
) -> None:
    """The first bytes tell the compression, whatever the name, and blocks hold whole lines."""
    text = TEXT if limit > 1 else TEXT[:2000]
    path = tmp_path / "some.log"
    path.write_bytes(pack(text))
    expected = text if text.endswith(b"\n") else text + b"\n"
    assert read(Archive([path]), limit) == (expected, 0)


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())
def test_standard_input_is_read(pack: Callable[[bytes], bytes]) -> None:
    """A pipe, compressed or not, to its end."""
    program = (
        "import sys; from logparse.archive import Archive; a = Archive(['-'])\n"
        "while (b := a.read()) is not None: sys.stdout.buffer.write(b.data)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=pack(TEXT), capture_output=True, check=True
    )
    assert done.stdout == TEXT


def test_a_last_line_without_newline_counts(tmp_path: Path) -> None:
    """Nothing comes after the end of an archive: its last line is complete."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"one\ntwo")
    second.write_bytes(b"three\n")
    assert read(Archive([first, second])) == (b"one\ntwo\nthree\n", 0)


def test_a_rotated_set_is_read_in_order(tmp_path: Path) -> None:
    """Oldest first, compressed or not, the live log last."""
    log = tmp_path / "mail.log"
    log.with_name("mail.log.3.gz").write_bytes(gzip.compress(b"".join(lines(1, 2))))
    log.with_name("mail.log.2.zst").write_bytes(PACKERS["zstd"](b"".join(lines(3, 4))))
    append(log.with_name("mail.log.1"), 5, 6)
    append(log, 7, 8)
    assert read(Archive(rotated_set(log))) == (b"".join(lines(1, 8)), 0)


@pytest.mark.parametrize("pack", [gzip.compress, PACKERS["plain"]], ids=["gzip", "plain"])
def test_every_position_can_be_resumed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A new archive made from a block's position goes on behind that block."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for number, path in enumerate(paths):
        path.write_bytes(pack(b"".join(lines(number * 50 + 1, number * 50 + 50))))
    whole, archive = b"".join(lines(1, 100)), Archive(paths)
    seen = 0
    while (block := archive.read(1000)) is not None:
        seen += len(block.data)
        position = json.loads(json.dumps(block.position))
        assert read(Archive(paths, position))[0] == whole[seen:]
    archive.close()
    assert seen == len(whole)


@pytest.mark.parametrize("name", ["gzip", "xz", "zstd", "bzip2"])
def test_a_broken_file_is_told(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What can be unpacked is read, the rest is a gap; the next file is not affected."""
    broken, good = tmp_path / "broken", tmp_path / "good"
    noise = os.urandom(400_000).hex().encode()
    text = b"\n".join(noise[at : at + 99] for at in range(0, 800_000, 99))
    broken.write_bytes(PACKERS[name](text)[:-3000])
    append(good, 1, 5)
    data, gap = read(Archive([broken, good]))
    assert data.endswith(b"".join(lines(1, 5)))
    assert gap >= 1
    assert "broken or cut off" in caplog.text


@pytest.mark.parametrize("name", ["gzip", "xz", "zstd", "bzip2"])
def test_a_cut_stream_never_ends_quietly(name: str) -> None:
    """Wherever a compressed stream is cut, reading it raises."""
    packed = PACKERS[name](TEXT)
    for cut in range(8, len(packed) - 1, max(1, len(packed) // 40)):
        stream = Unpacked(_Raw(packed[:cut]))
        with pytest.raises(PackError):
            _read_all(stream)
        stream.close()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """An archive named by a person must be there."""
    with pytest.raises(FileNotFoundError):
        Archive([tmp_path / "none"]).read()


def _read_all(stream: Unpacked) -> None:
    while stream.read(65536):
        pass


class _Raw(io.RawIOBase):
    """Bytes as a raw stream that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._bytes = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return self._bytes.readinto(buffer)  # type: ignore[arg-type]
