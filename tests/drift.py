"""What the documents say in numbers, commands and settings, taken out of their text.

Contract: pure. `plain` is a document without its code; `blocks` are its code. Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["DOCUMENTS", "ROOT", "Block", "blocks", "commands", "joined", "plain", "spans"]

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "contrib").rglob("*.md")),
    ROOT / "rules/README.md",
]
_FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.M | re.S)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}[^\n]*\n|\n(?= {4}))+)")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_PREFIX = re.compile(r"(?:\$ |sudo |\.venv/bin/|/opt/mxheed/bin/)+")


class Block(NamedTuple):
    """A piece of code in a document."""

    document: str
    language: str
    text: str


def blocks(path: Path) -> Iterator[Block]:
    """The code blocks, fenced and indented."""
    name, text = str(path.relative_to(ROOT)), path.read_text("utf-8")
    for _, language, body in _FENCED.findall(text):
        yield Block(name, language, _flush(body))
    for body in _INDENTED.findall(_FENCED.sub("", text)):
        yield Block(name, "", _flush(body))


def plain(path: Path) -> str:
    """The text without its code blocks."""
    return _INDENTED.sub("\n", _FENCED.sub("", path.read_text("utf-8")))


def joined(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


def spans(path: Path) -> list[str]:
    """What stands between backticks, outside of blocks."""
    return [joined(span) for span in _SPAN.findall(plain(path))]


def commands(path: Path) -> Iterator[tuple[str, bool]]:
    """Each call of mxheed, and whether it is whole (a line to type) or only spoken of."""
    for block in blocks(path):
        if block.language in ("", "sh"):
            for line in block.text.replace("\\\n", " ").splitlines():
                for part in line.split(" | "):
                    words = _PREFIX.sub("", part.strip())
                    if words.startswith("mxheed "):
                        yield re.split(r"  +(?:#|\w)| #", words)[0], True
    for span in spans(path):
        for part in _PREFIX.sub("", span).split(" | ")[:1]:
            if part.startswith("mxheed "):
                yield part, False


def _flush(body: str) -> str:
    lines = body.splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "".join(f"{line[margin:]}\n" for line in lines)
