"""Which patterns occur in a text: thousands of them for one look, and a few tries.

The literals stand in Aho-Corasick automatons: built once, of fixed size, and as fast for a text
never met before as for any other. (An RE2 set of them is as fast at best, but builds its states
while it reads: new texts cost five times as much, and hostile ones fill its memory.)

Contract: `Texts.look` finds the literals of all patterns in one pass; the `Look` then tells whether
one of several patterns (`Texts.some`) occurs. Each pattern has a kind: where it is looked for. What
is `said` is looked at in layers: first without advice, then with it, then with all that the text
points at.
Failure: none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import ahocorasick

from rules.beside import Beside, Known
from rules.numbers import Bare, Numbers
from rules.patterns import pattern_set
from rules.probe import Clues, probe
from rules.reply import Reply

__all__ = ["FIELDS", "KINDS", "LAYERS", "Known", "Look", "Some", "Texts"]

# where patterns look: what is said; that and what is advised; all of it, links and names included;
# links, host names, ids; what is said and advised, line by line
KINDS = ("said", "wide", "text", "url", "host", "id", "line")
LAYERS = 3
_MAIN = ("said", "wide", "text", "line")  # kinds that share their literals
FIELDS = {
    "said": "said",
    "wide": "wide", "text": "text", "url": "urls", "host": "hosts", "id": "ids", "line": "lines",
}  # fmt: skip
_SEEN = {"said": 0, "wide": 1, "text": 2, "url": 3, "host": 3, "id": 3, "line": 1}
_LAYERS = ("said", "wide", "text")
_PLACE = itemgetter(1)
_NOTHING: frozenset[int] = frozenset()


class Some(NamedTuple):
    """Patterns of one kind, of which one is to occur, by what is found of them."""

    place: int  # which of `Look.seen` it is about
    sure: frozenset[int]  # literals that are enough
    leads: frozenset[int]  # literals that call for a try
    tries: dict[int, list[Known]]  # what to try where such a literal is found
    always: list[Known]  # what to try anywhere


class Texts:
    """All patterns of a rule set."""

    def __init__(
        self, probes: Mapping[str, Clues] | None = None, clocked: Iterable[str] = ()
    ) -> None:
        """`clocked`: patterns that tell digits apart in clock times only."""
        self.probes = dict(probes or {})
        self._apart = frozenset(clocked)
        self._known: dict[tuple[str, str], Known] = {}
        self._literals: dict[str, dict[str, int]] = {"": {}}  # by where they are looked for
        self._count = 0
        self._tries: list[Callable[[bytes], Any] | None] = []  # compiled when first tried
        self._patterns: list[tuple[str, str]] = []
        self._plain: Any = None
        self._other: Any = None
        self._numbers: Numbers | None = None  # made when the first key is asked for

    def add(self, pattern: str, kind: str = "said") -> Known:
        """A pattern, new or known."""
        known = self._known.get((kind, pattern))
        if known is None:
            found = self.probes.get(pattern)
            if found is None:
                found = self.probes[pattern] = probe(pattern)
            known = self._known[kind, pattern] = Known(
                len(self._known),
                self._number(found.literals, kind),
                found.exact,
                self._number(found.also, kind),
            )
            self._patterns.append((kind, pattern))
            self._tries.append(None)
        return known

    def _number(self, literals: frozenset[str], kind: str) -> frozenset[int]:
        if not literals:
            return _NOTHING
        numbers = self._literals.setdefault("" if kind in _MAIN else kind, {})
        found = []
        for word in literals:
            number = numbers.get(word)
            if number is None:
                number = numbers[word] = self._count
                self._count += 1
            found.append(number)
        return frozenset(found)

    def some(self, patterns: Iterable[str], kind: str = "said") -> Some:
        """One of these patterns."""
        sure: set[int] = set()
        tries: dict[int, list[Known]] = {}
        always: list[Known] = []
        for known in [self.add(pattern, kind) for pattern in patterns]:
            exact = known.exact and kind != "line"  # a literal may stand across two lines
            if exact:
                sure |= known.literals
            elif not known.literals:
                always.append(known)
            for literal in () if exact else known.literals:
                tries.setdefault(literal, []).append(known)
        return Some(_SEEN[kind], frozenset(sure), frozenset(tries), tries, always)

    def compile(self) -> None:
        """No more patterns."""
        main = self._literals.pop("")
        # few texts have anything but ASCII, and nodes with few branches are faster
        self._far = {word: at for word, at in main.items() if not word.isascii()}
        self._plain = _automaton({word: at for word, at in main.items() if word not in self._far})
        self._whole = "text" in {kind for kind, _ in self._patterns}
        self._beside = Beside(
            {FIELDS[kind]: _automaton(literals) for kind, literals in self._literals.items()},
            [(FIELDS[kind], one) for (kind, _), one in self._known.items() if kind not in _MAIN],
            self.occurs,
        )

    def _bare(self, text: str) -> Bare:
        if self._numbers is None:
            if not any(digit in text for digit in "123456789"):
                return text  # a start need not wait for them
            known = self._known.items()
            self._numbers = Numbers(
                (pattern, self.probes[pattern], clues.exact and kind != "line")
                for (kind, pattern), clues in known
                if kind in _MAIN and pattern not in self._apart
            )
        return self._numbers.bare(text)

    def key(self, reply: Reply) -> tuple[object, ...]:
        """All that patterns can see of a reply: no two with the same key are told apart by them.

        Of links, names and ids it holds which patterns are found there, and no more; the whole
        text only for files of version 1.
        """
        bare = self._bare(reply.wide)
        if not reply.pointed:
            return (bare, reply.breaks)
        return (bare, reply.breaks, reply.text if self._whole else None, self._beside.told(reply))

    def look(self, reply: Reply, layer: int = 0, before: Look | None = None) -> Look:
        """One pass over a reply; `layer`: how much of it counts as said.

        `before`: the look at a layer below, of the same reply.
        """
        shown: str = getattr(reply, _LAYERS[layer])
        if before is None:
            hits = self._hits(shown)
            wide = hits if shown == reply.wide else self._hits(reply.wide)
            whole = self._hits(reply.text) if self._whole else _NOTHING
            beside = self._beside.literals(reply) if reply.pointed else _NOTHING
        else:
            _, wide, whole, beside = before.seen
            hits = wide if layer == 1 else (whole or self._hits(shown))
        return Look(self, reply, layer, (hits, wide, whole, beside))

    def _hits(self, text: str) -> frozenset[int]:
        low = text.lower()
        hits = frozenset(map(_PLACE, self._plain.iter(low)))
        if not low.isascii():
            if self._other is None:
                self._other = _automaton(self._far)  # a start need not wait for it
            hits |= frozenset(map(_PLACE, self._other.iter(low)))
        return hits

    def kind(self, number: int) -> str:
        """Where a pattern looks."""
        return self._patterns[number][0]

    def occurs(self, number: int, text: bytes) -> bool:
        """Try one pattern by itself."""
        attempt = self._tries[number]
        if attempt is None:
            kind, pattern = self._patterns[number]
            lines = kind == "line"
            attempt = pattern_set(1 << 23, pattern, lines=lines)._set.Match
            self._tries[number] = attempt
        return bool(attempt(text))


def _automaton(literals: dict[str, int]) -> Any:
    automaton = ahocorasick.Automaton()
    automaton.add_word("\0", -1)  # stands in no text, and an automaton must not be empty
    for literal, number in literals.items():
        automaton.add_word(literal, number)
    automaton.make_automaton()
    return automaton


class Look:
    """What has been seen of one reply so far."""

    __slots__ = ("_encoded", "_reply", "_texts", "layer", "seen", "tried")

    def __init__(
        self, texts: Texts, reply: Reply, layer: int, seen: tuple[frozenset[int], ...]
    ) -> None:
        self._texts = texts
        self._reply = reply
        self._encoded: dict[str, bytes] = {}
        self.layer = layer
        self.seen = seen  # literals: said, wide, text, beside
        self.tried: dict[int, bool] = {}

    @property
    def hits(self) -> frozenset[int]:
        """The literals that lead to rules."""
        hits, wide, whole, beside = self.seen
        if whole or beside or wide is not hits:
            return hits | wide | whole | beside  # conditions on lines look at the wide text
        return hits

    def any(self, some: Some) -> bool:
        """Does one of these patterns occur."""
        place, sure, leads, tries, always = some
        hits = self.seen[place]
        if not sure.isdisjoint(hits):
            return True
        if not always and leads.isdisjoint(hits):
            return False
        for literal in leads & hits:
            for number, _, _, also in tries[literal]:
                if (not also or not also.isdisjoint(hits)) and self.attempt(number):
                    return True
        return any(self.attempt(known.number) for known in always) if always else False

    def attempt(self, number: int) -> bool:
        """Try a pattern that is more than its literals."""
        known = self.tried.get(number)
        if known is None:
            kind = self._texts.kind(number)
            text = self._encoded.get(kind)
            if text is None:
                field = _LAYERS[self.layer] if kind == "said" else FIELDS[kind]
                text = getattr(self._reply, field).encode("utf-8", "replace")
                self._encoded[kind] = text
            known = self.tried[number] = self._texts.occurs(number, text)
        return known
