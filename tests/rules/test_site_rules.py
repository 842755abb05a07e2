"""An operator's own file adds, replaces and disables; shipped examples do not stand in its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules import Classifier, RulesError, load
from rules.check import check

REPLY = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume"
MX = "mta5.am0.yahoodns.net"


def _site(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text("mxheed: 1\npack: site\n" + text, encoding="utf-8")
    return path


def test_a_site_rule_adds(tmp_path: Path) -> None:
    """A rule for a text nobody knew wins it, and the whole set still holds."""
    path = _site(
        tmp_path,
        "rules:\n  - id: site.capacitor\n    category: flow.busy\n"
        '    when: {text: ["flux capacitor"]}\n    examples: ["451 flux capacitor empty"]\n',
    )
    ruleset = load([path])
    assert Classifier(ruleset).classify("451 flux capacitor empty").rule == "site.capacitor"
    assert check(ruleset) == []


def test_a_site_rule_replaces_and_keeps_the_rest(tmp_path: Path) -> None:
    """A site rule with a shipped id takes its place."""
    name = Classifier(load()).classify(REPLY, mx=MX).rule
    path = _site(
        tmp_path,
        f"rules:\n  - id: {name}\n    category: flow.quota\n"
        '    when: {receiver: yahoo, text: ["unexpected volume"]}\n'
        f'    examples: [{{reply: "{REPLY}", mx: {MX}}}]\n',
    )
    verdict = Classifier(load([path])).classify(REPLY, mx=MX)
    assert (verdict.rule, verdict.category) == (name, "flow.quota")


def test_a_shipped_rule_can_be_disabled(tmp_path: Path) -> None:
    """A disabled rule wins nothing any more."""
    name = Classifier(load()).classify(REPLY, mx=MX).rule
    ruleset = load([_site(tmp_path, f"disable: [{name}]\n")])
    assert name in ruleset.disabled
    assert Classifier(ruleset).classify(REPLY, mx=MX).rule != name


def test_a_site_rule_may_take_a_shipped_example(tmp_path: Path) -> None:
    """That a site rule wins what a shipped rule has as its example is no mistake."""
    path = _site(
        tmp_path,
        "rules:\n  - id: site.tss\n    category: flow.quota\n    rank: 0\n"
        "    when: {receiver: [yahoo, unknown], text: ['\\[TSS']}\n"
        f'    examples: [{{reply: "{REPLY}", mx: {MX}}}]\n',
    )
    ruleset = load([path])
    assert Classifier(ruleset).classify(REPLY, mx=MX).rule == "site.tss"
    assert [problem for problem in check(ruleset) if "can never fire" not in problem.message] == []


def test_a_site_rule_that_loses_its_example_is_not_loaded(tmp_path: Path) -> None:
    """A site rule must win its own examples against everything that is shipped."""
    path = _site(
        tmp_path,
        "rules:\n  - id: site.late\n    category: policy.other\n    rank: 99\n"
        '    when: {text: ["unexpected volume"]}\n'
        f'    examples: [{{reply: "{REPLY}", mx: {MX}}}]\n',
    )
    with pytest.raises(RulesError, match=r"wins this example of 'site.late'"):
        load([path])
