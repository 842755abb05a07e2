"""The exact words of the diagnostics: place, what is wrong, what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules import RulesError, load
from rules.assembly import File, build
from rules.check import check
from rules.vectors import RECEIVERS

HEAD = "mxheed: 1\npack: a\nrules:\n"
RULE = "  - id: a.one\n    category: content.spam\n    when: {text: [spam]}\n"
EXAMPLE = '    examples: ["550 spam"]\n'

GOLDEN = {
    "unknown key": (
        HEAD + RULE + "    exmples: []\n" + EXAMPLE,
        "rules:7:5: unknown key 'exmples' in a rule; did you mean 'examples'? allowed: id, "
        "category, when, scope, stance, suppress, retry, capture, vague, rank, examples, not, "
        "source, seen",
    ),
    "repeated key": (
        HEAD + RULE + "    rank: 5\n    rank: 5\n" + EXAMPLE,
        "rules:8:5: key 'rank' is repeated (first in line 7)",
    ),
    "category": (
        HEAD + RULE.replace("content.spam", "flow.rte") + EXAMPLE,
        "rules:5:15: unknown category 'flow.rte'; did you mean 'flow.rate'? allowed: accepted, ",
    ),
    "receiver": (
        HEAD + RULE.replace("{text", "{receiver: alpa, text") + EXAMPLE,
        "rules:6:22: unknown receiver 'alpa'; did you mean 'alpha'? "
        "allowed: generic, unknown, alpha, beta, gamma",
    ),
    "bad pattern": (
        HEAD + RULE.replace("[spam]", "['(spam']") + EXAMPLE,
        "rules:6:19: not an RE2 pattern: missing ): (spam",
    ),
    "pattern that matches all": (
        HEAD + RULE.replace("[spam]", "['x*']") + EXAMPLE,
        "rules:6:19: the pattern matches the empty text, so it would match every reply",
    ),
    "no example": (
        HEAD + RULE,
        "rules:4:5: rule 'a.one' has no example: no example, no rule",
    ),
    "stage": (
        HEAD + RULE.replace("{text", "{stage: rctp, text") + EXAMPLE,
        "rules:6:19: unknown stage 'rctp'; did you mean 'rcpt'? "
        "allowed: connect, helo, starttls, auth, mail, rcpt, data, eod",
    ),
    "suppress": (
        HEAD + RULE + "    suppress: true\n" + EXAMPLE,
        "rules:7:15: 'suppress' may only be narrowed to false: "
        "content.spam never suppresses at once",
    ),
    "an example that is not matched": (
        HEAD + RULE.replace("{text", "{code: 554, text") + EXAMPLE,
        "rules:7:16: rule 'a.one' does not match its example: code 550 is not 554",
    ),
    "an example that another rule wins": (
        HEAD + RULE + EXAMPLE + "  - id: a.two\n    category: content.virus\n    rank: 9\n"
        '    when: {text: [pam]}\n    examples: ["550 pam"]\n',
        "rules:7:16: rule 'a.two' (rules:8) wins this example of 'a.one': "
        "its rank 9 goes before 50",
    ),
    "an example that two rules claim": (
        HEAD + RULE + EXAMPLE + "  - id: a.two\n    category: content.virus\n"
        '    when: {text: [pam]}\n    examples: ["550 pam"]\n',
        "rules:7:16: rule 'a.two' (rules:8) claims this example of 'a.one' too, "
        "with equal precedence: give one a 'rank' or a 'none'",
    ),
    "a near miss that is won": (
        HEAD + RULE + EXAMPLE + '    not: ["550 no spam"]\n',
        "rules:8:11: rule 'a.one' wins its own near miss",
    ),
    "a shadowed rule": (
        HEAD + RULE + EXAMPLE + "  - id: a.two\n    category: content.virus\n    rank: 60\n"
        '    when: {code: 550, text: [spam]}\n    examples: ["550 spam"]\n',
        "rules:8:5: rule 'a.two' can never fire: 'a.one' (rules:4) holds whenever it does",
    ),
    "an unreachable receiver": (
        HEAD
        + RULE.replace("{text", "{receiver: gamma, text")
        + '    examples: [{reply: "550 spam", receiver: gamma}]\n',
        "rules:4:5: rule 'a.one' can never fire: no host belongs to gamma",
    ),
    "codes that never meet": (
        HEAD
        + RULE.replace("{text", "{code: 5xx, enhanced: [5.7.1, 4.7.*], text")
        + '    examples: ["550 5.7.1 spam"]\n',
        "rules:4:5: rule 'a.one': enhanced code 4.7.* never goes with its reply codes",
    ),
    "a pattern twice": (
        HEAD + RULE.replace("[spam]", "[spam, spam]") + EXAMPLE,
        "rules:6:25: rule 'a.one' has the pattern 'spam' twice",
    ),
    "a pattern of two rules": (
        HEAD + RULE + EXAMPLE + "  - id: a.two\n    category: content.virus\n    rank: 60\n"
        '    when: {text: [virus, spam]}\n    examples: ["550 virus"]\n',
        "rules:11:26: pattern 'spam' of rule 'a.two' is also in 'a.one', under the same conditions",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_exact_words(name: str) -> None:
    """Each mistake is told in these words, at this place."""
    text, wanted = GOLDEN[name]
    ruleset, problems = build([File("rules", text)], File("receivers", RECEIVERS))
    told = [str(problem) for problem in [*problems, *check(ruleset)]]
    assert any(line.startswith(wanted) for line in told), told


def test_all_mistakes_at_once() -> None:
    """One run tells every mistake of every file, sorted by place."""
    broken = HEAD + RULE.replace("spam", "ham") + "  - {id: x, colour: red}\n"
    files = [File("b", broken), File("a", "mxheed: 7\n")]
    _, problems = build(files, File("receivers", RECEIVERS))
    assert [str(problem).split(": ")[0] for problem in problems] == [
        "a:1:1", "a:1:9", "b:4:5", "b:5:15", "b:7:5", "b:7:5", "b:7:5", "b:7:10", "b:7:13",
    ]  # fmt: skip


def test_a_site_file_with_a_mistake_stops_the_load(tmp_path: Path) -> None:
    """`load` raises one error that carries all mistakes as values."""
    path = tmp_path / "site.yaml"
    path.write_text("mxheed: 1\npack: site\ndisable: [no.such]\nrules: 5\n", encoding="utf-8")
    with pytest.raises(RulesError) as caught:
        load([path, tmp_path / "absent.yaml"])
    assert [problem.message for problem in caught.value.problems] == [
        "cannot be read: No such file or directory",
        "there is no rule 'no.such' to disable",
        "'rules' is a list, not a value",
    ]


def test_equal_values_keep_their_own_places() -> None:
    """Two wrong values that are equal are reported at their own lines."""
    text = HEAD + RULE + "    rank: 500\n" + EXAMPLE
    second = text + RULE[2:].replace("- id: a.one", "  - id: a.two") + "    rank: 500\n" + EXAMPLE
    _, problems = build([File("rules", second)], File("receivers", RECEIVERS))
    ranks = [problem.line for problem in problems if "rank" in problem.message]
    assert ranks == [7, 12]
