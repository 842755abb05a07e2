"""Caches are bounded, and never merge replies that some rule tells apart."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Classifier, load
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
