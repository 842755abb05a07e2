"""After a restart: mail that a receiver put off for its lane's sake waits for the lane again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import rules
from policyd.postfix.hand import Ran
from policyd.postfix.putoff import reader
from policyd.postfix.release import Releaser, ReleaseSettings
from policyd.receiver.rollup import Receivers
from policyd.throttle import Controller, Lane
from policyd.throttle.settings.pacing import PacingSettings
from tests.policyd.throttle_parts import NOW, controller

RULES = rules.load()
CLASSIFIER = rules.Classifier(RULES)
LIMIT = "421 4.7.28 Our system has detected an unusual rate of unsolicited mail; slow down"
GOOGLE = "host gmail-smtp-in.l.google.com[192.0.2.26] said: "
END = " (in reply to end of DATA command)"


class Restarted:
    """A controller that knows nothing, a queue, and the hand that reads it."""

    def __init__(self, pacer: Controller | None = None) -> None:
        self.pacer = pacer or controller()
        self.receivers = Receivers(RULES.receivers)
        self.rows: list[bytes] = []
        self.hand = self.new_hand()

    def new_hand(self) -> Releaser:
        """The hand of a daemon that has just started."""
        return Releaser(
            self.pacer,
            ReleaseSettings(),
            lambda: NOW,
            receiver_of=lambda domain: self.receivers.of_domain(domain).receiver,
            told=reader(CLASSIFIER.classify, self.receivers.of_host),
            run=self.run,
        )

    async def run(self, command: tuple[str, ...], timeout: float) -> Ran:
        return Ran(0, b"\n".join(self.rows))

    def queue(self, queue_id: str, *reasons: str, queue: str = "deferred", **more: Any) -> None:
        recipients = [
            {"address": f"u{number}@d1.example", **({"delay_reason": reason} if reason else {})}
            for number, reason in enumerate(reasons)
        ]
        row = {"queue_name": queue, "queue_id": queue_id, "arrival_time": NOW - 500,
               "sender": "s@shop.example", "recipients": recipients, **more}  # fmt: skip
        self.rows.append(json.dumps(row).encode())

    def read(self) -> dict[str, list[tuple[Lane, str, int]]]:
        """What is in the book afterwards: by message, the lanes, domains and recipients."""
        assert asyncio.run(self.hand.reconcile())
        return {
            message.queue_id: [(p.lane, p.domain, p.recipients) for p in message.parts.values()]
            for message in self.pacer.book
        }


@pytest.mark.parametrize(
    ("reason", "lane"),
    [
        (GOOGLE + LIMIT + END, "google"),
        ("delivery temporarily suspended: " + GOOGLE + LIMIT + END, "google"),
        (
            "host mx.big.example[192.0.2.9] refused to talk to me: 421 4.7.0 Too many connections "
            "from your IP address",
            "mx:big.example",
        ),
        (GOOGLE + "452 4.2.2 The email account that you tried to reach is over quota" + END, None),
        ("host mx.big.example[192.0.2.9] said: 450 4.2.0 Greylisted, try again later" + END, None),
        ("host mx.big.example[192.0.2.9] said: 450 4.1.1 user unknown" + END, None),
        ("connect to mx.big.example[192.0.2.9]:25: Connection refused", None),
        ("Host or domain name not found. Name service error for name=d1.example", None),
        (f"unable to look up {GOOGLE}{LIMIT}{END}", None),
        ("", None),
    ],
)
def test_only_a_receivers_words_that_blame_the_lane_bring_mail_back(
    reason: str, lane: str | None
) -> None:
    """Limits and suspensions do; full mailboxes, greylists and our own MTA's words do not."""
    restarted = Restarted()
    restarted.queue("AAAA1", reason)
    found = restarted.read()
    assert found == ({"AAAA1": [(Lane("", lane), "d1.example", 1)]} if lane else {})


def test_it_is_let_go_at_once_where_the_lane_is_free() -> None:
    """Instead of after the MTA's back-off."""
    restarted = Restarted()
    restarted.queue("AAAA1", GOOGLE + LIMIT + END, GOOGLE + LIMIT + END)
    assert restarted.read() == {"AAAA1": [(Lane("", "google"), "d1.example", 2)]}
    assert [release.queue_id for release in restarted.pacer.due(NOW)] == ["AAAA1"]


def test_it_waits_for_a_lane_that_is_suspended() -> None:
    """What was learnt before the restart still holds."""
    restarted = Restarted()
    restarted.pacer.pin("google", "suspended", 60.0, NOW)
    restarted.queue("AAAA1", GOOGLE + LIMIT + END)
    restarted.read()
    assert restarted.pacer.due(NOW + 59) == []
    assert [release.queue_id for release in restarted.pacer.due(NOW + 61)] == ["AAAA1"]


def test_the_pool_is_the_domains_own_or_the_one_in_trouble() -> None:
    """The queue does not tell by which pool it was tried."""
    restarted = Restarted()
    for pool in ("", "two", "three"):
        restarted.pacer.lane(Lane(pool, "google"), NOW)
    restarted.pacer.pin("google", "suspended", 60.0, NOW, pool="two")
    restarted.queue("AAAA1", GOOGLE + LIMIT + END)
    assert restarted.read() == {"AAAA1": [(Lane("two", "google"), "d1.example", 1)]}
    restarted.pacer.book.drop("AAAA1")
    restarted.hand = restarted.new_hand()
    restarted.pacer.set_home("d1.example", Lane("three", "google"))
    assert restarted.read() == {"AAAA1": [(Lane("three", "google"), "d1.example", 1)]}


def test_a_bracketed_relay_host_is_waited_for_by_its_own_name() -> None:
    """The gate is asked for the next-hop's name, not for the recipient's domain."""
    restarted = Restarted()
    relay = Lane("", "mx:relay.example")
    restarted.pacer.set_home("out.relay.example", relay)
    busy = "421 4.7.0 Too many connections from your IP address"
    restarted.queue("AAAA1", f"host out.relay.example[192.0.2.3] refused to talk to me: {busy}")
    assert restarted.read() == {"AAAA1": [(relay, "out.relay.example", 1)]}


def test_a_reply_that_quotes_our_hold_is_no_hold() -> None:
    """Who says "DNS reply filter drops all results" is judged by his words like anybody else."""
    restarted = Restarted()
    words = "Error looking up name=d1.example type=MX: DNS reply filter drops all results"
    restarted.queue(
        "AAAA1", f"host mx.evil.example[192.0.2.3] said: 450 4.2.2 mailbox full {words}{END}"
    )
    restarted.queue("AAAA2", words)
    assert list(restarted.read()) == ["AAAA2"]


def test_a_message_that_is_being_tried_is_neither_taken_nor_forgotten() -> None:
    """While it is active there is no reason to read; that is no sign that it is gone."""
    restarted = Restarted()
    restarted.queue("AAAA1", GOOGLE + LIMIT + END)
    restarted.read()
    restarted.rows.clear()
    restarted.queue("AAAA1", "", queue="active")
    restarted.queue("AAAA2", "", queue="incoming")
    assert list(restarted.read()) == ["AAAA1"]


def test_what_is_taken_back_is_bounded_and_drops_nobody() -> None:
    """A queue of any size fills the book and no more; nobody who waits makes room."""
    restarted = Restarted(Controller(PacingSettings(messages=10)))
    for number in range(5):
        words = "Error looking up name=d1.example type=MX: DNS reply filter drops all results"
        restarted.queue(f"HELD{number}", words)
    assert len(restarted.read()) == 5
    restarted.hand = restarted.new_hand()
    for number in range(50):
        restarted.queue(f"SAID{number:02}", *[f"{GOOGLE}{LIMIT} {n}{END}" for n in range(100)])
    found = restarted.read()
    assert len(found) == 10
    assert {name for name in found if name.startswith("HELD")} == {f"HELD{n}" for n in range(5)}
    parts = found["SAID00"]
    assert parts == [(Lane("", "google"), "d1.example", 50)]  # of 100 different reasons


def test_only_what_was_put_off_before_the_start_is_taken_back() -> None:
    """From then on the log tells, and knows more; Postfix's back-off is not undone for ever."""
    restarted = Restarted()
    restarted.queue("AAAA1", GOOGLE + LIMIT + END)
    assert list(restarted.read()) == ["AAAA1"]
    restarted.pacer.book.drop("AAAA1")
    assert restarted.read() == {}


def test_after_off_nothing_is_taken_back() -> None:
    """Who stepped aside leaves the MTA's retries to the MTA."""
    restarted = Restarted()
    restarted.pacer.retire(NOW)
    restarted.queue("AAAA1", GOOGLE + LIMIT + END)
    assert restarted.read() == {}
