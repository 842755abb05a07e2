"""A compressed log file, or any stream that can only be read forwards; it does not change any more.

Contract: see `logparse.generation`. Going to a place means reading up to it.
Failure: a broken file ends where it is broken, which is logged and counted in `dropped`; OSError
as the system gives it.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import stat

from logparse.generation import LONGEST, Generation
from logparse.mark import HEAD, Mark, digest
from logparse.packed import START, PackError, Unpacked, is_packed, refused
from logparse.plainfile import PlainFile

__all__ = ["PackedFile", "open_generation"]

_log = logging.getLogger(__name__)


class PackedFile(Generation):
    """See the module."""

    packed = True

    def __init__(self, path: str, raw: io.FileIO) -> None:
        super().__init__(path, os.fstat(raw.fileno()))
        self._stream = Unpacked(raw)
        self._ahead = b""  # read, not handed out
        self.size = 0
        self.broken = False
        while len(self._ahead) < HEAD and self._more(HEAD):
            pass
        self.head = self._ahead[:HEAD]

    def resume(self, mark: Mark) -> bool:
        if digest(self.head[: mark.head_size]) != mark.head:
            return False
        if not self.go_to(mark.offset):
            return False
        return digest(self.near[len(self.near) - mark.near_size :]) == mark.near

    def go_to(self, offset: int) -> bool:
        while self.offset + len(self._ahead) < offset:
            self._take(len(self._ahead))
            if not self._more(HEAD * 8):
                return False
        self._take(offset - self.offset)
        return True

    def read(self, limit: int) -> bytes:
        self.at_end = False
        end = 0
        while not end and not self.at_end:
            self.at_end = not self._more(limit)
            end = self._ahead.rfind(b"\n") + 1
            if not end and len(self._ahead) >= LONGEST:
                self.dropped += len(self._ahead)
                self._take(len(self._ahead))
        return self._take(end)

    def rest(self) -> bytes:
        return self._ahead

    def release(self) -> None:
        self.closed = True
        self._stream.close()

    def _more(self, size: int) -> bool:
        """Read once; False at the end. A broken file ends where it is broken."""
        try:
            data = b"" if self.broken else self._stream.read(size)
        except PackError as error:
            _log.error("%s: %s", self.path, error)
            self.broken, data = True, b""
            self.dropped += 1
        self._ahead += data
        self.size = self.offset + len(self._ahead)
        return bool(data)

    def _take(self, size: int) -> bytes:
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        self._advance(data)
        return data


def open_generation(path: str) -> Generation:
    """Open a file of a log at its beginning, compressed or not."""
    # a pipe in the log's place would make us wait for its writer, for ever
    raw = io.FileIO(path, "rb", opener=lambda name, how: os.open(name, how | os.O_NONBLOCK))
    try:
        if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", path)
        start = os.pread(raw.fileno(), START, 0)
        if (what := refused(start)) is not None:
            raise PackError(f"{path} is {what}")
        if is_packed(start):
            return PackedFile(path, raw)
        return PlainFile(path, raw)
    except BaseException:
        raw.close()
        raise
