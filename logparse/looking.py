"""Looking into the files that a listing found: is this the one, or a copy, or empty?

Contract: a file is what was listed only while its inode is the listed one; where a name belongs to
another file by now, the answer is None or "no". Nothing stays open but what is handed out.
Failure: OSError from `opened` and `resumed` where the very file that is needed cannot be opened;
the others pass over what cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from logparse.errors import LogError
from logparse.generation import Generation
from logparse.mark import WEAK, Mark
from logparse.packedfile import open_generation
from logparse.rotated import Candidate

__all__ = [
    "entry_of",
    "head_of",
    "index_of",
    "is_bare",
    "is_copy",
    "is_empty",
    "named",
    "opened",
    "resumed",
]


def is_copy(entry: Candidate, live: Candidate) -> bool:
    """Is this a copy of the live file, about to be truncated (copytruncate at work)?"""
    if not entry.packed and entry.size > live.size:
        return False
    head = head_of(entry)
    return bool(head) and head_of(live)[: len(head)] == head


def is_empty(entry: Candidate) -> bool:
    """Is this a compressed file of nothing? A broken one is not: something was in it."""
    generation = opened(entry)
    if generation is None:
        return False
    generation.release()
    return not (generation.head or generation.dropped)


def is_bare(file: Generation) -> bool:
    """No whole line, and too little to be told from other files."""
    return len(file.head) < WEAK and b"\n" not in file.head


def entry_of(path: str, stat: os.stat_result) -> Candidate:
    return Candidate(path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, path)


def named(*paths: str) -> Iterator[Candidate]:
    """The files of these names that are there."""
    for path in dict.fromkeys(paths):
        try:
            stat = os.stat(path)
        except OSError:
            continue
        yield entry_of(path, stat)


def index_of(entries: list[Candidate], generation: Generation) -> int | None:
    """Where a generation is in the chain, renamed, compressed or copied."""
    for index, entry in enumerate(entries):
        if (entry.dev, entry.ino) == (generation.dev, generation.ino):
            return index
    head = generation.head
    for index in reversed(range(len(entries) if head else 0)):
        if head_of(entries[index])[: len(head)] == head:
            return index
    return None


def opened(entry: Candidate) -> Generation | None:
    """The file of an entry; None where its name belongs to another by now."""
    try:
        generation = open_generation(entry.path)
    except FileNotFoundError:
        return None
    if (generation.dev, generation.ino) == (entry.dev, entry.ino):
        return generation
    generation.release()
    return None


def resumed(entry: Candidate, mark: Mark) -> Generation | None:
    """The file of an entry, if it is the marked one."""
    try:
        generation = opened(entry)
    except (OSError, LogError):
        if (entry.dev, entry.ino) == (mark.dev, mark.ino):
            raise  # it is most likely the one: waiting is better than a gap
        return None
    if generation is None:
        return None
    if generation.resume(mark):
        return generation
    generation.release()
    return None


def head_of(entry: Candidate) -> bytes:
    """How the file of an entry begins; nothing where it cannot be read."""
    try:
        generation = opened(entry)
    except (OSError, LogError):
        return b""
    if generation is None:
        return b""
    generation.release()
    return generation.head
