"""A code alone is not a reason: what no rule knows by its words stays `unknown`."""

from __future__ import annotations

import pytest

from rules import Classifier, load

RULESET = load()
CLASSIFIER = Classifier(RULESET)

# reply codes that mean one thing only (RFC 4954, RFC 5321: the dialogue itself went wrong)
SPEAKING = {2, 3, 432, 534, 535, 538, 500, 501, 502, 503, 504, 555}
# enhanced codes that receivers are known to use for everything
LYING = {"5.7.1", "4.7.1", "5.7.0", "4.7.0", "4.2.1", "4.2.0", "5.0.0", "4.0.0", "5.3.0", "4.3.0"}


@pytest.mark.parametrize("code", [421, 450, 451, 452, 454, 521, 541, 550, 551, 552, 553, 554])
def test_a_bare_reply_code_says_nothing(code: int) -> None:
    """A reply whose words nobody knows is unknown, whatever its reply code."""
    verdict = CLASSIFIER.classify(f"{code} xyzzy plugh", stage="rcpt")
    assert (verdict.category, verdict.suppress) == ("unknown", False)


@pytest.mark.parametrize("enhanced", sorted(LYING))
def test_an_enhanced_code_that_lies_says_nothing(enhanced: str) -> None:
    """An enhanced code that receivers use for everything is no reason either."""
    code = {"5": 550, "4": 450}[enhanced[0]]
    assert CLASSIFIER.classify(f"{code} {enhanced} xyzzy plugh").category == "unknown"


@pytest.mark.parametrize("enhanced", ["5.1.1", "5.1.10", "5.1.2", "5.1.6"])
def test_a_bare_enhanced_code_never_suppresses(enhanced: str) -> None:
    """Without words that say so, no address is given up."""
    assert not CLASSIFIER.classify(f"550 {enhanced} xyzzy plugh").suppress


def test_no_shipped_rule_stands_on_a_code_alone() -> None:
    """A rule without text patterns names enhanced codes, or reply codes with one meaning only."""
    bare = [
        rule.id
        for rule in RULESET.rules
        if not rule.when.any
        and not rule.when.all
        and not rule.when.enhanced
        and not rule.when.codes <= SPEAKING
    ]
    assert bare == []
