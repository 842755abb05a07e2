"""A place in a log file that survives renaming, compression and copying.

A file is known by its device and inode and by what it begins with; the place in it also by the
bytes just before. Names say nothing: rotation changes them. Inodes say little: they are used again.
Contract: frozen values; `to_json` and `from_json` are each other's inverse.
Failure: `LogError` from `from_json` for anything that `to_json` did not make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from logparse.errors import LogError

__all__ = ["HEAD", "NEAR", "WEAK", "Mark", "digest"]

HEAD = 1024  # bytes at the start of a file that tell it from others
WEAK = 64  # fewer do not tell one log from another: less than a line of any log
NEAR = 256  # bytes before the offset that must be the same again

_NUMBERS = ("dev", "ino", "offset", "size", "mtime", "head_size", "near_size")
_TEXTS = ("path", "head", "near")
_LATER = {"last": str, "last_size": int}  # positions saved before they existed lack them


def digest(data: bytes) -> str:
    """A short name for a few bytes (log text is personal data: it is not stored)."""
    return blake2b(data, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Mark:
    """Where we are in one file."""

    path: str  # under which it was opened: a hint, no more
    dev: int
    ino: int
    offset: int  # plain bytes handed out so far
    size: int  # plain bytes seen so far; more than `offset` where a line is not complete
    mtime: int  # nanoseconds; the file's, not a clock's
    head: str  # digest of the first `head_size` bytes
    head_size: int
    near: str  # digest of the `near_size` bytes before `offset`
    near_size: int
    last: str = ""  # digest of the last line before `offset`, as far as it is within NEAR bytes
    last_size: int = 0

    def to_json(self) -> dict[str, Any]:
        """The mark as plain JSON values."""
        return {name: getattr(self, name) for name in (*_NUMBERS, *_TEXTS, *_LATER)}

    @classmethod
    def from_json(cls, value: object) -> Mark:
        """The mark again; everything is checked, since files can be damaged."""
        if not isinstance(value, Mapping):
            raise LogError(f"a place in a log must be a mapping, not {type(value).__name__}")
        for names, kind in ((_NUMBERS, int), (_TEXTS, str)):
            for name in names:
                if not isinstance(value.get(name), kind):
                    raise LogError(f"a place in a log lacks a proper {name!r}")
        later = [name for name, kind in _LATER.items() if isinstance(value.get(name), kind)]
        mark = cls(**{name: value[name] for name in (*_NUMBERS, *_TEXTS, *later)})
        if not (0 <= mark.near_size <= mark.offset <= mark.size and 0 <= mark.head_size <= HEAD):
            raise LogError("a place in a log contradicts itself")
        return mark
