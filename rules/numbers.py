"""Which numbers in a text a verdict may hang on; all others are the same to it.

Most numbers in replies count something down, or name a queue, and no pattern tells one from
another. So what is remembered of a text (`rules.texts.Texts.key`) need not hold them.

Contract: `Numbers.bare` gives two texts the same value only if they differ in no more than digits,
and no pattern is found in one of them and not in the other. A pattern that asks for any digits
cannot tell them apart; one that is as good as its literals does by these, and they are part of the
value; where another one might be found, or a clock time stands, the value is the text. What is
*read* from numbers (a wait, a limit, a count) is read from each text anew.
Failure: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import itemgetter

import ahocorasick

from rules.probe import Clues

__all__ = ["Bare", "Numbers", "alike", "reads"]

Bare = str | tuple[bytes, frozenset[str]]

_ALIKE = bytes.maketrans(b"123456789", b"000000000")
# the signs of an address and an id, and bytes that are none of UTF-8
_ADDRESS, _ID, _ADDRESS_MARK, _ID_MARK = b"0.0.0.0", b"x0", b"\xff", b"\xfe"
_DIGIT = re.compile("[0-9]")
_PIECE = re.compile(r"\\.|(\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])")
_TIMES = re.compile(r"(?<!\\x)\{[0-9]+(?:,[0-9]*)?\}")
_SIGNS = re.compile(r"(?:0\\\.0\\\.0\\\.0|(?<![\\A-Za-z])x0)(?![0-9?*+{])")
_WORD = itemgetter(1)


def alike(text: str) -> str:
    """The text with all digits alike."""
    return text.encode("utf-8", "surrogatepass").translate(_ALIKE).decode("utf-8", "surrogatepass")


def reads(pattern: str) -> bool:
    """Does a pattern tell digits apart: does it name any, but for signs of addresses and ids."""
    named = _TIMES.sub("", _SIGNS.sub("", _PIECE.sub(_members, pattern)))
    return _DIGIT.search(named) is not None


def _members(piece: re.Match[str]) -> str:
    """A class with the digits that it names one by one; an escape as it is."""
    klass = piece[1]
    return f"[{''.join(_DIGIT.findall(klass.replace('0-9', '')))}]" if klass else piece[0]


class Numbers:
    """What the patterns of a rule set read from digits."""

    def __init__(self, patterns: Iterable[tuple[str, Clues, bool]]) -> None:
        """Each pattern that is looked for in the text, its literals, and whether they are all."""
        words: set[str] = set()
        self._unless: dict[str, list[frozenset[str]]] = {}
        self._never = False  # a pattern without literals tells digits apart
        for pattern, clues, exact in patterns:
            if not _DIGIT.search(pattern):
                continue
            if exact:
                words |= {word for word in clues.literals if _DIGIT.search(word)}
            elif reads(pattern):
                self._never = self._never or not clues.literals
                words |= clues.literals | clues.also
                for word in clues.literals:
                    self._unless.setdefault(word, []).append(clues.also)
        self._words = ahocorasick.Automaton()
        self._words.add_word("\0", "")  # an automaton must not be empty
        for word in words:
            self._words.add_word(word, word)
        self._words.make_automaton()

    def bare(self, text: str) -> Bare:
        """The text as far as patterns can see it."""
        raw = text.encode("utf-8", "surrogatepass")
        blind = raw.translate(_ALIKE)
        if blind == raw or self._never or b"0:0" in blind:
            return text
        blind = raw.replace(_ADDRESS, _ADDRESS_MARK).replace(_ID, _ID_MARK).translate(_ALIKE)
        if b"\xff0" in blind or b"\xff.0" in blind or b"X0" in blind:
            return text  # part of a longer number, or what patterns take for a sign
        found = frozenset(map(_WORD, self._words.iter(text.lower())))
        for word in found:
            for also in self._unless.get(word, ()):
                if not also or not also.isdisjoint(found):
                    return text
        return blind, found
