"""Time per reply: warm, alike, cold, at first sight; with ten times the rules; beside plain `re`.

Contract: `python -m bench.rules_bench [--json]` prints microseconds of processor time per reply,
the best of several rounds. The replies are the examples of the shipped rules, four times each.

    warm         the very same reply was judged before
    alike        another reply of the same wording: other mailboxes
    cold         never seen, with other numbers and ids, by a process at work for a while
    first sight  as cold, and no verdict whatsoever is remembered

Failure: none; the figures depend on the machine and on what else runs on it.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rules import Classifier, Rule, RuleSet, load
from rules.matching import Case, holds
from rules.model import Pattern, When
from rules.patterns import fault

__all__ = ["main", "tenfold"]

Sample = tuple[str, str | None, str | None]
ROUNDS = 7
_WORD = re.compile(r"(?<![\\\[\-A-Za-z])[A-Za-z]{3,}(?![\]\-A-Za-z])")
_MAILBOX = re.compile(r"[A-Za-z0-9.]+@")
_DIGITS = re.compile(r"(?<=[0-9])[0-9](?=[0-9])")


def main(argv: Sequence[str] = ()) -> int:
    """Measure and print."""
    ruleset = load()
    figures = _measure(ruleset)
    big = tenfold(ruleset)
    more = _measure(big)
    naive = _naive(ruleset)
    lines = {
        "rules": len(ruleset.rules),
        "patterns": figures.pop("patterns"),
        **{f"{name} µs": round(value, 2) for name, value in figures.items()},
        "tenfold rules": len(big.rules),
        "tenfold patterns": more.pop("patterns"),
        **{f"tenfold {name} µs": round(value, 2) for name, value in more.items()},
        **{f"tenfold / one: {name}": round(more[name] / figures[name], 2) for name in more},
        "re in sequence µs": round(naive, 1),
        "re in sequence / cold": round(naive / figures["cold"], 1),
    }
    if "--json" in argv:
        print(json.dumps(lines, ensure_ascii=False))
    else:
        for name, value in lines.items():
            print(f"{name:28} {value:>10}")
    return 0


def tenfold(ruleset: RuleSet) -> RuleSet:
    """The rule set with nine more of each rule, in other words."""
    rules = list(ruleset.rules)
    for copy in range(1, 10):
        for rule in ruleset.rules:
            when = replace(
                rule.when,
                any=_other(rule.when.any, copy),
                all=_other(rule.when.all, copy),
                none=_other(rule.when.none, copy),
            )
            if when.any or when.all:
                rules.append(replace(rule, id=f"{rule.id}.copy{copy}", when=when, examples=()))
    return RuleSet(tuple(rules), ruleset.receivers, phrases=ruleset.phrases)


def _other(patterns: Sequence[Pattern], copy: int) -> tuple[Pattern, ...]:
    """The patterns with their words in another alphabet."""
    made = [replace(pattern, text=_WORD.sub(_rotated(copy), pattern.text)) for pattern in patterns]
    return tuple(pattern for pattern in made if fault(pattern.text) is None)


def _rotated(copy: int) -> Callable[[re.Match[str]], str]:
    def rotate(word: re.Match[str]) -> str:
        low = word[0].lower()
        return "".join(chr((ord(sign) - 97 + copy * 2 + 1) % 26 + 97) for sign in low)

    return rotate


def _measure(ruleset: RuleSet) -> dict[str, float]:
    samples = _samples(load())
    choose = random.Random(5)
    others = [_strange(samples, choose) for _ in range(ROUNDS)]
    alike = [(_renamed(reply, choose), mx, stage) for reply, mx, stage in samples]
    classifier = Classifier(ruleset, cache=1 << 20)
    for reply, mx, stage in samples:
        classifier.classify(reply, mx=mx, stage=stage)
    figures = {
        "warm": _time(samples, lambda s: _known(classifier, s)),
        "alike": _time(alike, lambda s: _unseen(classifier, s)),
        "cold": min(_time(new, lambda s: _known(classifier, s), 1) for new in others),
    }
    blank = Classifier(ruleset, cache=1)
    figures["first sight"] = _time(others[0], lambda s: _unseen(blank, s))
    patterns = {p.text for r in ruleset.rules for p in (*r.when.any, *r.when.all, *r.when.none)}
    return {"patterns": len(patterns), **figures}


def _unseen(classifier: Classifier, sample: Sample) -> None:
    """Judge past the cache of whole replies."""
    classifier.judge(classifier.case(sample[0], mx=sample[1], stage=sample[2]))


def _known(classifier: Classifier, sample: Sample) -> None:
    classifier.classify(sample[0], mx=sample[1], stage=sample[2])


def _strange(samples: Sequence[Sample], choose: random.Random) -> list[Sample]:
    """The samples with numbers and ids that no other round has."""
    return [(_varied(reply, choose), mx, stage) for reply, mx, stage in samples]


def _time(
    samples: Sequence[Sample], judge: Callable[[Sample], object], rounds: int = ROUNDS
) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for sample in samples:
            judge(sample)
        best = min(best, time.process_time() - started)
    return best / len(samples) * 1e6


def _samples(ruleset: RuleSet) -> list[Sample]:
    """Replies of the remote side."""
    choose = random.Random(3)
    found = [
        (_renamed(example.reply, choose), example.mx, example.stage)
        for rule in ruleset.rules
        if "remote" in rule.when.origins
        for example in rule.examples
        for _ in range(4)
    ]
    choose.shuffle(found)
    return found


def _renamed(reply: str, choose: random.Random) -> str:
    """The reply with other mailboxes."""
    return _MAILBOX.sub(lambda _: f"user{choose.randrange(10**6)}@", reply)


def _varied(reply: str, choose: random.Random) -> str:
    """The reply with other mailboxes, numbers and a trailing id."""
    head, rest = reply[:9], _renamed(reply[9:], choose)
    rest = _DIGITS.sub(lambda _: str(choose.randrange(10)), rest)
    return f"{head}{rest} {choose.randrange(16**10):x}"


def _naive(ruleset: RuleSet) -> float:
    """Every rule in order, its patterns one by one with `re`."""
    compiled: dict[str, re.Pattern[str]] = {}
    for rule in ruleset.rules:
        for pattern in (*rule.when.any, *rule.when.all, *rule.when.none):
            compiled[pattern.text] = re.compile(pattern.text.removeprefix("(?i)"), re.IGNORECASE)
    classifier = Classifier(ruleset)
    samples = _samples(ruleset)[::10]

    def judge(sample: Sample) -> Rule | None:
        case = classifier.case(sample[0], mx=sample[1], stage=sample[2])
        return next((e.rule for e in ruleset_entries if _holds(e.when, case, compiled)), None)

    ruleset_entries = ruleset.entries
    return _time(samples, judge)


def _holds(when: When, case: Case, compiled: dict[str, re.Pattern[str]]) -> bool:
    text = case.reply.text
    return (
        holds(when, case)
        and (not when.any or any(compiled[p.text].search(text) for p in when.any))
        and all(compiled[p.text].search(text) for p in when.all)
        and not any(compiled[p.text].search(text) for p in when.none)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
