"""Time per reply: warm, alike, cold, at first sight; with ten times the rules; beside plain `re`.

Contract: `python -m bench.rules_bench [--json]` prints microseconds of processor time per reply,
the best of several rounds. The replies are the examples of the shipped rules, four times each.

    warm         the very same reply was judged before
    alike        another reply of the same wording: other mailboxes
    cold         never seen, with other numbers and ids, by a process at work for a while
    first sight  as cold, and no verdict whatsoever is remembered (but whose the hosts are)
    long words   at first sight, nearly 2,000 bytes: what other replies say, one after the other
    long fields  at first sight, nearly 2,000 bytes: what is made to look like log records
    start        the first verdict of a process, from its very beginning; milliseconds

Failure: none; the figures depend on the machine and on what else runs on it.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.logs_worst import KINDS
from rules import Classifier, RuleSet, load
from rules.matching import Case, holds
from rules.model import Pattern, When
from rules.patterns import fault

__all__ = ["main", "tenfold"]

Sample = tuple[str, str | None, str | None]
ROUNDS = 7
LONG = 1900
FALSE = [KINDS[kind] for kind in ("false records in the reply", "false line heads in the reply")]
START = "import rules; rules.Classifier(rules.load()).classify('550 5.1.1 user unknown')"
_WORD = re.compile(r"(?<![\\\[\-A-Za-z])[A-Za-z]{3,}(?![\]\-A-Za-z])")
_MAILBOX = re.compile(r"[A-Za-z0-9.]+@")
_DIGITS = re.compile(r"(?<=[0-9])[0-9](?=[0-9])")


def main(argv: Sequence[str] = ()) -> int:
    """Measure and print."""
    ruleset = load()
    big = tenfold(ruleset)
    choose = random.Random(3)
    samples = _samples(ruleset, choose)
    one, ten = _Bench(ruleset, samples), _Bench(big, samples)
    for _ in range(ROUNDS):
        # in turns, so that both meet the same disturbances
        alike = [(_renamed(reply, choose), mx, stage) for reply, mx, stage in samples]
        strange = [(_varied(reply, choose), mx, stage) for reply, mx, stage in samples]
        for bench in (one, ten):
            bench.round(alike, strange)
    figures, more = one.best, ten.best
    naive = _naive(ruleset, samples[::10])
    lines = {
        "rules": len(ruleset.rules),
        "patterns": _patterns(ruleset),
        **{f"{name} µs": round(value, 2) for name, value in figures.items()},
        "tenfold rules": len(big.rules),
        "tenfold patterns": _patterns(big),
        **{f"tenfold {name} µs": round(value, 2) for name, value in more.items()},
        **{f"tenfold / one: {name}": round(more[name] / figures[name], 2) for name in more},
        "start ms": round(_start() * 1e3, 1),
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
    made = [pattern._replace(text=_WORD.sub(_rotated(copy), pattern.text)) for pattern in patterns]
    return tuple(pattern for pattern in made if fault(pattern.text) is None)


def _rotated(copy: int) -> Callable[[re.Match[str]], str]:
    def rotate(word: re.Match[str]) -> str:
        low = word[0].lower()
        return "".join(chr((ord(sign) - 97 + copy * 2 + 1) % 26 + 97) for sign in low)

    return rotate


class _Bench:
    """A rule set under measurement."""

    def __init__(self, ruleset: RuleSet, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.classifier = Classifier(ruleset, cache=1 << 20)
        self.blank = Classifier(ruleset, cache=1)
        words = " ".join(reply for reply, _, _ in samples)
        ends = range(LONG, len(words), LONG)
        self.words: list[Sample] = [(f"550 {words[end - LONG : end]}", None, None) for end in ends]
        self.fields: list[Sample] = [(kind.partition(" (")[2], None, None) for kind in FALSE] * 50
        self.best: dict[str, float] = {}
        self._known(samples)

    def round(self, alike: Sequence[Sample], strange: Sequence[Sample]) -> None:
        """Every figure once more; the best one counts."""
        for name, judge, samples in (
            # three times: the first pass shows what other work left in the processor's caches
            ("warm", self._known, self.samples),
            ("warm", self._known, self.samples),
            ("warm", self._known, self.samples),
            ("alike", self._known, alike),
            ("cold", self._known, strange),
            ("first sight", self._unseen, strange),
            ("long words", self._unseen, self.words),
            ("long fields", self._unseen, self.fields),
        ):
            started = time.process_time()
            judge(samples)
            spent = (time.process_time() - started) / len(samples) * 1e6
            self.best[name] = min(self.best.get(name, spent), spent)

    def _known(self, samples: Sequence[Sample]) -> None:
        classify = self.classifier.classify
        for reply, mx, stage in samples:
            classify(reply, mx=mx, stage=stage)

    def _unseen(self, samples: Sequence[Sample]) -> None:
        blank = self.blank
        for reply, mx, stage in samples:
            blank.judge(blank.case(reply, mx=mx, stage=stage))


def _patterns(ruleset: RuleSet) -> int:
    return len({p.text for r in ruleset.rules for p in (*r.when.any, *r.when.all, *r.when.none)})


def _samples(ruleset: RuleSet, choose: random.Random) -> list[Sample]:
    """Replies of the remote side, each four times with other mailboxes."""
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


def _start() -> float:
    """Processor time of a process that judges one reply, the best of five."""
    spent = []
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", START])
        _, code, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(code)
        spent.append(usage.ru_utime + usage.ru_stime)
    return min(spent)


def _naive(ruleset: RuleSet, samples: Sequence[Sample]) -> float:
    """Every rule in order, its patterns one by one with `re`."""
    compiled: dict[str, re.Pattern[str]] = {}
    for rule in ruleset.rules:
        for pattern in (*rule.when.any, *rule.when.all, *rule.when.none):
            compiled[pattern.text] = re.compile(pattern.text.removeprefix("(?i)"), re.IGNORECASE)
    classifier = Classifier(ruleset)
    entries = ruleset.entries
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for reply, mx, stage in samples:
            case = classifier.case(reply, mx=mx, stage=stage)
            next((entry.rule for entry in entries if _holds(entry.when, case, compiled)), None)
        best = min(best, time.process_time() - started)
    return best / len(samples) * 1e6


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
