"""Pieces of Postfix's configuration as commands for a shell, which can be read, and then run.

Contract: pure. A parameter becomes `postconf -e`, a service `postconf -Me` (which replaces one of
that name); comments stay comments. Failure: none.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from policyd.postfix.setup import Fragment

__all__ = ["commands"]


def commands(pieces: Sequence[Fragment], directory: str = "") -> Iterator[str]:
    """A line each; `directory` is the instance's, "" for the machine's one Postfix."""
    of = f" -c {shlex.quote(directory)}" if directory else ""
    for piece in pieces:
        yield from (line for line in piece.text.splitlines() if line.startswith("#"))
        for line in _logical(piece.text):
            if piece.file == "commands":
                yield line.replace("postconf", f"postconf{of}", 1)
            elif piece.file == "main.cf":
                name, _, value = line.partition("=")
                words = shlex.quote(f"{name.strip()} = {value.strip()}")
                yield f"postconf{of} -e {words}"
            else:
                name, kind = line.split()[:2]
                yield f"postconf{of} -Me {shlex.quote(f'{name}/{kind} = {line}')}"
        yield ""


def _logical(text: str) -> list[str]:
    """Lines with those that continue them, in single blanks, without comments."""
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace() and found:
            found[-1] += f" {' '.join(line.split())}"
        else:
            found.append(" ".join(line.split()))
    return found
