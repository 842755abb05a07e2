"""What in a reply led to its verdict, and where it stands: for `mxheed classify --explain`.

Contract: `evidence` names each thing that was read: the pattern of each condition of the winning
rule, the wait, the point in time, the limit, what the rule captures. Each has the offsets of what
it was read from, in characters of the reply as it was given. Computed on demand only; `marked`
shows them.
Failure: none. What cannot be traced back (`rules.trace`) is left out, never placed wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rules.hints import allowed, dated, limits
from rules.matching import Case
from rules.model import Pattern, Rule
from rules.patterns import compile_pattern
from rules.texts import FIELDS
from rules.trace import Traced, pointed, seen, spoken
from rules.verdict import Verdict
from rules.verdicts import LIMITED

__all__ = ["Quote", "evidence", "marked"]

AROUND = 24  # characters that are shown before and behind
_BESIDE = {"url": 1, "host": 2, "id": 3}  # where `rules.pointers.point` hands them back
_SAID = ("said", "wide", "text")  # by the layer that decided


class Quote(NamedTuple):
    """One thing that was read."""

    what: str  # text, url, host, id, line; wait, moment, limit, count; or what a rule captures
    start: int
    end: int
    by: str  # the pattern, or the words as they were understood

    def of(self, reply: str) -> str:
        """What stands there."""
        return reply[self.start : self.end]


def evidence(
    reply: str, case: Case, layer: int, verdict: Verdict, rule: Rule | None
) -> list[Quote]:
    """All that was read in a reply, in the order of the text."""
    said = spoken(reply, case.reply)
    if said is None or not said.text:
        return []
    found = [*_spoken(said, case, verdict)]
    if rule is not None:
        found += [*_conditions(said, case, layer, rule), *_captured(said, rule)]
    return sorted(set(found), key=lambda one: (one.start, one.end, one.what))


def _conditions(said: Traced, case: Case, layer: int, rule: Rule) -> Iterator[Quote]:
    """The first pattern that is found, of each group of which one is asked for."""
    when = rule.when
    groups = [when.any, *[(pattern,) for pattern in when.all], *when.also]
    texts: dict[str, Traced] = {}
    for group in groups:
        for pattern in group:
            text = texts.get(pattern.kind)
            if text is None:
                text = texts[pattern.kind] = _text(said, case, layer, pattern.kind)
            span = _place(pattern, text)
            if span:
                what = pattern.kind if pattern.kind in (*_BESIDE, "line") else "text"
                yield Quote(what, *span, pattern.text)
                break


def _text(said: Traced, case: Case, layer: int, kind: str) -> Traced:
    field = _SAID[layer] if kind == "said" else FIELDS[kind]
    text = pointed(said, _BESIDE[kind]) if kind in _BESIDE else seen(said, case.reply, field)
    return text if text.text == getattr(case.reply, field) else text.cut(0, 0)


def _place(pattern: Pattern, text: Traced) -> tuple[int, int] | None:
    # as `rules.texts` tries it: within a line, `.` and the ends are those of the line
    flags = "(?m-s:" if pattern.kind == "line" else "(?:"
    found = compile_pattern(f"{flags}{pattern.text})").search(_sound(text.text))
    if found is None:
        return None
    start, end = found.span()
    return text.span(start, end) if end > start else None


def _sound(text: str) -> str:
    """The text as RE2 takes it: half of a character is a question mark."""
    return text.encode("utf-8", "replace").decode()


def _captured(said: Traced, rule: Rule) -> Iterator[Quote]:
    for kind, pattern in rule.captures.items():
        found = compile_pattern(pattern.text).search(_sound(said.text))
        if found and found[1]:
            yield Quote(kind, *said.span(*found.span(1)), found[1])


def _spoken(said: Traced, case: Case, verdict: Verdict) -> Iterator[Quote]:
    """Waits, points in time and limits."""
    wide = seen(said, case.reply, "wide")
    words = []
    if verdict.hint and not verdict.hint.startswith("rule "):
        words.append(("moment" if dated(verdict.hint) else "wait", verdict.hint))
    limit = limits(wide.text) if "period" in verdict.captures else None
    if limit and verdict.category in LIMITED:
        words.append(("limit", limit.words))
    count = allowed(wide.text) if verdict.category == "flow.recipients" else None
    if count:
        words.append(("count", count[0]))
    for what, text in words:
        place = wide.text.find(text)
        if place >= 0:
            yield Quote(what, *wide.span(place, place + len(text)), text)


def marked(reply: str, found: list[Quote]) -> Iterator[tuple[str, str, str]]:
    """Each with the text around it, and marks under what it was read from."""
    shown = "".join([sign if sign.isprintable() else " " for sign in reply])
    for one in found:
        start = max(one.start - AROUND, 0)
        text = shown[start : one.end + AROUND]
        yield one.what, text, " " * (one.start - start) + "^" * (one.end - one.start)
