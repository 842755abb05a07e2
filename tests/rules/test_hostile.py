"""Remote text is hostile: nothing raises, nothing takes long, nothing leaks into typed values."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import CATEGORIES, Classifier, load
from rules.hints import dated, limits, recipients, spoken
from rules.reply import LIMIT, read
from rules.template import phrase, template

CLASSIFIER = Classifier(load())
STAGES = st.sampled_from([None, "connect", "rcpt", "eod", "no such stage", ""])
ODD = st.text() | st.text(
    alphabet="0123456789 .-<>@\"'()[]:;#\\nrt5xyretry=ingafter\n\r\x00\x7f\u200b", max_size=400
)
SIZE = 65536
MONSTERS = {
    "a long word": "5" * SIZE,
    "words": "user unknown " * (SIZE // 13),
    "quotes": '550 "' * (SIZE // 5),
    "at signs": "550 " + "@" * SIZE,
    "addresses": "550 " + "<a@b>" * (SIZE // 5),
    "half addresses": "550 " + "a" * SIZE + "@",
    "brackets": "550 " + "<[(" * (SIZE // 3),
    "codes": "550-" * (SIZE // 4),
    "enhanced codes": "550 " + "5.1.1 " * (SIZE // 6),
    "dots": "550 " + "1." * (SIZE // 2),
    "colons": "550 " + "a:" * (SIZE // 2),
    "controls": "550 " + "\x00\x01\x1b\x7f\x85\u2028" * (SIZE // 6),
    "line ends": "550-x\r\n" * (SIZE // 7),
    "written line ends": "550-x\\n" * (SIZE // 7),
    "waits": "421 " + "try again in " * (SIZE // 13) + "5 minutes",
    "greylisted for": "421 " + "greylisted " * (SIZE // 11) + "for 5 minutes",
    "tags": "421 " + "retry= " * (SIZE // 7),
    "clocks": "421 come back in " + "00:00:" * (SIZE // 6),
    "recipients": "452 max " + "recipients " * (SIZE // 11),
    "said": "said: " * (SIZE // 6),
    "host said": "host x[y] " + "said " * (SIZE // 5),
    "in reply to": "550 x " + "(in reply to " * (SIZE // 13) + ")",
    "surrogates": "550 \ud800\udfff" * (SIZE // 6),
    "emoji": "550 " + "\U0001f4e7" * SIZE,
}


@settings(max_examples=400, deadline=None)
@given(
    reply=ODD,
    stage=STAGES,
    mx=st.none() | st.text(max_size=40),
    origin=st.sampled_from([None, "remote", "local"]),
)
def test_no_input_raises(reply: str, stage: str | None, mx: str | None, origin: str | None) -> None:
    """Whatever a server says, there is a verdict within the closed lists."""
    verdict = CLASSIFIER.classify(reply, mx=mx, stage=stage, origin=origin)
    assert verdict.category in CATEGORIES
    assert (verdict.rule is None) == (verdict.category == "unknown")
    assert verdict.retry_after is None or 0 <= verdict.retry_after <= 86400
    assert not (verdict.suppress and verdict.flags)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    """Invalid UTF-8, decoded as log readers decode it, is text like any other."""
    for errors in ("backslashreplace", "surrogateescape", "replace"):
        CLASSIFIER.classify("550 " + raw.decode("utf-8", errors))


@settings(max_examples=300, deadline=None)
@given(ODD)
def test_reading_is_stable(reply: str) -> None:
    """The text of a reply has one line, single blanks, and bounded length; helpers never raise."""
    parsed = read(reply)
    for text in (parsed.text, parsed.spoken):
        assert "  " not in text
        assert text == text.strip()
        assert not set(text) & set("\r\n\t\x00\x7f")
    spoken(parsed.text)
    recipients(parsed.text)
    assert len(template(reply)) < 400
    assert len(phrase(reply)) <= 60


@pytest.mark.parametrize("name", MONSTERS)
def test_a_monster_is_judged_in_linear_time(name: str) -> None:
    """64 KiB of anything cost no more than a second of processor time."""
    started = time.process_time()
    CLASSIFIER.classify(MONSTERS[name])
    assert time.process_time() - started < 1.0


def test_only_the_head_of_a_monster_is_read() -> None:
    """What stands behind the limit changes nothing."""
    head = "550 5.7.1 " + "x" * LIMIT
    assert read(head) == read(head + " spam spam spam")


def test_random_words_cost_no_more_than_their_length() -> None:
    """Doubling a text of random words about doubles the work: no pattern runs away."""
    choose = random.Random(3)
    words = [
        word for rule in CLASSIFIER.ruleset.rules[:200] for word in rule.examples[0].reply.split()
    ]
    text = " ".join(choose.choices(words, k=900))
    costs = []
    for size in (1000, 2000, 4000):
        started = time.process_time()
        for shift in range(5):
            fresh = f"550 {shift} " + text[shift * 7 : shift * 7 + size]
            CLASSIFIER.judge(CLASSIFIER.case(fresh))
        costs.append(time.process_time() - started)
    assert costs[2] < 20 * costs[0] + 0.05


def test_a_monstrous_host_name_is_nobodys() -> None:
    """A host name longer than any can be belongs to no receiver, at no cost."""
    started = time.process_time()
    verdict = CLASSIFIER.classify("550 5.1.1 no", mx="a." * SIZE + "google.com")
    assert verdict.receiver is None
    assert time.process_time() - started < 1.0


# what a reader of spoken times stops at: nearly a time, again and again
NEARLY = [
    "try again in ", "in 5 ", "5 minutes ", "1h ", "retry=", "retry= 5", "wait for ",
    "after 00:00:", "greylisted for ", "for 1 hour and 2 minutes and ", "until 2026-",
    "until Mon, 23 Nov ", "2026-11-23T10:", "limit is 5 per ", "5 messages per ",
    "max 5 recipients ", "too many ", "five ", "twenty ", "a ", "9", " 9", "9.",
    "next attempt at ", "expires in ", "(retry in ", "please ", "-", "minutes ", "at most ",
]  # fmt: skip


@pytest.mark.parametrize("piece", NEARLY)
def test_spoken_times_are_looked_for_in_linear_time(piece: str) -> None:
    """Python's `re` could backtrack: sixteen times the text costs nowhere near its square."""

    def cost(size: int) -> float:
        text, best = (piece * size)[:size], 9.0
        for _ in range(3):
            started = time.process_time()
            for reader in (spoken, dated, limits, recipients):
                reader(text)
            best = min(best, time.process_time() - started)
        return best

    assert cost(LIMIT) < 60 * max(cost(LIMIT // 16), 0.0002)
