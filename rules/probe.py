"""The part of a pattern that a pattern set can try cheaply.

A gap such as `.{0,40}` or `\\S+` makes the automaton of a set remember how far it has come, for
each pattern by itself: its number of states explodes. So a set gets only the longest gapless
stretch of each alternative, its *probe*; where a probe is found the whole pattern is tried.

Contract: whenever the pattern matches a text, at least one of its probes does. A pattern without
gaps is its own probe.
Failure: none; a pattern that cannot be taken apart is its own probe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["probes"]

_ATOM = re.compile(
    r"""(?x)
    (?P<atom> \\(?:[pP]\{[^}]*\}|x\{[^}]*\}|x[0-9A-Fa-f]{2}|.)
      | \[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]
      | [^()|] )
    (?P<times> (?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??)?"""
)
_WIDE = {".", "\\S", "\\w", "\\W", "\\D", "\\C"}
_LITERAL = re.compile(r"[A-Za-z0-9 \-_@#:;,'\"/<>=&%!~]|[^\x00-\x7f]|\\[^A-Za-z0-9]")
SHORTEST = 3


class _Piece(NamedTuple):
    text: str
    weight: int  # letters that must occur
    gap: bool


def probes(pattern: str) -> tuple[str, ...]:
    """What to look for in a set instead of the pattern."""
    if pattern.startswith("(?") and not pattern.startswith("(?:"):
        return (pattern,)
    chosen = []
    gapped = False
    for branch in _branches(pattern):
        pieces = list(_pieces(branch))
        gapped = gapped or any(piece.gap for piece in pieces)
        best = _longest(pieces)
        if best is None:
            return (pattern,)
        chosen.append(best)
    return tuple(dict.fromkeys(chosen)) if gapped else (pattern,)


def _longest(pieces: list[_Piece]) -> str | None:
    best, weight = "", 0
    text, total = "", 0
    for piece in [*pieces, _Piece("", 0, True)]:
        if not piece.gap:
            text, total = text + piece.text, total + piece.weight
            continue
        if total > weight:
            best, weight = text, total
        text, total = "", 0
    return best if weight >= SHORTEST else None


def _branches(pattern: str) -> list[str]:
    """The alternatives of the outermost level."""
    found, depth, start = [], 0, 0
    for position, sign in _signs(pattern):
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif depth == 0:
            found.append(pattern[start:position])
            start = position + 1
    return [*found, pattern[start:]]


def _signs(pattern: str) -> Iterator[tuple[int, str]]:
    """Parentheses and bars that are not escaped or inside a class."""
    position = 0
    while position < len(pattern):
        if pattern[position] in "()|":
            yield position, pattern[position]
            position += 1
            continue
        atom = _ATOM.match(pattern, position)
        position = atom.end() if atom else position + 1


def _pieces(branch: str) -> Iterator[_Piece]:
    """Atoms and whole groups of an alternative, each with its quantifier."""
    position = 0
    while position < len(branch):
        if branch[position] == "(":
            end = _closing(branch, position)
            body = branch[position:end]
            times = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})?\??").match(branch, end)
            tail = times[0] if times else ""
            gap = tail[:1] in ("*", "+", "{") or any(
                piece.gap for part in _branches(_inner(body)) for piece in _pieces(part)
            )
            weight = 0 if tail[:1] == "?" else 1
            yield _Piece(body + tail, weight, gap)
            position = end + len(tail)
            continue
        atom = _ATOM.match(branch, position)
        if atom is None:
            yield _Piece(branch[position], 0, True)
            position += 1
            continue
        yield _single(atom)
        position = atom.end()


def _single(atom: re.Match[str]) -> _Piece:
    text, times = atom["atom"], atom["times"] or ""
    wide = text in _WIDE or text.startswith("[^")
    gap = wide and times[:1] in ("*", "+", "{")
    gap = gap or times.startswith("{")
    literal = bool(_LITERAL.fullmatch(text)) and times[:1] not in ("?", "*")
    return _Piece(atom[0], 1 if literal else 0, gap)


def _inner(group: str) -> str:
    body = group[1:-1]
    prefix = re.match(r"\?(?:P?<\w+>|[a-zA-Z\-]*:)", body)
    return body[prefix.end() :] if prefix else body


def _closing(text: str, start: int) -> int:
    depth = 0
    for position, sign in _signs(text[start:]):
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                return start + position + 1
    return len(text)
