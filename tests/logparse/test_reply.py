"""Folded replies are unfolded to one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logparse.reply import code_of, unfold


@pytest.mark.parametrize(
    ("folded", "line"),
    [
        ("250 2.0.0 Ok", "250 2.0.0 Ok"),
        ("550-5.7.1 first 550-5.7.1 second 550 5.7.1 third", "550 5.7.1 first second third"),
        ("550-first 550 second", "550 first second"),
        ("550-5.7.1 first 550 5.1.1 second", "550 5.7.1 first 5.1.1 second"),
        ("421-4.7.28 a 421 4.7.28", "421 4.7.28 a"),
        ("421-a 421", "421 a"),
        ("550-a 550 b says 550 c", "550 a b says 550 c"),
        ("550 a 550 b", "550 a 550 b"),
        ("451-response to RCPT was: 450 4.2.0 x", "451 response to RCPT was: 450 4.2.0 x"),
        ("550-only", "550 only"),
        ("no code at all", "no code at all"),
        ("  250 spaces  ", "250 spaces"),
        ("", ""),
    ],
)
def test_unfolding(folded: str, line: str) -> None:
    """Codes and repeated enhanced codes stand once, at the front."""
    assert unfold(folded) == line


def test_exim_joins_lines_with_an_escape() -> None:
    """The joint may be the two characters backslash and n."""
    folded = r"550-Recipient not liked on two lines\n550 Here's the second"
    assert unfold(folded, "\\n") == "550 Recipient not liked on two lines Here's the second"


@given(
    code=st.sampled_from(["421", "450", "550"]),
    enhanced=st.sampled_from(["", "4.7.1 ", "5.1.1 "]),
    lines=st.lists(st.text("abc defg", min_size=1).map(str.strip).filter(bool), min_size=1),
)
def test_folding_and_unfolding_keep_the_words(code: str, enhanced: str, lines: list[str]) -> None:
    """What a server said in several lines comes out as its words in order."""
    folded = " ".join(
        f"{code}{'-' if number < len(lines) else ' '}{enhanced}{words}"
        for number, words in enumerate(lines, start=1)
    )
    assert unfold(folded) == f"{code} {enhanced}{' '.join(lines)}"


@pytest.mark.parametrize(
    ("text", "code"), [("250 ok", 250), ("550-x", 550), ("421", 421), ("2500", None), ("Ok", None)]
)
def test_codes(text: str, code: int | None) -> None:
    """A reply begins with three digits that stand alone."""
    assert code_of(text) == code
