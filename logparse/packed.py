"""Compressed logs as plain streams: gzip, xz, bzip2 and zstd, told apart by their first bytes.

What no reader can make lines of is refused with words: text of two bytes a character, archives, the
journal's own files; reading nothing in silence would be worse.
Contract: `Unpacked(raw)` reads a binary stream, compressed or not, seekable or not, and yields its
plain bytes; `read` returns b"" only at the end. It owns `raw` and closes it.
Failure: `PackError` for a stream that is broken, ends too early or is refused; OSError as the
stream gives it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from typing import Protocol

import zstandard

from logparse.errors import LogError

__all__ = ["START", "SUFFIXES", "PackError", "Unpacked", "is_packed", "refused"]

SUFFIXES = (".gz", ".xz", ".zst", ".bz2", ".lzma")

_GZIP, _XZ, _ZSTD, _BZIP2 = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"BZh"
_BROKEN = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile)
_BUFFER = 1 << 17
_TEXT = 8  # bytes that are enough to tell text of two bytes a character
START = 64  # bytes of a file that tell what it is


_REFUSED = (
    (b"\xff\xfe", "UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8"),
    (b"PK\x03\x04", "a zip archive; pipe it in: unzip -p FILE | mxheed report -"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x04\x22\x4d\x18", "lz4; pipe it in: lz4 -dc FILE | mxheed report -"),
    (b"LZIP", "lzip; pipe it in: lzip -dc FILE | mxheed report -"),
    (b"\x1f\x9d", "compress (.Z); pipe it in: gzip -dc FILE | mxheed report -"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"\x89LZO\x00", "lzop; pipe it in: lzop -dc FILE | mxheed report -"),
    (b"LPKSHHRH", "a file of the systemd journal; use journalctl --file FILE | mxheed report -"),
)


class PackError(LogError):
    """A compressed log is broken, or ends before its end."""


def is_packed(start: bytes) -> bool:
    """Do these first six bytes open a compressed file?"""
    return start.startswith((_GZIP, _XZ, _ZSTD, _BZIP2))


def refused(start: bytes) -> str | None:
    """What a file that begins so is, if it is nothing that can be read as a log."""
    for mark, words in _REFUSED:
        if start.startswith(mark):
            return words
    half = start[: len(start) & ~1]
    if len(half) >= _TEXT and (not any(half[::2]) or not any(half[1::2])) and any(half):
        return _REFUSED[0][1]  # without a mark: every second byte is zero
    return None


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Zstd:
    """zstd frames one after the other; unlike the library's own reader it notices a cut one."""

    def __init__(self, raw: _Reader) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._fresh = True  # no byte of the present frame was seen yet
        self._rest = b""
        self._plain = bytearray()

    def read(self, size: int, /) -> bytes:
        while not self._plain and self._more():
            pass
        data = bytes(self._plain[:size])
        del self._plain[:size]
        return data

    def _more(self) -> bool:
        packed = self._rest or self._raw.read(16_384)
        if not packed:
            if not self._fresh:
                raise EOFError("zstd frame is cut off")
            return False
        self._plain += self._frame.decompress(packed)
        self._fresh, self._rest = False, b""
        if self._frame.eof:
            self._rest = self._frame.unused_data
            self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._fresh = True
        return True


class Unpacked:
    """The plain bytes of a stream that may be compressed."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = io.BufferedReader(raw, _BUFFER)
        try:
            start = self._raw.peek(START)[:START]
            if (what := refused(start)) is not None:
                raise PackError(f"this is {what}")
        except (OSError, PackError):
            self._raw.close()
            raise
        self.packed = True
        self._reader: _Reader
        if start.startswith(_GZIP):
            self._reader = gzip.GzipFile(fileobj=self._raw)
        elif start.startswith(_XZ):
            self._reader = lzma.LZMAFile(self._raw)  # noqa: SIM115 - closed with the stream
        elif start.startswith(_BZIP2):
            self._reader = bz2.BZ2File(self._raw)
        elif start.startswith(_ZSTD):
            self._reader = _Zstd(self._raw)
        else:
            self.packed, self._reader = False, self._raw

    def read(self, size: int) -> bytes:
        """Up to `size` plain bytes, as soon as there are some; b"" only at the end."""
        try:
            return self._reader.read(size) if self.packed else self._raw.read1(size)
        except _BROKEN as error:
            raise PackError(f"a compressed log is broken or cut off: {error}") from error
        except OSError as error:
            if error.errno is None:  # bz2 tells broken data this way
                raise PackError(f"a compressed log is broken or cut off: {error}") from error
            raise

    def close(self) -> None:
        """Close the stream underneath."""
        self._raw.close()
