"""Finds the place where reading stopped in a file that begins with lines that were read already.

A log whose head was trimmed (``tail -n +1000 log > new; mv new log``) is no file we know: another
inode, another beginning. A folder may be switched to another one and back. Reading such a file from
its beginning would count its lines twice. But the bytes before the place where we stopped are
known, as a digest, and they end with a line.
Contract: `entered(file, marks)` goes to the place in a file that was marked before; `behind(file,
mark)` goes behind the last lines that were read, and is False where they are not in the file.
Failure: OSError where a file cannot be opened again. Time is linear in the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from logparse.errors import LogError
from logparse.generation import Generation
from logparse.mark import NEAR, WEAK, Mark, digest
from logparse.packedfile import open_generation

__all__ = ["behind", "entered"]

_BLOCK = 1 << 20
_LINE = 32  # bytes of a last line that tell it from others, stamp and all


def entered(file: Generation, marks: Iterable[Mark]) -> tuple[Generation | None, bool]:
    """The file where it was left, and whether it was known; else at its beginning.

    None: its name belongs to another file by now, and it can only be read forwards.
    """
    for mark in marks:
        if mark.head_size < WEAK or digest(file.head[: mark.head_size]) != mark.head:
            continue
        if file.resume(mark):
            return file, True
        if file.packed:
            file.release()
            again = open_generation(file.path)
            if (again.dev, again.ino) != (file.dev, file.ino):
                again.release()
                return None, False
            file = again
    return file, False


def behind(file: Generation, mark: Mark) -> bool:
    """Whether the lines before the mark stand in this file; then reading goes on behind them."""
    if mark.near_size < WEAK:
        return False
    place = 0
    for end, text in _ends(file.path):
        if end >= mark.near_size:
            known = digest(text[-mark.near_size :]) == mark.near
        else:  # cut so much that only our last line is left
            known = mark.last_size >= _LINE and digest(text[-mark.last_size :]) == mark.last
        if known:
            place = end  # the last one, should the same lines stand there twice
    return place > 0 and file.go_to(place)


def _ends(path: str) -> Iterator[tuple[int, bytes]]:
    """The end of each line with the bytes before it, `NEAR` of them at most."""
    try:
        file = open_generation(path)
    except (OSError, LogError):
        return
    kept, before = b"", 0  # what stands before the block, and where that begins
    try:
        while data := file.read(_BLOCK):
            text = kept + data
            at = text.find(b"\n", len(kept))
            while at >= 0:
                yield before + at + 1, text[max(0, at + 1 - NEAR) : at + 1]
                at = text.find(b"\n", at + 1)
            kept = text[-NEAR:]
            before = file.offset - len(kept)
    finally:
        file.release()
