"""A draft rule from one reply or several of a kind: it passes the check as it stands.

Contract: `draft` returns the text of a rule file with one rule whose examples are the replies. Its
pattern are the words that all of them have in common, no number and no name; its conditions are as
few as it takes to win them. Values come from the verdict the replies have now and are marked where
a person has to decide.
Failure: `RulesError` if the replies have no words in common, or if no rule can win them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import product

from rules.assembly import File
from rules.check import check
from rules.classifier import Classifier
from rules.errors import RulesError
from rules.model import RuleSet
from rules.taxonomy import CATEGORIES, UNKNOWN

__all__ = ["draft", "steady"]

_SPECIAL = re.compile(r"([.+*?()|\[\]{}^$\\])")
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*", re.UNICODE)
_SHORTEST = 4  # letters that a pattern has at least


class _Draft:
    """The parts of a rule that is not there yet."""

    def __init__(
        self, classifier: Classifier, replies: Sequence[str], mx: str | None, stage: str | None
    ) -> None:
        self.replies, self.mx, self.stage = replies, mx, stage
        self.cases = [classifier.case(r, mx=mx, stage=stage, origin=None) for r in replies]
        verdicts = [classifier.classify(r, mx=mx, stage=stage, origin=None) for r in replies]
        self.category = next(
            (v.category for v in verdicts if v.category != UNKNOWN), "policy.other"
        )
        self.words = steady([case.reply.wide for case in self.cases])
        self.receiver = next((case.receiver for case in self.cases if case.receiver), None)

    def text(self, rank: int | None, staged: bool, seen: str, name: str) -> str:
        """The rule file."""
        slug = "-".join(re.findall(r"[a-z0-9]+", self.words.lower())[:4]) or "reply"
        lines = [
            "mxheed: 2",
            "pack: site",
            "rules:",
            f"  - id: {name or 'site.' + slug}",
            f"    # one of: {', '.join(known for known in CATEGORIES if known != UNKNOWN)}",
            f"    category: {self.category}",
            "    when:",
            *(f"      {line}" for line in self._conditions(staged)),
            *([f"    rank: {rank}"] if rank is not None else []),
            "    examples:",
            *(f"      - {{{', '.join(self._example(reply))}}}" for reply in self.replies),
            "    # near misses: replies that look alike and mean something else",
            "    # not: []",
            "    source: observed",
            f"    seen: {seen}",
        ]
        return "\n".join(lines) + "\n"

    def _conditions(self, staged: bool) -> Iterator[str]:
        if self.receiver:
            yield f"receiver: {self.receiver}"
        elif self.mx:
            yield f"mx: {json.dumps(_owner(self.mx))}"
        digits = {case.reply.code // 100 for case in self.cases if case.reply.code}
        if len(digits) == 1 and all(case.reply.code for case in self.cases):
            yield f'code: "{digits.pop()}xx"'
        elif not digits:
            yield "origin: [remote, local]"
        if staged and self.stage:
            yield f"stage: {self.stage}"
        pattern = _SPECIAL.sub(r"\\\1", self.words)
        said = all(self.words.lower() in case.reply.said.lower() for case in self.cases)
        item = json.dumps(pattern, ensure_ascii=False)
        yield f"text: [{item}]" if said else f"text: [{{line: {item}}}]"

    def _example(self, reply: str) -> Iterator[str]:
        yield f"reply: {json.dumps(reply, ensure_ascii=False)}"
        if self.mx:
            yield f"mx: {json.dumps(self.mx)}"
        if self.stage:
            yield f"stage: {self.stage}"


def draft(
    classifier: Classifier,
    replies: Sequence[str],
    *,
    mx: str | None,
    stage: str | None,
    seen: str,
    name: str = "",
) -> str:
    """The text of a site file with a rule that wins these replies."""
    made = _Draft(classifier, replies, mx, stage)
    if len(made.words) < _SHORTEST:
        raise RulesError("these replies have no words in common that a pattern could look for")
    tried: list[str] = []
    for rank, staged in product((None, 0), (False, True)):
        text = made.text(rank, staged, seen, name)
        problems = _problems(classifier.ruleset, text)
        if not problems:
            return text
        tried = problems
    raise RulesError(f"no rule can win these replies: {tried[0]}")


def steady(texts: Sequence[str]) -> str:
    """The longest run of words that stands in all texts, whatever their numbers and names."""
    runs = [_runs(text) for text in texts]
    first = runs[0] if runs else []
    best = ""
    for run in first:
        for start in range(len(run)):
            for end in range(len(run), start, -1):
                words = " ".join(run[start:end])
                if len(words) <= max(len(best), 0) or len(words) > 80:
                    continue
                low = words.lower()
                if all(low in text.lower() for text in texts):
                    best = words
                    break
    return best


def _runs(text: str) -> list[list[str]]:
    """Words that stand beside each other, without what carries numbers or stands for a name."""
    runs: list[list[str]] = [[]]
    for token in text.split():
        word = token.strip(".,;:!?()[]<>\"'")
        if _WORD.fullmatch(word):
            runs[-1].append(word)
        if not _WORD.fullmatch(token):
            runs.append([])
    return [run[:24] for run in runs if run][:24]


def _problems(ruleset: RuleSet, text: str) -> list[str]:
    """What the check says of a rule set with this file beside the others."""
    from rules.assembly import add
    from rules.model import Written

    problems: list[object] = []
    rules = list(ruleset.rules)
    written = Written(rules, dict(ruleset.phrases), {}, ruleset.receivers, ruleset.probes)
    joined, found = add([File("draft", text, site=True)], written, problems)  # type: ignore[arg-type]
    own = [problem for problem in check(joined, site=True) if problem.file == "draft"]
    return [problem.message for problem in (*found, *own)]


def _owner(mx: str) -> str:
    """The part of a host name that its neighbours share."""
    labels = mx.lower().rstrip(".").split(".")
    return ".".join(labels[1:] if len(labels) > 2 else labels)
