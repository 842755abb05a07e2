"""What `log.path` names: files, globs, journals, pipes, as many as there are.

Contract: `asked(text)` reads one entry: a path, a glob (`*`, `?`, `[…]`), in which `{host}` stands
for a part that names the machine; `journal`, `journal:merge`, `journal:FOLDER`; `-`; `pipe:FILE`. A
file that is there under just that name is that file. `check` looks at all of them together;
`machine_in` is the machine that a path names.
Failure: `ValueError` for what can never be followed.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

__all__ = ["HOST", "AskedLog", "asked", "check", "machine_in", "pattern_of"]

HOST = "{host}"
_MAGIC = re.compile(r"[*?[]|\{host\}")
_ALONE = ("sample", "auto")


class AskedLog(NamedTuple):
    """One entry of `log.path`."""

    kind: Literal["file", "glob", "journal", "stdin", "pipe"]
    text: str  # as it was asked for, and the name of the source unless it is a glob
    path: str = ""  # of a file, a glob, a pipe, or of a journal's folder


def asked(text: str) -> AskedLog:
    """One entry."""
    if text == "-":
        return AskedLog("stdin", text)
    if text in ("journal", "journal:merge"):
        return AskedLog("journal", text)
    kind, colon, rest = text.partition(":")
    if colon and kind in ("journal", "pipe") and not os.path.exists(text):
        if not rest.startswith("/"):
            raise ValueError(f"{text!r}: behind {kind}: a whole path must stand")
        return AskedLog("journal" if kind == "journal" else "pipe", text, rest)
    if not text:
        raise ValueError("the name of a log is empty")
    if _MAGIC.search(text) and not os.path.exists(text):
        return AskedLog("glob", text, text)
    return AskedLog("file", text, text)


def check(texts: Sequence[str]) -> None:
    """Whether these can be followed together."""
    if not texts:
        raise ValueError("log.path names no log")
    if len(set(texts)) < len(texts):
        raise ValueError("log.path names a log twice")
    for text in texts:
        if text in _ALONE and len(texts) > 1:
            raise ValueError(f"{text!r} in log.path stands alone: name each log beside it")
        asked(text)


@lru_cache(maxsize=2048)
def machine_in(path: str, patterns: tuple[str, ...]) -> str:
    """The machine that a path names, by the glob that it matches; "": none does."""
    for pattern in patterns:
        if HOST in pattern and (match := pattern_of(pattern).fullmatch(path)) is not None:
            return match["host"].lower().rstrip(".")
    return ""


@lru_cache(maxsize=64)
def pattern_of(pattern: str) -> re.Pattern[str]:
    """What a glob's paths look like; a machine named twice must be the same."""
    first, *others = pattern.split(HOST)
    text = _part(first)
    for number, part in enumerate(others):
        text += ("(?P<host>[^/]+?)" if not number else "(?P=host)") + _part(part)
    return re.compile(text)


def _part(part: str) -> str:
    """A piece of a glob; a wild card crosses no slash."""
    pieces = (fnmatch.translate(piece) for piece in part.split("/"))
    inner = "/".join(piece.removeprefix("(?s:").removesuffix(r")\Z") for piece in pieces)
    return inner.replace(".*", "[^/]*")
