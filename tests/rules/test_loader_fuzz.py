"""A rule file may hold anything: the loader answers with problems, never with an exception."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Classifier
from rules.assembly import File, build
from rules.check import check
from rules.patterns import compile_pattern, fault
from rules.probe import probe
from rules.vectors import RECEIVERS

DATA = Path(__file__).parent / "data"
TABLE = File("receivers", RECEIVERS)
SEED = (DATA / "good" / "everything.yaml").read_text(encoding="utf-8").replace("google", "alpha")
SIGNS = "[]{}:,-#&*!|>'\"%@`~?\\ \n\t0xé\x00"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.sampled_from(SIGNS)), max_size=6),
    st.booleans(),
)
def test_a_damaged_file_is_only_refused(damage: list[tuple[int, str]], site: bool) -> None:
    """Signs changed anywhere give problems with places in the file, or another valid file."""
    text = list(SEED)
    for place, sign in damage:
        text[place] = sign
    ruleset, problems = build([File("rules", "".join(text), site)], TABLE)
    lines = SEED.count("\n") + 20
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in problems)
    check(ruleset)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_only_refused(text: str) -> None:
    """Random text is no rule file, and no receivers file."""
    ruleset, problems = build([File("rules", text)], TABLE)
    assert problems or not ruleset.rules
    build([], File("receivers", text))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "a: " * 2000, "{" * 5000 + "}" * 5000, "mxheed: " + "9" * 6000, "- " * 3000],
    ids=["brackets", "keys", "braces", "a long number", "dashes"],
)
def test_a_monstrous_file_is_only_refused(text: str) -> None:
    """Depth and size end in a problem, not in a crash."""
    _, problems = build([File("rules", text)], TABLE)
    assert problems


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 300 + "spam" + ")" * 300,
        "(?:a|b|c|d|e|f)" * 40 + "x",
        "(?:(?:(?:ab?)?c?)+d)*spam",
        "[" + "".join(chr(n) for n in range(0x4E00, 0x4EFF)) + "]spam",
        "spam{1,900}",
        r"\Qa.b(\E spam",
        r"[]a]spam[^]]x",
        r"(?P<x>sp)am|\x{73}pam|\pLham",
    ],
)
def test_odd_patterns_are_searched_like_any_other(pattern: str) -> None:
    """Patterns that are hard to take apart still match what RE2 says they match."""
    assert fault(pattern) is None
    text = (
        "mxheed: 1\npack: a\nrules:\n  - id: a.one\n    category: content.spam\n"
        f"    when: {{text: ['{pattern}']}}\n    examples: ['550 spam']\n"
    )
    ruleset, problems = build([File("rules", text)], TABLE)
    assert problems == []
    classifier = Classifier(ruleset)
    for said in (
        "spam",
        "SPAM",
        "a.b( spam",
        "a spam] x",
        "fffffff",
        "ham",
        "一spam",
        "a" * 60 + "x",
    ):
        expected = compile_pattern(pattern).search(said) is not None
        assert (classifier.classify(f"550 {said}").rule is not None) == expected, said


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="abc .?*+|()[]{}^$\\\\12,:-dswbQE", max_size=24),
    st.text(alphabet="abc d1.", max_size=24),
)
def test_a_probe_never_misses(pattern: str, text: str) -> None:
    """Where a pattern matches, one of its literals stands; where it is exact, also the reverse."""
    if fault(pattern) is not None:
        return
    text = re.sub(" +", " ", text).strip()
    found = probe(pattern)
    matches = compile_pattern(pattern).search(text) is not None
    stands = not found.literals or any(literal in text for literal in found.literals)
    beside = not found.also or any(literal in text for literal in found.also)
    assert not matches or (stands and beside)
    assert not (found.exact and stands) or matches
