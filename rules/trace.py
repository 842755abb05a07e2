"""Where in a reply each character stands that its reader hands on.

Reading takes a reply apart: line ends become blanks, repeated codes and the logger's words go,
signs stand for addresses, advice is left out. Here the same steps are gone again, and each
character keeps the place where it came from. Only `--explain` asks for that, so judging pays
nothing for it.

Contract: `Traced.span` of a part of what was read is the part of the reply it was read from. A sign
(`x@x.x`) stands for the whole word it was put into, as far as that differs.
Failure: `spoken` is None where these steps come to another text than `rules.reply` (a test holds
them together): then nothing is told, rather than a wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from rules import reply as reading
from rules.advice import advised, kept
from rules.pointers import point
from rules.reply import Reply
from rules.transcript import parts

__all__ = ["Traced", "pointed", "seen", "spoken"]

_BLANKS = re.compile(r"\s+")


class Traced(NamedTuple):
    """A text, and for each of its characters the part of the reply it comes from."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the reply that this part of the text was read from."""
        return min(self.starts[start:end]), max(self.ends[start:end])

    def cut(self, start: int, end: int | None = None) -> Traced:
        """A part of it."""
        where = slice(start, end)
        return Traced(self.text[where], self.starts[where], self.ends[where])

    def sub(self, pattern: re.Pattern[str], sign: str) -> Traced:
        """One character in place of all that a pattern finds."""
        pieces, done = [], 0
        for found in pattern.finditer(self.text):
            pieces += [self.cut(done, found.start()), _one(sign, *self.span(*found.span()))]
            done = found.end()
        return _all([*pieces, self.cut(done)])

    def strip(self) -> Traced:
        """It without blanks around it."""
        left = len(self.text) - len(self.text.lstrip())
        return self.cut(left, max(len(self.text.rstrip()), left))


def spoken(reply: str, parsed: Reply) -> Traced | None:
    """What `parsed` says, traced through the reply it was read from (or is one of several of)."""
    line = _unwrapped(_line(reply[: reading.LIMIT]))
    head = reading._HEAD.match(line.text)
    assert head is not None
    code, mark, enhanced = head.groups()
    rest = line.cut(head.end())
    if code and (mark == "-" or "\n" in reading._BREAK.sub("\n", reply[: reading.LIMIT])):
        rest = _unfolded(rest, reading._repeated(code, enhanced))
    if not code:
        return rest if rest.text == parsed.spoken else None
    at, found = 0, []
    for number, part in enumerate(parts(rest.text)):
        begins = reading._HEAD.match(part)
        assert begins is not None
        skipped = begins.end() if number else 0
        found.append(rest.cut(at + skipped, at + len(part)))
        at += len(part) + 1
    return next((one for one in found if one.text == parsed.spoken), None)


def seen(said: Traced, parsed: Reply, field: str) -> Traced:
    """What patterns see of it: `wide`, `text`, `said` or `lines`, made of what is spoken."""
    if field == "text":
        return _signed(said, parsed.text)
    wide = _signed(said, parsed.wide)
    if field == "lines":
        return _refolded(wide, parsed.lines)
    if field == "said":
        spans = advised(parsed.wide)
        return _joined(wide.cut(*piece) for piece in kept(parsed.wide, spans)) if spans else wide
    return wide


def pointed(said: Traced, kind: int) -> Traced:
    """The links (1), host names (2) or ids (3) in it, each with its place, joined by blanks."""
    found: list[Traced] = []
    before = ""
    for word in _words(said):
        at = 0
        # whether a stamp is a point in time follows from the word before it
        items = point(f"{before} {word.text}" if before.isalpha() else word.text)[kind]
        before = word.text
        for item in filter(None, items.split(" ")):
            place = word.text.find(item, at)
            if place < 0:  # it holds a sign itself
                found.append(_spread(item, word))
            else:
                at = place + len(item)
                found.append(word.cut(place, at))
    return _joined(found)


def _line(reply: str) -> Traced:
    places = range(len(reply))
    line = Traced(reply, tuple(places), tuple(place + 1 for place in places))
    if "\\" in reply:
        line = line.sub(reading._BREAK, "\n")
    line = line.sub(_BLANKS, " ").strip()
    if not line.text.isprintable():
        line = line.sub(reading._CONTROL, " ").sub(_BLANKS, " ").strip()
    return line


def _unwrapped(line: Traced) -> Traced:
    head = reading._HEAD.match(line.text)
    if head and head[1] and "(in reply to " not in line.text:
        return line
    suffix = reading._SUFFIX.search(line.text[-64:])
    end = len(line.text) - (len(suffix[0]) if suffix else 0)
    inner, _ = reading._unwrap(line.text, not (head and head[1]))
    return line.cut(end - len(inner), end)


def _unfolded(rest: Traced, again: re.Pattern[str]) -> Traced:
    """The lines of a reply without the codes they begin with."""
    cuts = [0, *(at for found in again.finditer(rest.text) for at in found.span())]
    ends = [*cuts[1::2], None]
    lines = [rest.cut(*cut).strip() for cut in zip(cuts[::2], ends, strict=True)]
    return _joined(line for line in lines if line.text)


def _signed(source: Traced, text: str) -> Traced:
    """A text with signs for some words, by the words they were put into."""
    words, signs = list(_words(source)), text.split(" ")
    if len(words) != len(signs):  # a quoted mailbox with blanks: a sign for several words
        return _spread(text, source)
    return _joined(_spread(sign, word) for sign, word in zip(signs, words, strict=True))


def _spread(sign: str, word: Traced) -> Traced:
    """A sign for a word: what both begin and end with is the same."""
    if sign == word.text:
        return word
    most = min(len(sign), len(word.text))
    left = next((n for n in range(most) if sign[n] != word.text[n]), most)
    tail = range(1, most - left + 1)
    right = next((n - 1 for n in tail if sign[-n] != word.text[-n]), most - left)
    middle = len(sign) - left - right
    end = len(word.text) - right
    start, stop = word.span(left, end) if end > left else word.span(0, len(word.text))
    changed = Traced(sign[left : left + middle], (start,) * middle, (stop,) * middle)
    return _all([word.cut(0, left), changed, word.cut(end)])


def _refolded(wide: Traced, lines: str) -> Traced:
    """The same characters with other blanks between them."""
    places = iter([at for at, sign in enumerate(wide.text) if sign != " "])
    last, pieces = 0, []
    for sign in lines:
        last = next(places) if sign not in " \n" else last
        pieces.append(_one(sign, wide.starts[last], wide.ends[last]))
    return _all(pieces)


def _words(text: Traced) -> Iterator[Traced]:
    blanks = [at for at, sign in enumerate(text.text) if sign == " "]
    for before, after in pairwise([-1, *blanks, len(text.text)]):
        yield text.cut(before + 1, after)


def _one(sign: str, start: int, end: int) -> Traced:
    return Traced(sign, (start,), (end,))


def _joined(pieces: Iterable[Traced]) -> Traced:
    """The pieces with a blank between each two: what stood between them."""
    made: list[Traced] = []
    last = 0
    for number, piece in enumerate(pieces):
        if number:
            made.append(_one(" ", last, max(last, piece.starts[0] if piece.text else last)))
        made.append(piece)
        last = piece.ends[-1] if piece.text else last
    return _all(made)


def _all(pieces: Iterable[Traced]) -> Traced:
    pieces = list(pieces)
    return Traced(
        "".join(piece.text for piece in pieces),
        tuple(at for piece in pieces for at in piece.starts),
        tuple(at for piece in pieces for at in piece.ends),
    )
