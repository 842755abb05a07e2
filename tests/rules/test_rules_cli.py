"""The commands for rules: what they print, what they read, how they fail."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from policyd.cli import main
from rules import Classifier, load
from rules.assembly import RECEIVERS, File, build

TSS = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume"
MX = "mta5.am0.yahoodns.net"
KEYS = {
    "category", "rule", "receiver", "scope", "stance", "suppress", "retry_after", "hint", "flags",
    "captures", "code", "enhanced",
}  # fmt: skip

Capture = pytest.CaptureFixture[str]


def _out(capsys: Capture, *args: str) -> str:
    assert main(list(args)) == 0
    return capsys.readouterr().out


def _feed(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))


def test_classify_explains(capsys: Capture) -> None:
    """One reply: its verdict, its rule's place, the runners-up and why they came second."""
    said = _out(capsys, "classify", TSS, "--mx", MX)
    assert "flow.rate" in said
    assert "stands at" in said
    assert "it names the receiver, the other is generic here" in said


def test_classify_shows_brackets_as_they_are(capsys: Capture) -> None:
    """Square brackets of a reply are no markup."""
    assert "[TSS04] Messages from 0.0.0.0" in _out(capsys, "classify", TSS)
    assert "[/bold] [red]" in _out(capsys, "classify", "550 [/bold] [red] xyzzy")


def test_classify_says_when_nobody_knows(capsys: Capture) -> None:
    """A reply that no rule knows says so, and what to do."""
    assert "mxheed rules new" in _out(capsys, "classify", "550 xyzzy plugh")


def test_classify_reads_json_lines(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON lines in, as many verdicts out, in the same order; nulls and blank lines are fine."""
    rows = [
        {"reply": TSS, "stage": None, "mx": MX},
        {"reply": "5.1.1 <a@b.example>: User unknown", "stage": "rcpt", "mx": None},
        {"reply": "connect to mx.example.net[192.0.2.1]:25: Connection refused"},
        {"reply": "\ud83d\udce7 ünknown\x00"},
    ]
    _feed(monkeypatch, "\n\n".join(json.dumps(row) for row in rows).encode() + b"\n")
    verdicts = [json.loads(line) for line in _out(capsys, "classify", "--json").splitlines()]
    assert [verdict["category"] for verdict in verdicts] == [
        "flow.rate", "recipient.unknown", "net.connect", "unknown",
    ]  # fmt: skip
    assert all(set(verdict) == KEYS for verdict in verdicts)
    assert (verdicts[0]["receiver"], verdicts[0]["suppress"]) == ("yahoo", False)
    assert verdicts[1]["suppress"] is True


@pytest.mark.parametrize("line", [b"550 no\n", b'{"text": "x"}\n', b'["x"]\n', b'{"reply": 5}\n'])
def test_classify_names_the_line_it_cannot_read(
    line: bytes, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is no such object ends the command with 1 and its number."""
    _feed(monkeypatch, b'{"reply": "250 ok"}\n' + line)
    assert main(["classify", "--json"]) == 1
    assert "standard input:2: not" in capsys.readouterr().err


def test_classify_of_one_reply_as_json(capsys: Capture) -> None:
    """With a reply and --json: one object."""
    assert json.loads(_out(capsys, "classify", "--json", TSS))["captures"] == {"tag": "TSS04"}


@pytest.mark.parametrize("args", [[], ["550 x", "--stage", "late"]])
def test_classify_wrong_usage(args: list[str]) -> None:
    """Neither a reply nor --json, or a stage that is none, is wrong usage."""
    assert main(["classify", *args]) == 2


def test_check_and_test_pass_on_what_is_shipped(capsys: Capture) -> None:
    """The shipped rules hold."""
    assert "no mistakes" in _out(capsys, "rules", "check")
    assert "all hold" in _out(capsys, "rules", "test")


def test_check_prints_every_mistake(tmp_path: Path, capsys: Capture) -> None:
    """Mistakes of a site file come with places, all at once, and exit code 1."""
    path = tmp_path / "site.yaml"
    path.write_text(
        "mxheed: 1\npack: site\nrules:\n  - id: site.a\n    category: flow.rte\n"
        "    when: {text: ['(']}\n  - id: site.b\n    category: flow.rate\n    rank: 0\n"
        "    when: {text: [flux]}\n    examples: ['450 fluid']\n",
        encoding="utf-8",
    )
    assert main(["rules", "check", str(path)]) == 1
    told = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == [f"{path}:{place}" for place in ("4:5", "5:15", "6:19", "11:16")]


def test_list_filters(capsys: Capture) -> None:
    """The list can be narrowed by category or group and by receiver, also as JSON."""
    rules = json.loads(_out(capsys, "rules", "list", "--json", "--category", "flow"))
    assert rules
    assert all(rule["category"].startswith("flow.") for rule in rules)
    rules = json.loads(_out(capsys, "rules", "list", "--json", "--receiver", "yahoo"))
    assert rules
    assert all("yahoo" in rule["receivers"] for rule in rules)
    assert "rules" in _out(capsys, "rules", "list", "--category", "flow.greylist")


def test_explain_every_rule_is_possible(capsys: Capture) -> None:
    """A rule is shown with its conditions and its examples; a wrong name gets a hint."""
    rule = Classifier(load()).classify(TSS, mx=MX).rule
    assert rule is not None
    said = _out(capsys, "rules", "explain", rule)
    assert "TSS" in said
    assert f"by {rule}" in said
    assert main(["rules", "explain", rule[:-1]]) == 1
    assert repr(rule) in capsys.readouterr().err


def test_coverage_groups_what_is_unknown(tmp_path: Path, capsys: Capture) -> None:
    """Unknown replies that differ in ids and addresses are one line with a count."""
    corpus = tmp_path / "c.jsonl"
    unknown = [f"550 xyzzy plugh <u{n}@example.net> ref {n}{n}abc{n}9{n}" for n in range(3)]
    rows = [{"reply": reply} for reply in (TSS, *unknown)]
    corpus.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = json.loads(_out(capsys, "rules", "coverage", str(corpus), "--json"))
    assert (found["replies"], found["known"]) == (4, 0.25)
    assert [entry["count"] for entry in found["unknown"]] == [3]
    assert found["unknown"][0]["template"] == "550 xyzzy plugh ADDR ref ID"
    assert "3" in _out(capsys, "rules", "coverage", str(corpus))
    assert main(["rules", "coverage", str(tmp_path / "none")]) == 1


@pytest.mark.parametrize(
    ("reply", "mx", "stage"),
    [
        ('550 5.7.1 "xyzzy" (plugh) {is} [wrong] $5.00*', "mx.gmx.net", "rcpt"),
        ("Verbindung zum Plughserver abgebrochen", None, None),
        ("451-4.3.0 xyzzy plugh\n451 4.3.0 over: two 'lines' \\ more", "mx.example.net", None),
        ("550 5.1.1 <fred@example.net> 没有此用户吗呢呀", None, "rcpt"),
    ],
)
def test_a_draft_is_a_rule_that_loads(
    reply: str, mx: str | None, stage: str | None, capsys: Capture
) -> None:
    """What `new` prints is a whole site file, and its rule wins the reply."""
    options = [*(["--mx", mx] if mx else []), *(["--stage", stage] if stage else [])]
    text = _out(capsys, "rules", "new", reply, *options)
    table = File(str(RECEIVERS), RECEIVERS.read_text(encoding="utf-8"))
    ruleset, problems = build([File("draft", text, site=True)], table)
    assert [str(problem) for problem in problems] == []
    verdict = Classifier(ruleset).classify(reply, mx=mx, stage=stage, origin=None)
    assert verdict.rule == ruleset.rules[0].id


def test_a_draft_needs_words(capsys: Capture) -> None:
    """A reply without words cannot become a rule."""
    assert main(["rules", "new", "550 5.1.1 <a@example.net> 1234"]) == 1
    assert "no words" in capsys.readouterr().err
