"""What is remembered of a text holds no number, unless a pattern can tell it from another."""

from __future__ import annotations

import random
import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Classifier, hints, load
from rules.hints import COUNTED, TRIGGERS, spoken
from rules.numbers import Numbers, reads
from rules.patterns import pattern_set
from rules.probe import probe
from rules.reply import read

RULESET = load()
CLASSIFIER = Classifier(RULESET)
KEY = CLASSIFIER.matcher.key
REPLIES = sorted({one.reply for rule in RULESET.rules for one in (*rule.examples, *rule.near)})
PATTERNS = sorted(
    {
        pattern.text
        for rule in RULESET.rules
        for some in (rule.when.any, rule.when.all, rule.when.none, *rule.when.also)
        for pattern in some
        if pattern.kind == "said"
    }
    | {pattern.text for phrases in RULESET.phrases.values() for pattern in phrases}
    | {COUNTED, *TRIGGERS}
)
ODD = ["x0", "x7", "X7", "10.0.0.0", "0.0.0.0.7", "5.0.0.0.0", "IB504", "12:30", "4.7.1", "24 h"]


@cache
def _alone(pattern: str) -> Any:
    return pattern_set(1 << 22, pattern)


def _other_digits(text: str, choose: random.Random) -> str:
    return re.sub("[0-9]", lambda one: choose.choice([one[0]] * 3 + ["0", "5", "7"]), text)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"[0-9]+ mails? in \d{1,3} minutes", False),
        (r"IP|0\.0\.0\.0", False),
        (r"no such user x0$", False),
        (r"rate limited", False),
        (r"[^0-9]x", False),
        (r"5\.7\.1", True),
        (r"\(S31[45]0\)", True),
        (r"(?:IP|0\.0)", True),
        (r"10\.0\.0\.0?", True),
        (r"x0*y", True),
        (r"[x0]", True),
        (r"x[a]0", True),
        (r"\[0-9\]", True),
        (r"\x{35}", True),
        (r"\x35", True),
        (r"[0-5]", True),
        (r"AB[1-9]\d", True),
    ],
)
def test_a_pattern_that_names_digits_tells_them_apart(pattern: str, told: bool) -> None:
    """Any digit is as good as another to a pattern that names none but in signs and counts."""
    assert reads(pattern) is told


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0))
def test_texts_that_are_remembered_as_one_hold_the_same_patterns(seed: int) -> None:
    """If two texts have one key, each shipped pattern is found in both or in neither."""
    choose = random.Random(seed)
    words = f"{choose.choice(REPLIES)} {' '.join(choose.sample(ODD, choose.randint(0, 2)))}"
    first = read(_other_digits(words, choose))
    second = read(_other_digits(words, choose))
    if first.wide == second.wide or KEY(first) != KEY(second):
        return
    one, other = first.wide.encode(), second.wide.encode()
    for pattern in PATTERNS:
        assert bool(_alone(pattern).Match(one)) == bool(_alone(pattern).Match(other)), pattern


OWN = [r"AB[0-9]", r"AB7", r"0\.0\.0\.0$", r"x0 \w", r"[0-4]\d% full", r"limit of 5 .*now"]
PIECES = ["AB7", "AB5", "x0 a", "X0 a", "x7 a", "0.0.0.0", "0.0.0.0.0", "1.0.0.0 a", "0.0.0.00 a"]
PIECES += ["17% full", "57% full", "limit of 5 or", "now", "AB"]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), st.integers(min_value=0))
def test_whatever_the_patterns_are(pieces: list[str], seed: int) -> None:
    """Texts that differ in digits alone have one value only if no pattern tells them apart."""
    choose = random.Random(seed)
    first = " ".join(pieces)
    second = _other_digits(first, choose)
    numbers = Numbers((pattern, probe(pattern), probe(pattern).exact) for pattern in OWN)
    if numbers.bare(first) == numbers.bare(second):
        for pattern in OWN:
            found = [bool(_alone(pattern).Match(one.encode())) for one in (first, second)]
            assert found[0] == found[1], (pattern, first, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("now 12:35", "now 12:75"),  # no time of day
        ("from 0.0.0.0.0", "from 0.0.0.0.7"),  # the sign of an address ends one of them
        ("0.0.0.01", "0.0.0.02"),
        ("x0 a", "x7 a"),
        ("X0 a", "X7 a"),
        ("AB7", "AB5"),
    ],
)
def test_texts_that_some_pattern_tells_apart_are_two(one: str, other: str) -> None:
    """A clock time, the signs of addresses and ids, a digit that is named: these count."""
    numbers = Numbers((pattern, probe(pattern), probe(pattern).exact) for pattern in OWN)
    assert numbers.bare(one) != numbers.bare(other)


def test_what_counts_down_is_known_at_once_and_read_anew() -> None:
    """A greylisting that counts seconds down is one reply, and each time its own wait."""
    fresh = Classifier(RULESET)
    said = "450 4.2.0 <a@example.net>: Recipient address rejected: Greylisted, retry in {} seconds"
    waits = [fresh.classify(said.format(wait)).retry_after for wait in (299, 113, 58, 299)]
    assert waits == [299.0, 113.0, 58.0, 299.0]
    assert fresh.cache_info().misses == 2  # three digits, and two


def test_an_id_beside_the_one_that_tells_does_not_matter() -> None:
    """Of links, hosts and ids a key holds what patterns find there, not what stands beside it."""
    fresh = Classifier(RULESET)
    said = "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719) [{}]"
    rules = [fresh.classify(said.format(f"08D8C68188CB9{digit}9")).rule for digit in "123"]
    assert len(set(rules)) == 1
    assert fresh.cache_info().misses == 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (
                *("retry=", "7", "30", "try again in", "minutes", "seconds", "100 messages in"),
                *("after", "retry-after:", "wait", "12:30", "until", "tomorrow", "5 hours and"),
            )
        ),
        max_size=7,
    ),
    st.sampled_from([" ", ", "]),
)
def test_a_wait_stands_in_the_same_place(words: list[str], joint: str) -> None:
    """Where a wait stands is looked for once for all numbers, and found where each text has it."""
    said = joint.join(words)
    assert spoken(said) == hints._clocked.__wrapped__(said, None)
