"""Caches are bounded, and never merge replies that some rule tells apart."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Classifier, load, pointers
from rules.patterns import pattern_set
from rules.reply import read
from rules.texts import FIELDS, Texts

RULESET = load()
WARM = Classifier(RULESET)
COLD = Classifier(RULESET, cache=1)
REPLIES = [
    (example.reply, example.mx, example.stage)
    for rule in RULESET.rules
    for example in (*rule.examples, *rule.near)
]
_TOKEN = re.compile(r"\S+|\s+")


def _mutate(reply: str, choose: random.Random) -> str:
    """The reply with other ids, numbers, case, order, or words of other replies."""
    tokens = _TOKEN.findall(reply)
    other = _TOKEN.findall(choose.choice(REPLIES)[0])
    for _ in range(choose.randint(1, 3)):
        place = choose.randrange(len(tokens))
        kind = choose.randrange(5)
        if kind == 0:
            tokens[place] = re.sub("[0-9]", lambda _: choose.choice("0123456789"), tokens[place])
        elif kind == 1:
            tokens[place] = choose.choice(other)
        elif kind == 2:
            tokens[place] = tokens[place].swapcase()
        elif kind == 3:
            del tokens[place]
            tokens = tokens or [" "]
        else:
            tokens.insert(place, choose.choice(other) + " ")
    return "".join(tokens)


def test_tags_that_differ_in_a_digit_are_told_apart() -> None:
    """[TSS04] and [TSS05] never share an entry of a cache."""
    said = "421 4.7.0 [TSS0{}] Messages from 192.0.2.1 temporarily deferred"
    tags = [
        WARM.classify(said.format(digit), mx="mta5.am0.yahoodns.net").captures.get("tag")
        for digit in (4, 5, 4, 5)
    ]
    assert tags == ["TSS04", "TSS05", "TSS04", "TSS05"]


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0))
def test_a_warm_cache_judges_like_a_cold_one(seed: int) -> None:
    """Whatever was judged before, a reply's verdict is the same."""
    choose = random.Random(seed)
    for _ in range(8):
        reply, mx, stage = choose.choice(REPLIES)
        said = _mutate(reply, choose)
        origin = choose.choice(["remote", "local", None])
        warm = WARM.classify(said, mx=mx, stage=stage, origin=origin)
        assert warm == COLD.classify(said, mx=mx, stage=stage, origin=origin), said


# what a verdict may hang on, though only a digit, a sign or a link of it is another one
TELLING = (
    *(
        "retry=300",
        "retry=400",
        "200/h",
        "20 messages in 5 minutes",
        "in 5 minutes",
        "in 7 minutes",
    ),
    *("until 14:30 UTC", "after 2 hours", "(S3140)", "(S3150)", "[TSS04]", "[TSS05]", "550", "450"),
    *("https://support.example/p=UnsolicitedRateLimitError", "https://support.example/p=x"),
    *("www.spamhaus.org", "mx1.mail-7.example", "rate-limit-1", "x0", "x.x", "x://x", "x@x.x"),
    *("<a@b.example>", '"a b"@c.example', "192.0.2.1", "4.7.1", "(#5.1.1)", "max 5 recipients"),
    *("2026-11-28T14:30:00Z", "until 2026-11-28T14:30:00Z", "A1B2C3D4E5", "A1B2C3D4E5]", "5.7.1"),
)
LITTLE = ["450 ", "550 5.7.1 ", "421-4.7.0 ", "", "452 4.2.2 mailbox full ", "550-no such user "]
_NOW = 1764340200.0


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(LITTLE),
    st.lists(st.sampled_from(TELLING), min_size=1, max_size=4),
    st.sampled_from([" ", " try again ", ". ", "\n", " rejected "]),
    st.sampled_from([None, "remote", "local"]),
    st.sampled_from([None, "4.7.1", "5.1.1"]),
    st.sampled_from([None, _NOW, _NOW + 3600]),
)
def test_what_a_condition_reads_is_never_taken_for_another(
    head: str, words: list[str], joint: str, origin: str | None, dsn: str | None, now: float | None
) -> None:
    """Whatever signs stand for in a text, the verdict is that of a process that saw no other."""
    said = head + joint.join(words)
    warm = WARM.classify(said, origin=origin, dsn=dsn, now=now)
    COLD._seen.clear()
    COLD._replies.clear()
    assert warm == COLD.classify(said, origin=origin, dsn=dsn, now=now), said


def test_a_sign_in_a_text_is_not_what_it_stands_for() -> None:
    """A reply that says `x0` itself is not one that points at an id."""
    fresh = Classifier(RULESET)
    assert fresh.classify("450 x0").category == "unknown"
    assert fresh.classify("450 rate-limit-1").category == "flow.rate"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TELLING) | st.text(max_size=12), max_size=8))
def test_a_word_that_is_known_reads_as_a_new_one(words: list[str]) -> None:
    """What becomes of a word does not hang on the words that were read before."""
    said = "550 5.7.1 " + " ".join(words)
    known = read(said)
    pointers._plain.clear()
    pointers._signs.clear()
    assert read(said) == known


def test_what_is_known_of_words_is_bounded() -> None:
    """However many words come, no more than so many are remembered."""
    for number in range(3 * pointers.MOST):
        read(f"550 word{'abcdefghij'[number % 10]}{number}, http://h{number}.example/")
        assert len(pointers._plain) <= pointers.MOST
        assert len(pointers._signs) <= pointers.MOST


def test_every_shipped_pattern_is_found_exactly_where_it_matches() -> None:
    """Literals and tries together find what the pattern alone finds, no more and no less."""
    texts = Texts()
    patterns = {
        (pattern.kind, pattern.text)
        for rule in RULESET.rules
        for some in (rule.when.any, rule.when.all, rule.when.none, *rule.when.also)
        for pattern in some
    }
    some = {(kind, text): texts.some([text], kind) for kind, text in sorted(patterns)}
    texts.compile()
    alone = {
        (kind, text): pattern_set(1 << 22, text, lines=kind == "line") for kind, text in patterns
    }
    choose = random.Random(11)
    for said, _, _ in choose.sample(REPLIES, 60):
        reply = read(_mutate(said, choose))
        for layer, shown in enumerate((reply.said, reply.wide, reply.text)):
            look = texts.look(reply, layer)
            seen = {
                "said": shown,
                **{k: getattr(reply, f) for k, f in FIELDS.items() if k != "said"},
            }
            found = {pattern for pattern in patterns if look.any(some[pattern])}
            matched = {one for one in patterns if alone[one].Match(seen[one[0]])}
            assert found == matched, (layer, reply)


def test_caches_are_bounded() -> None:
    """However many different replies come, the caches stay within their limit."""
    small = Classifier(RULESET, cache=50)
    for number in range(400):
        small.classify(f"550 5.1.1 <u{number}@example.net> user unknown, word{number} spam{number}")
        info = small.cache_info()
        assert info.entries <= info.limit == 50
    assert info.hits + info.alike + info.misses == 400


def test_hits_are_counted() -> None:
    """The same reply is a hit, another address in it is alike, other words are a miss."""
    fresh = Classifier(RULESET)
    for user in ("fred", "fred", "ann"):
        fresh.classify(f"550 5.1.1 <{user}@example.net>: user unknown")
    fresh.classify("451 4.3.0 try again later")
    assert fresh.cache_info()[:3] == (1, 1, 2)


@pytest.mark.parametrize("user", ["spamhaus", "over.quota", "virus", "too.many.connections", "rbl"])
def test_an_address_never_decides(user: str) -> None:
    """Nobody can steer a verdict by choosing a mailbox name."""
    verdict = WARM.classify(
        f"550 5.1.1 <{user}@example.net>: Recipient address rejected: User unknown"
    )
    assert verdict.category == "recipient.unknown"
