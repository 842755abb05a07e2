"""A verdict stands when only what does not matter changes: tails, links, hosts, ids, case."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from rules import Classifier, RuleSet, load
from rules.model import Example, Rule

RULESET = load()
JUDGE = Classifier(RULESET)
TOPICS = [
    "greylisting", "spf", "dkim-and-dmarc", "blocklists", "rate-limits", "quota", "virus", "spam",
    "tls", "relaying", "ptr-records", "unknown-users", "connections", "mailbox-full", "reputation",
]  # fmt: skip
HOSTS = ["mx1", "relay-7", "gw3", "smtp-in", "edge", "mta-22b", "filter01", "inbound"]
DOMAINS = ["example.net", "mail.example.org", "antispam.example.com", "virusfilter.example.net"]
OPENINGS = ["Please", "Kindly", "please", "For this kind of trouble please", "Sorry, please"]
VERBS = ["see", "visit", "read", "consult", "have a look at", "refer to", "check"]
WISHES = [
    "try again later", "retry later", "send it again later", "try again in a while",
    "contact your administrator", "ask your provider for help", "call our support",
    "write to postmaster@example.net", "let us know",
]  # fmt: skip
DOUBTS = ["this is an error", "this is wrong", "we are mistaken", "you need help", "it persists"]
SUBJECTS = ["your SPF record", "the DNS of your domain", "your mail server", "your TLS setup"]


REMARKS = [
    "We hope for your understanding", "The author has been informed", "This host keeps a log",
    "No message was stored", "Your mail stays in your queue", "This service is run by volunteers",
    "The recipient was not told of it", "Nothing was delivered to the user's mailbox",
    "You can read our terms on the web", "People like their peace", "Have a nice day",
    "Senders may learn about our policy", "To avoid delays use one address", "Bye", "Closing now",
    "This was written to a log",
]  # fmt: skip


def _link(choose: random.Random) -> str:
    topic = choose.choice(TOPICS)
    host = choose.choice(["help", "postmaster", "www", "support"])
    shape = choose.choice(["https://{h}.{d}/{t}", "http://{h}.{d}/{t}.html", "{h}.{d}/{t}?id=4711"])
    return shape.format(h=host, d=choose.choice(DOMAINS), t=topic)


def _host(choose: random.Random) -> str:
    return f"{choose.choice(HOSTS)}.{choose.choice(TOPICS[:4])}.{choose.choice(DOMAINS)}"


def _id(choose: random.Random) -> str:
    signs = "0123456789abcdefABCDEF"
    body = "".join(choose.choices(signs, k=choose.randint(8, 16))) + "7f"
    return choose.choice(["", "ref-", "q"]) + body


def _advice(choose: random.Random) -> str:
    topic = choose.choice(TOPICS).replace("-", " ")
    return choose.choice(
        [
            f"{choose.choice(OPENINGS)} {choose.choice(WISHES)}",
            f"{choose.choice(OPENINGS)} {choose.choice(VERBS)} {_link(choose)}",
            f"{choose.choice(['See', 'Visit', 'Read'])} {_link(choose)} for more about {topic}",
            f"If you think that {choose.choice(DOUBTS)}, {choose.choice(WISHES)}",
            f"If {choose.choice(DOUBTS)}, check {choose.choice(SUBJECTS)} and {topic}",
            f"For more information on {topic} {choose.choice(VERBS)} {_link(choose)}",
            f"More details about {topic}: {_link(choose)}",
            f"To learn more about {topic}, {choose.choice(WISHES)}",
            f"Contact {choose.choice(['us', 'your provider', 'the postmaster'])} about {topic}",
        ]
    )


def _behind(text: str, choose: random.Random) -> str:
    """Something that does not matter, behind what is said."""
    kind = choose.randrange(7)
    if kind == 6:
        return f"{text.rstrip('.')}. {choose.choice(REMARKS)}"
    if kind == 0:
        return f"{text}{choose.choice(['. ', '; ', ' - ', ', '])}{_advice(choose)}"
    if kind == 1:
        return f"{text} ({_advice(choose)})"
    if kind == 2:
        return f"{text} [{_host(choose)}]"
    if kind == 3:
        return f"{text} {_id(choose)}"
    if kind == 4:
        return f"{text} - {_host(choose)}"
    return f"{text} <{_link(choose)}>"


def _plain(example: Example) -> bool:
    """A reply in one line that something is said in, and that names neither link nor time."""
    case = JUDGE.case(example.reply, mx=example.mx, stage=example.stage, origin="remote")
    reply = case.reply
    said = len(reply.said.split()) >= 3
    # what ends in punctuation, or is left open, would have its last clause go on in the tail
    ended = reply.said[-1:].isalnum() or reply.said[-1:] in ".!)>"
    return said and ended and "\n" not in example.reply and not reply.others


def _steady_rule(rule: Rule) -> bool:
    when = rule.when
    anchored = any("$" in pattern.text for pattern in (*when.any, *when.all))
    return not rule.vague and bool(when.any or when.all) and not anchored and not when.also


SAMPLES = [
    (rule, example)
    for rule in RULESET.rules
    if _steady_rule(rule) and "remote" in rule.when.origins
    for example in rule.examples
    if _plain(example)
]


def _category(reply: str, example: Example, judge: Classifier = JUDGE) -> str:
    return judge.classify(
        reply, mx=example.mx, receiver=example.receiver, stage=example.stage
    ).category


def test_there_is_enough_to_ask() -> None:
    """Most shipped examples take part."""
    assert len(SAMPLES) > 500


@pytest.mark.parametrize("seed", range(6))
def test_a_tail_changes_no_verdict(seed: int) -> None:
    """A polite tail, a link, a host name, an id or advice on anything changes no category."""
    choose = random.Random(seed)
    changed = []
    for rule, example in SAMPLES:
        reply = _behind(example.reply, choose)
        got = _category(reply, example)
        if got != rule.category:
            changed.append((rule.id, got, reply))
    assert changed == []


@pytest.mark.parametrize("form", [str.upper, str.lower], ids=["upper", "lower"])
def test_case_changes_no_verdict(form: object) -> None:
    """Capitals or none: the category is the same."""
    changed = [
        (rule.id, got, example.reply)
        for rule, example in SAMPLES
        if (got := _category(form(example.reply), example)) != rule.category  # type: ignore[operator]
    ]
    assert changed == []


@pytest.mark.parametrize("label", ["Deferred: ", "Sorry, ", "Try again later: ", "{host}: "])
def test_a_label_in_front_changes_no_verdict(label: str) -> None:
    """A word of regret or a host name in front changes no category."""
    choose = random.Random(3)
    changed = []
    for rule, example in SAMPLES:
        reply = JUDGE.case(example.reply, mx=example.mx).reply
        if any(pattern.text.startswith("^") for pattern in (*rule.when.any, *rule.when.all)):
            continue
        if label == "Deferred: " and reply.digit == 5:
            continue  # that would be a contradiction, and be flagged
        head = " ".join(str(part) for part in (reply.code, reply.enhanced) if part)
        said = f"{head} {label.format(host=_host(choose))}{reply.spoken}".strip()
        got = _category(said, example)
        if got != rule.category:
            changed.append((rule.id, got, said))
    assert changed == []


def test_no_advice_ever_suppresses() -> None:
    """Advice on its own gives nobody up, whatever it is about."""
    choose = random.Random(5)
    for _ in range(400):
        assert not JUDGE.classify(f"550 5.1.1 {_advice(choose)}", stage="rcpt").suppress


def test_a_tail_never_makes_an_address_given_up() -> None:
    """What may not suppress by itself does not by a tail either."""
    choose = random.Random(7)
    for rule, example in SAMPLES:
        bare = JUDGE.classify(example.reply, mx=example.mx, stage=example.stage)
        tailed = JUDGE.classify(_behind(example.reply, choose), mx=example.mx, stage=example.stage)
        assert bare.suppress or not tailed.suppress, (rule.id, example.reply)


def test_the_generators_are_wide() -> None:
    """The tails are not a handful of texts."""
    choose = random.Random(1)
    assert len(Counter(_behind("x", choose) for _ in range(500))) > 380


def test_rules_of_version_1_are_not_shipped() -> None:
    """All packs are written in the version that tells saying from pointing and advising."""
    kinds = {p.kind for r in RULESET.rules for p in (*r.when.any, *r.when.all, *r.when.none)}
    assert "text" not in kinds
    assert isinstance(RULESET, RuleSet)
