"""Finished logs, read once from beginning to end: files, rotated sets, standard input.

Contract: `Archive` reads its inputs one after the other, compressed or not; "-" is standard input.
A last line without its newline gets one, since nothing comes after it. `None` means the end of
everything. The position tells which input and how many plain bytes of it were handed out; a
stream cannot be resumed. `rotated_set` names all generations of a log, oldest first.
Failure: OSError where an input cannot be opened; a broken compressed file is read as far as it
goes, and the rest is told as a gap of at least one byte and logged.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from logparse.generation import Generation
from logparse.packedfile import PackedFile, open_generation
from logparse.rotated import rotated
from logparse.source import LIMIT, Block, Position

__all__ = ["STDIN", "Archive", "rotated_set"]

STDIN = "-"


def rotated_set(path: str | os.PathLike[str], patterns: Sequence[str] = ()) -> list[str]:
    """All files of the log at `path` that exist now, oldest first and the live one last."""
    log = os.fspath(path)
    older = [entry.path for entry in rotated(log, patterns)]
    return [*older, log] if os.path.exists(log) else older


class Archive:
    """Inputs as one source; `read` may block where an input is a pipe."""

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]], position: Position | None = None
    ) -> None:
        self.paths = tuple(os.fspath(path) for path in paths)
        start = position or {}
        self._index = int(start.get("input", 0))
        self._skip = int(start.get("offset", 0))
        self._file: Generation | None = None
        self._offset = 0
        self._left = b""  # lines read on the way to the start that come behind it

    @property
    def position(self) -> Position:
        """The number of the input, and the plain bytes handed out of it."""
        return {"input": self._index, "offset": self._offset or self._skip}

    def read(self, limit: int = LIMIT) -> Block | None:
        """The next whole lines; None at the end of the last input."""
        while self._index < len(self.paths):
            file = self._open(self.paths[self._index])
            data, self._left = self._left or file.read(limit), b""
            self._offset = file.offset
            ended = not data and file.at_end
            if ended:
                rest = file.rest()
                data = rest + b"\n" if rest else b""
                self._close()
                self._index, self._offset = self._index + 1, 0
            gap, file.dropped = file.dropped, 0
            if data or gap:
                return Block(data, self.position, gap)
        return None

    def close(self) -> None:
        """Close the input at hand."""
        self._close()

    def _open(self, path: str) -> Generation:
        if self._file is None:
            if path == STDIN:
                self._file = PackedFile(path, io.FileIO(sys.stdin.fileno(), closefd=False))
            else:
                self._file = open_generation(path)
            self._pass_over(self._file, self._skip)
            self._skip = 0
        return self._file

    def _pass_over(self, file: Generation, size: int) -> None:
        while file.offset < size and (data := file.read(LIMIT)):
            self._left = data[len(data) - (file.offset - size) :] if file.offset > size else b""

    def _close(self) -> None:
        if self._file is not None:
            self._file.release()
            self._file = None
