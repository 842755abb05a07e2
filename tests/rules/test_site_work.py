"""Site files as people write them: receivers, changed parts, drafts, what they change, labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policyd.cli import main
from rules import Classifier, RulesError, load
from rules.draft import draft, steady

Capture = pytest.CaptureFixture[str]
SAMPLES = [
    "450 4.7.1 Plugh filter of gate 17 holds <a@example.org>, ticket Q7f3a9b1",
    "450 4.7.1 Plugh filter of gate 3 holds <b@example.org>, ticket Q88ab12cd",
]
OVERRIDE = """
mxheed: 2
pack: site
override:
  - {id: generic-flow.connections, stance: pause, retry: 10m, scope: ip}
disable: [generic-flow.messages]
"""
PARTNER = """
mxheed: 2
pack: site
receivers:
  - {id: partner, name: Partner Ltd, mx: {suffix: [partner.example]}, domains: [partner.example]}
rules:
  - id: site.partner-pause
    category: flow.quota
    when: {receiver: partner, text: [slow]}
    examples: [{reply: "451 slow down", mx: mx1.partner.example}]
"""


def _file(tmp_path: Path, text: str, name: str = "site.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text.lstrip(), encoding="utf-8")
    return file


def test_a_site_file_adds_a_receiver(tmp_path: Path) -> None:
    """Its hosts belong to it, and rules may speak of it."""
    ruleset = load([_file(tmp_path, PARTNER)])
    assert ruleset.receivers.of_host("mx7.partner.example") == "partner"
    verdict = Classifier(ruleset).classify("451 slow", mx="mx7.partner.example")
    assert (verdict.rule, verdict.receiver) == ("site.partner-pause", "partner")


def test_an_override_changes_what_it_names_and_no_more(tmp_path: Path) -> None:
    """Stance, wait and scope are the operator's; conditions and examples stay."""
    before, after = load(), load([_file(tmp_path, OVERRIDE)])
    old, new = (one.get("generic-flow.connections") for one in (before, after))
    assert old is not None
    assert new is not None
    assert (new.stance, new.retry, new.scope) == ("pause", 600.0, "ip")
    assert (new.when, new.examples, new.category, new.rank) == (
        *(old.when, old.examples, old.category, old.rank),
    )
    verdict = Classifier(after).classify("421 Too many concurrent SMTP connections")
    assert (verdict.stance, verdict.retry_after) == ("pause", 600.0)


def test_check_tells_what_a_site_file_changes(tmp_path: Path, capsys: Capture) -> None:
    """Overriding and disabling warn: which shipped examples are answered otherwise, and how."""
    assert main(["rules", "check", str(_file(tmp_path, OVERRIDE))]) == 0
    said = capsys.readouterr().out
    assert "answered otherwise now:" in said
    count = int(said.partition("warning: ")[2].split()[0])
    assert said.count("\n  ") >= min(count, 40) > 2
    assert "generic-flow.connections: " in said
    assert "flow.connections (ip, pause, 600 s)" in said
    assert main(["rules", "check", str(_file(tmp_path, PARTNER))]) == 0
    assert "warning" not in capsys.readouterr().out


def test_explain_says_where_a_rule_was_disabled_or_changed(tmp_path: Path, capsys: Capture) -> None:
    """Nobody has to look for the file that did it."""
    file = _file(tmp_path, OVERRIDE)
    assert main(["rules", "explain", "generic-flow.messages", "--rules", str(file)]) == 1
    assert f"is disabled: {file}:5:11" in capsys.readouterr().err
    assert main(["rules", "explain", "generic-flow.connections", "--rules", str(file)]) == 0
    assert f"{file}:4" in capsys.readouterr().out.replace("\n", "")


def test_wrong_ids_get_a_few_suggestions(tmp_path: Path, capsys: Capture) -> None:
    """At most five, and not the whole list."""
    text = OVERRIDE.replace("generic-flow.messages", "generic-flow.mesages")
    assert main(["rules", "check", str(_file(tmp_path, text))]) == 1
    told = capsys.readouterr().out
    assert "'generic-flow.messages'" in told
    assert told.count("generic-") <= 6


def test_steady_words_are_what_all_samples_say() -> None:
    """No number, no name, no id: what stands in each of them."""
    assert steady(SAMPLES) == "Plugh filter of gate"
    assert steady(["mailbox full", "box is full"]) == "full"
    assert steady(["abc def", "ghi jkl"]) == ""


@pytest.mark.parametrize("mx", [None, "mx1.partner.example", "mx01.emig.gmx.net"])
def test_a_draft_of_several_replies_wins_them_all(tmp_path: Path, mx: str | None) -> None:
    """It loads as it stands, looks for the steady words, and uses the host it was told."""
    text = draft(Classifier(load()), SAMPLES, mx=mx, stage=None, seen="2026-11-28")
    assert '"Plugh filter of gate"' in text
    assert ("partner.example" in text, "receiver: gmx" in text) == (
        *(mx is not None and "partner" in mx, mx is not None and "gmx" in mx),
    )
    judge = Classifier(load([_file(tmp_path, text)]))
    assert {judge.classify(reply, mx=mx).rule for reply in SAMPLES} == {"site.plugh-filter-of-gate"}


def test_a_draft_wins_against_what_is_shipped() -> None:
    """A reply that a shipped rule wins today is won by the draft, if need be by rank."""
    reply = "421 4.7.0 Too many concurrent connections in plugh"
    text = draft(Classifier(load()), [reply], mx=None, stage=None, seen="2026-11-28")
    assert "rank: 0" in text


def test_a_draft_is_written_to_a_file_and_added_to_it(tmp_path: Path, capsys: Capture) -> None:
    """--to makes the file, then adds to it; a file that would not load stays as it was."""
    file = tmp_path / "own.yaml"
    assert main(["rules", "new", *SAMPLES, "--to", str(file)]) == 0
    assert main(["rules", "new", "550 5.7.1 xyzzy forbids it", "--to", str(file)]) == 0
    ruleset = load([file])
    own = [rule.id for rule in ruleset.rules if rule.site]
    assert sorted(own) == ["site.plugh-filter-of-gate", "site.xyzzy-forbids-it"]
    before = file.read_text(encoding="utf-8")
    assert main(["rules", "new", *SAMPLES, "--to", str(file)]) == 1
    assert file.read_text(encoding="utf-8") == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["own.yaml"]


def test_replies_without_common_words_get_no_draft() -> None:
    """What has nothing in common cannot be one rule."""
    with pytest.raises(RulesError, match="no words in common"):
        draft(Classifier(load()), ["550 abcd", "550 efgh"], mx=None, stage=None, seen="2026-11-28")


def test_coverage_tells_how_often_labels_are_met(tmp_path: Path, capsys: Capture) -> None:
    """A labelled corpus gives an accuracy, and each miss with what was wanted and who won."""
    rows = [
        {"reply": "550 5.1.1 User unknown", "category": "recipient.unknown"},
        {"reply": "421 Too many concurrent connections", "category": ["net", "flow"]},
        {"reply": "552 5.2.2 Mailbox full", "category": "flow.quota"},
        {"reply": "550 5.7.1 xyzzy"},
    ]
    file = _file(tmp_path, "\n".join(map(json.dumps, rows)), "c.jsonl")
    assert main(["rules", "coverage", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["labelled"], found["accuracy"]) == (3, 0.6667)
    assert [(miss["wanted"], miss["got"]) for miss in found["wrong"]] == [
        ("flow.quota", "recipient.full")
    ]
    assert main(["rules", "coverage", str(file)]) == 0
    assert "2 of 3 labels met" in capsys.readouterr().out


def test_coverage_reads_a_delivery_log(tmp_path: Path, capsys: Capture) -> None:
    """What was refused in a log of Postfix is a corpus, too."""
    log = _file(
        tmp_path,
        "Nov 28 12:00:00 mx postfix/smtp[7]: 4F00000001: to=<a@example.org>, "
        "relay=mx.example.org[192.0.2.7]:25, delay=1, delays=0/0/1/0, dsn=4.7.0, status=deferred "
        "(host mx.example.org[192.0.2.7] said: 421 4.7.0 Too many concurrent connections (in reply "
        "to MAIL FROM command))\n",
        "mail.log",
    )
    assert main(["rules", "coverage", str(log), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["replies"], found["categories"]) == (1, {"flow.connections": 1})
