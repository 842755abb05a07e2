"""Replies that were composed before their verdicts were known, in many words and languages.

`data/composed.txt` has a line for each: the categories that are right, the stage, the reply.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rules import CATEGORIES, Classifier, load

FILE = Path(__file__).parent / "data" / "composed.txt"
ROWS = [line.split(" | ", 2) for line in FILE.read_text(encoding="utf-8").splitlines() if line]
GONE = {"recipient.unknown", "recipient.moved", "domain.unknown"}


@pytest.fixture(scope="module")
def judge() -> Classifier:
    """A classifier over the shipped rules."""
    return Classifier(load())


def test_labels_are_categories() -> None:
    """Every label is in the closed list."""
    assert {name for labels, _, _ in ROWS for name in labels.split(",")} <= set(CATEGORIES)


def test_most_composed_replies_are_understood(judge: Classifier) -> None:
    """At least 97 of 100 get a category that their author had in mind."""
    wrong = [
        (verdict.category, labels, reply)
        for labels, stage, reply in ROWS
        if (verdict := judge.classify(reply, stage=stage)).category not in labels.split(",")
    ]
    assert len(ROWS) > 900
    assert len(wrong) <= 0.03 * len(ROWS), wrong


def test_no_composed_reply_gives_up_an_address_wrongly(judge: Classifier) -> None:
    """Only a missing address or domain suppresses."""
    given_up = [
        reply
        for labels, stage, reply in ROWS
        if judge.classify(reply, stage=stage).suppress and not GONE & set(labels.split(","))
    ]
    assert given_up == []


def test_a_dead_address_is_mostly_told(judge: Classifier) -> None:
    """At least three in five plain replies about a missing mailbox may suppress."""
    gone = [row for row in ROWS if row[0] == "recipient.unknown" and row[2][0] == "5"]
    told = sum(judge.classify(reply, stage=stage).suppress for _, stage, reply in gone)
    assert told >= 0.6 * len(gone), f"{told} of {len(gone)}"
