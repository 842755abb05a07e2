"""What `--explain` says a verdict was read from stands in the reply exactly there."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policyd.cli import main
from rules import Classifier, load
from rules.evidence import Quote
from rules.patterns import compile_pattern
from rules.reply import read
from rules.texts import FIELDS
from rules.trace import pointed, seen, spoken

RULESET = load()
CLASSIFIER = Classifier(RULESET)
EXAMPLES = [
    (example.reply, example.mx, example.stage)
    for rule in RULESET.rules
    for example in (*rule.examples, *rule.near)
]
AROUND = [
    "{}",
    "host mx.example.net[192.0.2.1] said: {} (in reply to RCPT TO command)",
    "{}\r\n",
    "  {}  ",
    "{}\\n",
    "{} see https://help.example/{{}}?id=a1b2c3d4e5",
    "{} for <some.body@example.org>, [2001:db8::1]",
    "{} please try again in 5 minutes",
    "{} retry=300",
    "{} wait until 2026-11-29T10:00:00Z",
    "{} limit 200 messages per hour",
]
NOISE = "45.012 -<>@()[]:;#\\nrtxy\n\r\x00\u200bé后"
_SIGN = re.compile(r"x@x|0\.0\.0\.0|x\.x|x0|x://x")
_FOLD = re.compile(r"(?:\s|\\r|\\n|\?)*(?:\d{3}(?:-| |$)(?:\d\.\d{1,3}\.\d{1,3}[ -]?)?)*\s*")


def _evidence(reply: str, mx: str | None = None, stage: str | None = None) -> list[Quote]:
    case = CLASSIFIER.case(reply, mx=mx, stage=stage, origin=None)
    return CLASSIFIER.evidence(reply, case)


def _mixed(choose: random.Random) -> tuple[str, str | None, str | None]:
    """A shipped example with other words, blanks and frames in and around it."""
    reply, mx, stage = choose.choice(EXAMPLES)
    words = re.findall(r"\S+|\s+", reply)
    for _ in range(choose.randrange(3)):
        words.insert(choose.randrange(1, len(words) + 1), choose.choice([" ", "é ", "\t", "(x) "]))
    return choose.choice(AROUND).replace("{}", "".join(words), 1), mx, stage


@pytest.mark.parametrize(
    ("what", "reply"),
    [
        ("wait", "450 4.7.1 Greylisted,\n450 4.7.1  please «try  again in 5 minutes»"),
        ("wait", r"450-4.7.1 x@example.org busy\n450 4.7.1 «come back\n450 4.7.1 in 1h30m»"),
        (
            "wait",
            "host a[192.0.2.1] said: 451 4.7.1 busy, «retry=300» (in reply to RCPT TO command)",
        ),
        ("moment", "450 4.7.1 Too many connections; retry «after 14:30 UTC»"),
        ("moment", "450 4.7.1 Too many; wait «until 2099-11-29T10:00:00Z» a@example.org"),
        ("limit", "450 4.7.1 sender quota of «200 messages per hour» reached"),
        ("count", "452 4.5.3 Too many recipients, «maximum is 50 recipients»"),
        ("url", "550 5.7.1 refused, see «https://www.spamhaus.org/query/ip/192.0.2.1» now"),
        ("text", "550 5.1.1 <who@example.org>: «user unknown» (again)"),
    ],
)
def test_each_thing_is_cut_out_of_the_reply_as_it_was_given(what: str, reply: str) -> None:
    """The offsets are those of the words between «» in the reply, whatever stands around them."""
    start, end = reply.index("«"), reply.index("»") - 1
    bare = reply.replace("«", "").replace("»", "")
    found = [one.of(bare) for one in _evidence(bare) if one.what == what]
    wanted = bare[start:end]
    if what in ("url", "text"):  # a pattern may be satisfied with less
        assert any(one and one in wanted for one in found), found
    else:
        assert found == [wanted]


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=0))
@example(2567)  # a tab behind three digits
def test_offsets_cut_out_what_was_read(seed: int) -> None:
    """Of any reply: what stands at the offsets is what the pattern or the phrase was found as."""
    reply, mx, stage = _mixed(random.Random(seed))
    case = CLASSIFIER.case(reply, mx=mx, stage=stage, origin=None)
    layer = ("said", "wide", "text")[CLASSIFIER.decide(case)[0]]
    for one in CLASSIFIER.evidence(reply, case):
        assert 0 <= one.start < one.end <= len(reply)
        if one.what in ("wait", "moment", "limit", "count", "tag"):
            matches = [one.by]
        else:
            fields = [layer, "wide", "text"] if one.what == "text" else [one.what]
            found = [compile_pattern(one.by).search(getattr(case.reply, FIELDS[f])) for f in fields]
            matches = [match[0] for match in found if match]
        plain = [" ".join(match.split()) for match in matches if not _SIGN.search(match)]
        if len(plain) == len(matches) and one.what not in ("duration", "period", "ip"):
            assert _joined(one.of(reply)) in [_joined(match) for match in plain], (one, reply)


def _joined(text: str) -> str:
    """Without what folding a reply puts between its words, and without advice that was left out."""
    return _FOLD.sub("", " ".join(text.split()))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(min_value=0),
    st.text(alphabet=NOISE, max_size=60),
)
def test_tracing_reads_what_the_reader_reads(seed: int, noise: str) -> None:
    """Whatever is read, the traced text is the same, character for character."""
    reply, _, _ = _mixed(random.Random(seed))
    for text in (reply, noise, f"{reply} {noise}", f"550-{noise}\n550 {reply}"):
        parsed = read(text)
        for one in (parsed, *parsed.others):
            said = spoken(text, one)
            assert said is not None
            for field in ("wide", "text", "said", "lines"):
                assert seen(said, one, field).text == getattr(one, field)
            if '"@' not in one.spoken:
                found = [pointed(said, kind).text for kind in (1, 2, 3)]
                assert found == [one.urls, one.hosts, one.ids]


def test_replies_that_decide_behind_others_are_marked_where_they_stand() -> None:
    """Of several replies in one text the one that decides is marked, not the first."""
    reply = "354 go ahead 452 4.3.1 Insufficient system storage"
    places = [one.start for one in _evidence(reply)]
    assert places
    assert min(places) >= reply.index("Insufficient")


def test_the_command_marks_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    """`--explain` shows each thing under the words it was read from; `--json` gives its offsets."""
    reply = "450 4.7.1 Greylisted, try again in 5 minutes"
    assert main(["classify", "--explain", reply]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  wait"))
    start, end = lines[at + 1].index("^"), len(lines[at + 1])
    assert lines[at][start:end] == "try again in 5 minutes"
    assert main(["classify", "--explain", "--json", reply]) == 0
    rows = json.loads(capsys.readouterr().out)["evidence"]
    wait = next(row for row in rows if row["what"] == "wait")
    assert reply[wait["start"] : wait["end"]] == "try again in 5 minutes"
    assert main(["classify", "--json", reply]) == 0
    assert "evidence" not in json.loads(capsys.readouterr().out)
