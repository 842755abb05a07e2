"""Receivers that count what each mailbox gets: its messages go a few at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.throttle.book.mailboxes import Mailboxes
from policyd.throttle.book.message import Box, Part
from policyd.throttle.evidence import Evidence, Lane
from tests.policyd.sim import FixedWindow, Judge, Mail, Result, Session, Sliding, Unlimited, World
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence

TOO_QUICK = "450 4.2.1 The user you are trying to contact is receiving mail too quickly"


class PerMailbox(Unlimited):
    """Each recipient has a limit of its own."""

    def __init__(self, make: Any, only: str = "") -> None:
        self.make, self.only = make, only
        self.boxes: dict[str, Judge] = {}

    def arrive_for(self, recipient: str, now: float) -> str | None:
        if self.only and recipient != self.only:
            return None
        box = self.boxes.setdefault(recipient, self.make())
        return "recipient.rate" if box.arrive(now) else None


class Town(World):
    """Mail for people, some of the same domain, who get `each` messages in turn."""

    def __init__(self, judge: PerMailbox, people: int, each: int, **more: Any) -> None:
        self.people, self.hint = people, more.pop("hint", 10.0)
        self.judge_of = judge
        self.late: dict[str, list[float]] = {}
        super().__init__(judge, people * each, **more)

    def recipient(self, mail: Mail) -> str:
        number = int(mail.queue_id[1:]) % self.people
        return f"u{number}@d{number % 20}.lim"

    def _activate(self, mail: Mail) -> None:
        mail.domain = self.recipient(mail).partition("@")[2]
        super()._activate(mail)

    def _arrive(self, mail: Mail, session: Session, rest: float) -> None:
        category = self.judge_of.arrive_for(self.recipient(mail), self.now)
        if category is None:
            self.at(self.now + rest, lambda: self._accepted(mail, session))
            return
        self.result.refused += 1
        self.result.refusals.append(self.now)
        self.at(self.now + 0.003, lambda: self._refused(mail, session, category))

    def _accepted(self, mail: Mail, session: Session) -> None:
        self.late.setdefault(self.recipient(mail), []).append(self.now - mail.arrived)
        super()._accepted(mail, session)

    def _evidence(
        self, mail: Mail, outcome: Any, category: str, source: Any, took: float
    ) -> Evidence:
        found = super()._evidence(mail, outcome, category, source, took)
        found = found._replace(recipient=self.recipient(mail) if source == "log" else "")
        if not category:
            return found
        return found._replace(scope="recipient", retry_after=self.hint, reply=TOO_QUICK)


def played(make: Any, people: int = 50, each: int = 6, **more: Any) -> tuple[Result, int]:
    """What became of it, and what stock's first turn costs."""
    stock = Town(PerMailbox(make), people, each, paced=False).run(250).refused
    return Town(PerMailbox(make), people, each, **more).run(2000), stock


@pytest.mark.parametrize("latency", [0.005, 0.05, 0.2])
@pytest.mark.parametrize("arrivals", [100.0, 40.0])
def test_a_limit_of_each_mailbox_costs_few_refusals_and_little_time(
    latency: float, arrivals: float
) -> None:
    """Two messages in ten seconds: 60 % of stock's refusals, 1.5 × the ideal time at most."""
    for seed in (1, 2, 3):
        run, stock = played(
            lambda: FixedWindow(2, 10), latency=latency, seed=seed, arrivals=arrivals
        )
        assert run.accepted == 300
        assert run.refused <= 0.6 * stock
        assert run.took <= 1.5 * 20


def test_what_a_mailbox_takes_is_learnt_once() -> None:
    """A hundred messages for one person, five in 10 s: most rounds of five go without asking."""
    run, _ = played(lambda: Sliding(5, 10), people=1, each=100, arrivals=20.0)
    assert run.accepted == 100
    first = [when for when in run.refusals if when < run.acceptances[5]]
    assert len(run.refusals) - len(first) <= 100 / 5 / 2  # now and then one more is tried
    assert run.took <= 1.5 * 10 * 19


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 8),
    st.floats(1.0, 60.0),
    st.floats(0.5, 60.0),
    st.integers(1, 30),
    st.integers(1, 8),
    st.booleans(),
    st.integers(1, 1000),
)
def test_whatever_a_mailbox_takes_all_its_mail_arrives(
    number: int, span: float, hint: float, people: int, each: int, status: bool, seed: int
) -> None:
    """Whichever limit each has, and whether the receiver tells the right time or not."""
    run, _ = played(
        lambda: Sliding(number, span), people, each, hint=hint, status=status, seed=seed
    )
    assert run.accepted == people * each


class Closed(Unlimited):
    """Takes nothing."""

    def arrive(self, now: float) -> str | None:
        return "recipient.rate"


@pytest.mark.parametrize("hint", [10.0, 14_400.0])
def test_a_hostile_mailbox_delays_only_its_own_mail(hint: float) -> None:
    """One that always says "later": who shares its domain waits for a hold's log line, no more.

    Half of its domain's mail is its own. The other domains do not notice.
    """
    calm = Town(PerMailbox(Closed, "nobody"), 40, 20, arrivals=20.0)
    calm.run(300)
    town = Town(PerMailbox(Closed, "u0@d0.lim"), 40, 20, arrivals=20.0, hint=hint)
    town.run(300)
    for person, late in calm.late.items():
        if person != "u0@d0.lim":
            assert len(town.late[person]) == len(late)
            allowed = 1.0 if person == "u20@d0.lim" else 0.1
            assert max(town.late[person]) <= max(late) + allowed


def test_mail_for_others_of_its_domain_is_not_held_where_it_is_seldom() -> None:
    """A blamed mailbox with a third of its domain's mail: nothing of the rest is held."""
    pacer = controller()
    for number in range(30):
        now = NOW + number
        refused = number % 3 == 0
        assert pacer.admit(BIG, "d1.test", now).attempt is not None
        pacer.observe(
            evidence(
                "deferred" if refused else "sent", time=now, queue_id=f"Q{number}",
                category="recipient.rate" if refused else "", scope="recipient",
                retry_after=3600.0, reply=TOO_QUICK, group=(number,),
                recipient="flood@d1.test" if refused else f"u{number}@d1.test",
            ),
            now,
        )  # fmt: skip


def test_a_crowded_domain_is_held_alone_and_not_for_long() -> None:
    """Other domains pass, and so does that one once nothing was refused there for 30 s."""
    pacer = controller()
    for number in range(2):
        pacer.admit(BIG, "d1.test", NOW)
        pacer.observe(
            evidence(
                "deferred", category="recipient.rate", scope="recipient", retry_after=3600.0,
                reply=TOO_QUICK, queue_id=f"Q{number}", group=(number,),
            ),
            NOW,
        )  # fmt: skip
    assert pacer.admit(BIG, "d1.test", NOW + 29).attempt is None
    assert pacer.admit(BIG, "d2.test", NOW + 29).attempt is not None
    assert pacer.admit(BIG, "d1.test", NOW + 31).attempt is not None
    assert pacer.peek(BIG, NOW + 31) == "free"


def test_a_message_for_several_of_one_domain_waits_by_itself() -> None:
    """Its other recipients must not wait in one mailbox's line: the message's own time decides."""
    pacer = controller()
    for person in ("a", "b"):
        pacer.observe(
            evidence(
                "deferred", category="recipient.rate", scope="recipient", retry_after=10.0,
                reply=TOO_QUICK, recipient=f"{person}@d1.test", group=("x",),
            ),
            NOW,
        )  # fmt: skip
    message = pacer.book.get("Q1")
    assert message is not None
    (part,) = message.parts.values()
    assert part.box is None
    assert part.due >= NOW + 10


def test_an_attempt_without_an_outcome_does_not_shut_the_mailbox() -> None:
    """What was let go and never seen again gives its place back after two minutes."""
    boxes = Mailboxes()
    key, _ = boxes.refused(BIG, "a@d1.test", 10.0, NOW)
    parts = [_part(key), _part(key)]
    assert boxes.turn(parts[0], NOW + 11) == NOW + 11
    assert boxes.turn(parts[1], NOW + 11) > NOW + 11
    assert boxes.turn(parts[1], NOW + 140) == NOW + 140


def _part(key: Box) -> Part:
    part = Part(BIG, "d1.test", NOW)
    part.box = key
    return part


def test_memory_is_bounded_and_names_nobody() -> None:
    """A flood of recipients is forgotten again, and no address is kept."""
    boxes = Mailboxes(100)
    for number in range(10_000):
        boxes.refused(BIG, f"secret{number}@d1.test", 10.0, NOW)
        boxes.told(BIG, f"d{number}.test", 10.0, NOW)
    kept = [list(table.items()) for table in (boxes._boxes, boxes._crowds)]
    assert [len(table) <= 100 for table in kept] == [True, True]
    assert "secret" not in repr(kept[0])


def test_a_mailbox_is_known_however_it_is_written() -> None:
    """The same one in capitals is blamed, another one, and one of another lane, is not."""
    boxes = Mailboxes()
    boxes.refused(BIG, "Anna@D1.test", 10.0, NOW)
    assert boxes.blamed(BIG, "anna@d1.test", NOW) is not None
    assert boxes.blamed(BIG, "bob@d1.test", NOW) is None
    assert boxes.blamed(Lane("", "mx:other.test"), "anna@d1.test", NOW) is None
    assert boxes.blamed(BIG, "anna@d1.test", NOW + 61) is None  # its trouble is long over
