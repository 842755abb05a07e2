"""Which 5yz stay in the queue: blocks that pass, and nothing that is about recipient or message."""

from __future__ import annotations

from functools import cache

import pytest

import rules
from policyd.hooks.namefirst import NameFirst
from policyd.hooks.softening import Softening, Stands, kind_of
from policyd.hooks.statusmap import StatusMap
from policyd.hooks.whose import names
from policyd.serve.later import Later
from policyd.serve.session import Session
from policyd.serve.settings import StatusSettings
from policyd.serve.socketmap import NOTFOUND
from policyd.throttle.book.present import Present
from policyd.throttle.book.queueid import Locked
from policyd.throttle.book.soon import Soon
from rules.verdict import Verdict

HOUR = 3600.0
TEMPORARY = ("temporary_text_permanent_code",)
BLOCK = Verdict("reputation.ip", "big.block", "big", "ip", "pause", False, flags=TEMPORARY)  # type: ignore[arg-type]
FLAT = Verdict("reputation.ip", "big.flat", "big", "ip", "pause", False)
LISTED = Verdict("reputation.blocklist", "big.listed", "big", "ip", "pause", False)
GONE = Verdict("recipient.unknown", "big.gone", "big", "recipient", "stop", True, flags=TEMPORARY)  # type: ignore[arg-type]
SAID = "550 5.7.1 temporarily blocked, try again later"

# category → what the shipped packs' own 5yz examples are by their words alone
GOLDEN = {
    "flow.busy": {"limit"},
    "flow.connections": {"limit"},
    "flow.messages": {"limit"},
    "flow.quota": {"limit"},
    "flow.rate": {"limit"},
    "flow.recipients": {"limit"},
    "net.dns": {"limit"},
    "recipient.rate": {"limit"},
    "reputation.ip": {"block", "perhaps"},
}


class Clerk:
    """A softening with a clock to turn and a receiver that stands as it is told."""

    def __init__(self, **settings: float) -> None:
        self.now = 0.0
        self.stands = Stands(0, False)
        self.made = Softening(StatusSettings(**settings), lambda _: self.stands)  # type: ignore[arg-type]

    def ask(self, verdict: Verdict = BLOCK, name: str | None = "A0007", at: float = 0.0) -> bool:
        self.now = at
        return self.made.softens("big", verdict, SAID, lambda: name, at)


def test_what_the_shipped_examples_are_is_a_golden_list() -> None:
    """No unknown user, content, policy, authentication or blocklist reject is ever softened."""
    classifier = _shipped()
    found: dict[str, set[str]] = {}
    for rule in classifier.ruleset.rules:
        for example in rule.examples:
            verdict = classifier.classify(
                example.reply,
                mx=example.mx,
                receiver=example.receiver,
                stage=example.stage,
                origin=example.origin or "remote",
            )
            if verdict.code is not None and verdict.code >= 500:
                kind = kind_of(verdict, example.reply)
                if kind:
                    found.setdefault(verdict.category, set()).add(kind)
    assert found == GOLDEN


@pytest.mark.parametrize(
    "said",
    [
        "550 5.7.1 Your IP address is temporarily blocked, try again later",
        "550 5.7.1 Client host [192.0.2.1] temporarily blocked, try again later",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked; try again later",
        "550 5.7.1 Temporarily blocked, try again later",
        "554 5.7.1 Your address is blocked for sending too much, try later",
        "550 Connections from your network are temporarily blocked",
    ],
)
def test_a_block_that_says_it_passes_stays_in_the_queue(said: str) -> None:
    """From the first message on, by the shipped rules."""
    assert _real(said) in ("block", "limit")


@pytest.mark.parametrize(
    "said",
    [
        "550 5.1.1 User unknown, try again later",
        "550 5.7.1 Recipient temporarily blocked, try again later",
        "554 5.7.1 Your message was considered spam, temporarily blocked, try again later",
        "553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred; "
        "Retrying will NOT succeed.",
        "530 5.7.0 Must issue a STARTTLS command first",
        "550 5.7.1 Relaying denied, please try again later",
        "552 5.3.4 Message too big, try again later",
        "550 5.7.26 Unauthenticated email is not accepted, try again later",
    ],
)
def test_what_waiting_does_not_help_is_never_softened(said: str) -> None:
    """Whatever they add about later."""
    assert _real(said) == ""


@cache
def _shipped() -> rules.Classifier:
    return rules.Classifier(rules.load())


def _real(said: str) -> str:
    verdict = _shipped().classify(
        said, mx="mx.any.test", receiver=None, stage="rcpt", origin="remote"
    )
    return kind_of(verdict, said)


def test_each_message_has_a_time_of_its_own() -> None:
    """Four hours from its first refusal; a later one begins later."""
    clerk = Clerk()
    assert [clerk.ask(at=hour * HOUR) for hour in (0, 3, 3.9, 4.1)] == [
        True, True, True, False,
    ]  # fmt: skip
    assert clerk.ask(name="A0008", at=5 * HOUR)
    assert clerk.ask(name="A0008", at=8.9 * HOUR)
    assert not clerk.ask(name="A0008", at=9.1 * HOUR)


def test_a_message_that_cannot_be_seen_has_the_time_of_its_receiver_and_rule() -> None:
    """Four hours for all of them together; the next ones bounce as they came."""
    clerk = Clerk()
    assert clerk.ask(name=None)
    assert not clerk.ask(name=None, at=4 * HOUR)


def test_no_block_is_taken_for_a_passing_one_for_ever() -> None:
    """After the longest time for receiver and rule each refusal bounces."""
    clerk = Clerk()
    assert all(clerk.ask(name=f"A{hour:04}", at=hour * HOUR) for hour in range(0, 49, 3))
    assert not clerk.ask(name="A0100", at=49 * HOUR)


def test_words_without_a_time_bounce_until_the_receiver_takes_others() -> None:
    """Plain "blocked" is believed, until mail is accepted after it was said."""
    clerk = Clerk()
    clerk.stands = Stands(10, False)
    assert not clerk.ask(FLAT)
    assert not clerk.ask(FLAT, at=1.0)
    clerk.stands = Stands(11, False)
    assert clerk.ask(FLAT, at=2.0)
    assert not clerk.ask(LISTED, at=2.0)


def test_a_probe_is_no_mail_that_dies_of_it() -> None:
    """While the lane is stopped, what only finds out whether the block is over waits on."""
    clerk = Clerk()
    clerk.stands = Stands(0, True)
    assert clerk.ask(FLAT)
    assert not clerk.ask(FLAT, at=4 * HOUR)  # but not for ever
    assert not clerk.ask(GONE)
    assert not clerk.ask(LISTED)


def test_the_recipients_of_a_message_share_its_time() -> None:
    """When its four hours are over they are for all of them, and stay so while it is queued."""
    clerk = Clerk()
    assert clerk.ask()
    assert [clerk.ask(at=4.1 * HOUR + second) for second in range(5)] == [False] * 5
    assert not clerk.ask(at=9 * HOUR)


def test_a_message_takes_its_time_with_it() -> None:
    """Once it has left, its name tells nothing any more."""
    clerk = Clerk()
    assert clerk.ask()
    assert not clerk.ask(at=4.1 * HOUR)
    clerk.made.removed("A0007")
    assert clerk.ask(at=5 * HOUR)


def test_a_message_whose_end_was_missed_lends_its_time_to_nobody() -> None:
    """The next one has the same inode and another queue id."""
    clerk = Clerk()
    assert clerk.ask(name="4D5A723BF27")
    assert clerk.ask(name="0001723BF27", at=5 * HOUR)
    assert not clerk.ask(name="4D5A723BF27", at=5 * HOUR)


def test_a_restart_does_not_begin_the_time_anew() -> None:
    """Of messages and of rules; nor are acceptances of before taken for later ones."""
    before, after = Clerk(), Clerk()
    before.ask(name="A0007")
    before.ask(FLAT)
    after.stands = Stands(500, False)
    after.made.restore(before.made.snapshot(), 0.0, 1.0)
    assert not after.ask(FLAT, at=2.0)
    assert after.ask(name="A0007", at=3.9 * HOUR)
    assert not after.ask(name="A0007", at=4.1 * HOUR)


def test_what_cannot_be_restored_is_left_out() -> None:
    """A row that names no message is passed over."""
    clerk = Clerk()
    names = ("queued:", "queued:<x>", "queued:" + 31 * "A", "message:7")
    clerk.made.restore([(name, "", 0.0, 0.0) for name in names], 0.0, 1.0)
    assert clerk.made.snapshot() == []


def test_switched_off_it_softens_no_block() -> None:
    """`blocked: 0` leaves limits as they are; without `enabled` nothing is softened."""
    limit = BLOCK._replace(category="flow.rate")
    clerk = Clerk(blocked=0.0)
    assert not clerk.ask()
    assert not clerk.ask(name=None)
    assert clerk.ask(limit)
    assert not Clerk(enabled=False).ask(limit)


def test_a_flood_gains_no_message_a_second_time() -> None:
    """Where all places are taken, one more goes by the time of receiver and rule."""
    clerk = Clerk()
    for number in range(60_000):
        assert clerk.ask(name=f"F{number:05}", at=1.0)
    assert len(clerk.made.snapshot()) <= 50_001
    assert not clerk.ask(name="F00000", at=1 + 4 * HOUR)
    assert not clerk.ask(name="F59999", at=1 + 4 * HOUR)


def test_messages_that_left_unseen_make_room() -> None:
    """A day after they were asked about last."""
    clerk = Clerk()
    for number in range(50_000):
        clerk.ask(name=f"F{number:05}")
    assert clerk.ask(name="A0007", at=25 * HOUR)  # the rule is softened anew by then
    assert not clerk.ask(name="A0007", at=29.1 * HOUR)
    assert len(clerk.made.snapshot()) == 2


class Filter:
    """A status filter of a block, whose client's message the log may not have told yet."""

    def __init__(
        self, verdict: Verdict = BLOCK, *, by_six: bool = False, enabled: bool = True
    ) -> None:
        self.now, self.session = 0.0, Session(pid=1)
        self.present, self.soon = Present(), Soon()
        names_ = NameFirst(self.present, self.soon, lambda: self.now)
        self.map = StatusMap(
            lambda reply, **_: verdict,
            lambda host: "big",
            lambda: self.now,
            StatusSettings(enabled=enabled),
            whose=names(self.file, self.present),
            named=names_.by(self.file),
            by_six=lambda session, address, verdict: by_six,
        )

    @staticmethod
    def file(session: object) -> str:
        return "00:1:7"

    def ask(self) -> bytes | Later:
        said = f"5.7.1 host mx.big.test[192.0.2.1] said: {SAID} (in reply to RCPT TO command"
        return self.map.ask(said.encode(), self.session, "")


def test_no_mail_bounces_before_it_is_known_which_it_is() -> None:
    """A block that lasts for five hours: a new message is told a moment after it asks."""
    clerk = Filter()
    assert clerk.ask() != NOTFOUND  # nobody knows it; it has the time of its receiver and rule
    clerk.now = 3 * HOUR
    clerk.ask()
    clerk.now = 5 * HOUR
    answer = clerk.ask()
    assert isinstance(answer, Later)
    told: list[bytes] = []
    answer.then(told.append)
    clerk.present.told("0ABCD7", "fine.example")
    clerk.now += 0.1
    clerk.soon.tend(clerk.now)
    assert told[0].startswith(b"OK 4.7.1 ")


def test_who_stays_unknown_bounces_as_the_receiver_said() -> None:
    """After half a second."""
    clerk = Filter()
    clerk.ask()
    clerk.now = 5 * HOUR
    answer = clerk.ask()
    assert isinstance(answer, Later)
    told: list[bytes] = []
    answer.then(told.append)
    clerk.now += 0.6
    clerk.soon.tend(clerk.now)
    assert told == [NOTFOUND]


def test_who_waits_is_answered_also_where_the_answer_cannot_be_made() -> None:
    """A fault of ours: the safe answer, at once, and nobody else waits for it."""
    clerk = Filter()
    first = NameFirst(clerk.present, clerk.soon, lambda: clerk.now)

    def fault() -> bytes:
        raise RuntimeError("ours")

    told: list[bytes] = []
    agents = Session(), Session()
    for agent, make in zip(agents, (fault, lambda: b"OK 4.7.1 later"), strict=True):
        answer = first.first(agent, Locked("00:1", 7), make)
        assert isinstance(answer, Later)
        answer.then(told.append)
    clerk.now += 0.6
    clerk.soon.tend(clerk.now)
    assert told == [NOTFOUND, b"OK 4.7.1 later"]


def test_a_block_of_our_ipv6_address_is_softened_no_longer_than_any_other() -> None:
    """Where IPv4 does not help either, the message bounces after its four hours, as it came."""
    clerk = Filter(LISTED, by_six=True)
    clerk.present.told("0ABCD7", "fine.example")
    answers = []
    for hour in (0, 3.9, 4.1):
        clerk.now = hour * HOUR
        answers.append(clerk.ask() != NOTFOUND)
    assert answers == [True, True, False]


def test_switched_off_no_block_of_our_ipv6_address_is_softened() -> None:
    """An operator's `serve.status.enabled: false` is for every 5yz."""
    assert Filter(LISTED, by_six=True, enabled=False).ask() == NOTFOUND
