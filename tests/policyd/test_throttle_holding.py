"""Held messages: kept in the book, let go in order, confirmed, never forgotten."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policyd.throttle import Controller, Lane, MailClass, Queued
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence, hold, slowed


def ask(pacer: Controller, domain: str, now: float) -> bool:
    return pacer.admit(BIG, domain, now).attempt is not None


def test_a_held_message_is_let_go_when_its_token_is_there() -> None:
    """Held now, released at the lane's rate, admitted by its grant, gone when it was sent."""
    pacer = slowed(1.0)
    hold(pacer, "Q1", "d1.test", NOW)
    assert pacer.due(NOW + 0.5) == []
    (release,) = pacer.due(NOW + 1.1)
    assert (release.queue_id, release.lane, release.tokens) == ("Q1", BIG, 1)
    assert not ask(pacer, "d2.test", NOW + 1.2)  # the token is reserved for d1.test
    assert ask(pacer, "d1.test", NOW + 1.2)
    pacer.observe(evidence(queue_id="Q1", time=NOW + 1.4), NOW + 1.4)
    assert len(pacer.book) == 0


def test_a_release_nobody_sees_gives_its_token_back_and_is_tried_again() -> None:
    """No question and no log line in time: the token returns, the message waits again."""
    pacer = slowed(1.0, grant=5.0)
    hold(pacer, "Q1", "d1.test", NOW)
    assert len(pacer.due(NOW + 1.1)) == 1
    assert pacer.due(NOW + 4.0) == []
    (again,) = pacer.due(NOW + 6.5)
    assert again.queue_id == "Q1"
    assert pacer.counts["release.lost"] == 1


def test_a_release_that_fails_waits_and_costs_nothing() -> None:
    """The hand could not do it: token back at once, next try a little later."""
    pacer = slowed(1.0)
    hold(pacer, "Q1", "d1.test", NOW)
    pacer.due(NOW + 1.1)
    pacer.unreleased("Q1", NOW + 1.1)
    assert pacer.lane(BIG, NOW).granted == 0
    assert pacer.due(NOW + 3) == []
    assert [release.queue_id for release in pacer.due(NOW + 7)] == ["Q1"]


def test_a_release_delivered_over_a_kept_session_uses_its_own_grant() -> None:
    """No question was asked, yet the log shows it: the reserved token paid for it."""
    pacer = slowed(1.0)
    hold(pacer, "Q1", "d1.test", NOW)
    pacer.due(NOW + 1.1)
    pacer.observe(evidence(queue_id="Q1", time=NOW + 1.3, conn_use=2), NOW + 1.3)
    state = pacer.lane(BIG, NOW)
    assert state.granted == 0
    assert "unasked" not in pacer.counts


def test_new_mail_queues_behind_what_waits() -> None:
    """While somebody waits, tokens go to the oldest, not to whoever asks first."""
    pacer = slowed(1.0)
    hold(pacer, "Q1", "d1.test", NOW)
    assert not ask(pacer, "d2.test", NOW + 1.5)
    assert [release.queue_id for release in pacer.due(NOW + 1.5)] == ["Q1"]


def test_without_a_hand_tokens_go_to_whoever_asks() -> None:
    """When nobody lets held mail go, the gate itself paces Postfix's own retries."""
    pacer = slowed(1.0)
    hold(pacer, "Q1", "d1.test", NOW)
    assert ask(pacer, "d1.test", NOW + 4)


def test_the_oldest_goes_first() -> None:
    """Within one class and one sender: in the order they were held."""
    pacer = slowed(10.0)
    for number in range(10):
        hold(pacer, f"Q{number}", f"d{number}.test", NOW + number * 0.001)
    released: list[str] = []
    for tick in range(30):
        for release in pacer.due(now := NOW + 0.01 + tick * 0.1):
            released.append(release.queue_id)
            ask(pacer, f"d{release.queue_id[1:]}.test", now)
    assert released == [f"Q{number}" for number in range(10)]


def test_senders_take_turns() -> None:
    """A newsletter of a hundred does not keep one letter of somebody else waiting."""
    pacer = slowed(10.0)
    for number in range(100):
        pacer.note_sender(f"N{number}", "news.example", NOW)
        hold(pacer, f"N{number}", "d1.test", NOW)
    pacer.note_sender("L0", "letter.example", NOW)
    hold(pacer, "L0", "d1.test", NOW)
    released = [r.queue_id for t in range(5) for r in pacer.due(NOW + 0.1 + t * 0.1)]
    assert "L0" in released


def test_classes_share_the_tokens_by_weight() -> None:
    """Three parts for the customers, one for the newsletter, as configured."""
    pacer = slowed(
        10.0,
        classes={
            "customers": MailClass(share=3, senders=("shop.example",)),
            "news": MailClass(share=1, senders=("news.example",)),
        },
    )
    for number in range(100):
        for sender in ("mail.shop.example", "news.example"):
            queue_id = f"{sender}-{number}"
            pacer.note_sender(queue_id, sender, NOW)
            hold(pacer, queue_id, "d1.test", NOW)
    released: list[str] = []
    for tick in range(100):
        now = NOW + 0.1 + tick * 0.1
        for release in pacer.due(now):
            released.append(release.queue_id)
            ask(pacer, "d1.test", now)
            pacer.observe(evidence(queue_id=release.queue_id, time=now), now)
    counts = Counter(name.rpartition("-")[0] for name in released[:40])
    assert counts["mail.shop.example"] in (29, 30, 31)


def test_a_message_with_many_parts_goes_when_the_door_has_room_for_many() -> None:
    """Each release tries all parts: it is not let go for one token, but as many as may wait."""
    pacer = slowed(10.0)
    hold(pacer, "Q1", "d0.test", NOW)
    for number in range(1, 61):
        hold(pacer, "WIDE", f"d{number}.test", NOW)
    (first,) = pacer.due(NOW + 0.1)
    assert first.queue_id == "Q1"
    assert pacer.due(NOW + 1.05) == []  # it has not asked yet
    assert ask(pacer, "d0.test", NOW + 1.05)
    (wide,) = pacer.due(NOW + 1.3)
    assert (wide.queue_id, wide.tokens) == ("WIDE", 45)  # 10/s, nine tenths of 5 s


def test_what_is_accepted_beside_a_held_transaction_does_not_settle_it() -> None:
    """Sixty recipients at one domain are two transactions: one is held, the other one taken."""
    pacer = slowed(10.0)
    first, second = (("192.0.2.1", 1, (0.8, 0.1, 0.0)), ("192.0.2.1", 1, (7.7, 0.1, 0.0)))
    hold(pacer, "Q1", "d1.test", NOW, group=first)
    pacer.observe(evidence(queue_id="Q1", group=first), NOW)
    assert pacer.book.waiting(BIG) == 1
    # a later round in which it is accepted is about those that were held
    pacer.observe(evidence(queue_id="Q1", group=second, time=NOW + 7), NOW + 7)
    assert pacer.book.waiting(BIG) == 0
    assert len(pacer.book) == 0


def test_a_greylisted_message_is_let_go_at_its_hint() -> None:
    """retry=00:05:00 means then, not at Postfix's own back-off; others need not wait."""
    pacer = controller()
    ask(pacer, "d1.test", NOW)
    grey = evidence("deferred", queue_id="G", category="flow.greylist", scope="recipient",
                    stance="retry", retry_after=300.0)  # fmt: skip
    pacer.observe(grey, NOW)
    assert pacer.peek(BIG, NOW) == "free"
    assert pacer.due(NOW + 299) == []
    assert [release.queue_id for release in pacer.due(NOW + 300.1)] == ["G"]


def test_one_message_finds_out_how_long_a_silent_receiver_greylists() -> None:
    """A scout is tried early; when it is accepted, the others follow at the same age."""
    pacer, now = controller(), NOW
    grey = {"category": "flow.greylist", "scope": "recipient", "stance": "retry"}

    def attempt(queue_id: str, outcome: str, **more: Any) -> None:
        ask(pacer, f"{queue_id}.test", now)
        line = evidence(outcome, queue_id=queue_id, domain=f"{queue_id}.test", time=now,
                        group=(now,), **more)  # fmt: skip
        pacer.observe(line, now)

    for number in range(30):
        attempt(f"q{number}", "deferred", **grey)
    tries: list[float] = []
    while pacer.book.waiting(BIG) and now < NOW + 1000:
        now += 1
        for release in pacer.due(now):
            late = now - NOW >= 60  # what the receiver wants
            if release.queue_id == "q0":
                tries.append(now - NOW)
            attempt(release.queue_id, "sent" if late else "deferred", **({} if late else grey))
    assert now - NOW <= 60 * 1.5 * 1.05 + 3
    assert len(tries) <= 6


def test_the_retry_table_lengthens_with_each_refusal() -> None:
    """Without a hint the table's next interval is taken; the operator's table comes first."""
    pacer = controller(retry={BIG.receiver: {"recipient.full": (10.0, 40.0)}})
    now = NOW
    for interval in (10.0, 40.0, 40.0):
        ask(pacer, "d1.test", now)
        grey = evidence("deferred", queue_id="G", category="recipient.full", scope="recipient",
                        stance="retry", time=now, group=(now,))  # fmt: skip
        pacer.observe(grey, now)
        assert pacer.due(now + interval - 0.1) == []
        now += interval + 0.1
        assert [release.queue_id for release in pacer.due(now)] == ["G"]


def test_echoes_of_a_refusal_at_the_door_wait_with_the_lane() -> None:
    """What Postfix did not even try goes into the book, and is no refusal."""
    pacer = controller()
    ask(pacer, "d1.test", NOW)
    pacer.observe(evidence("deferred", queue_id="Q0"), NOW)
    for number in range(1, 30):
        pacer.observe(evidence("suspended", queue_id=f"Q{number}", reply="421 slow down"), NOW)
    assert pacer.lane(BIG, NOW).refused_total == 1
    assert pacer.book.waiting(BIG) == 30


def test_after_connection_failures_one_message_probes() -> None:
    """Nobody answers: one release tries, the others stay where they are."""
    pacer = controller()
    for number in range(25):
        ask(pacer, f"d{number}.test", NOW)
        failure = evidence(
            "deferred", queue_id=f"Q{number}", domain=f"d{number}.test", category="net.timeout",
            scope="receiver", stance="retry", origin="local",
            reply="connect to mx.big.test[192.0.2.1]:25: Connection timed out",
        )  # fmt: skip
        pacer.observe(failure, NOW)
    assert pacer.peek(BIG, NOW + 1) == "suspended"
    assert pacer.due(NOW + 20) == []
    assert len(pacer.due(NOW + 40)) == 1
    assert pacer.due(NOW + 41) == []


def test_a_message_about_to_expire_gets_a_real_attempt() -> None:
    """However long the lane is closed: before the end of its life it is tried once."""
    pacer = controller(queue_lifetime=10_000.0, last_chance=1000.0, longest_hold=1e9)
    pacer.pin(BIG.receiver, "suspended", 1e6, NOW)
    hold(pacer, "OLD", "d1.test", NOW, arrived=NOW)
    assert pacer.due(NOW + 8999) == []
    (release,) = pacer.due(NOW + 9001)
    assert (release.queue_id, release.why) == ("OLD", "age")
    assert ask(pacer, "d1.test", NOW + 9002)
    assert pacer.due(NOW + 9100) == []  # once


def test_the_queue_is_the_truth() -> None:
    """What the queue holds and the book does not is added, what has left it is dropped."""
    pacer = slowed(1.0)
    hold(pacer, "GONE", "d1.test", NOW)
    queue = [
        Queued("NEW", NOW - 50, "s.example", (("d7.test", 3),)),
        Queued("OTHER", NOW, "", ()),
    ]
    changed = pacer.reconcile(queue, lambda domain: BIG.receiver, NOW + 5, NOW + 6)
    assert changed == (1, 1)
    assert [message.queue_id for message in pacer.book] == ["NEW"]
    assert [release.queue_id for release in pacer.due(NOW + 10)] == ["NEW"]


def test_after_off_everything_goes_and_nothing_is_held() -> None:
    """`mxheed off` lets go of what waits, as fast as the hand may, and admits all."""
    pacer = slowed(0.01)
    for number in range(10):
        hold(pacer, f"Q{number}", "d1.test", NOW)
    pacer.retire(NOW)
    assert len(pacer.due(NOW, 4)) == 4
    assert len(pacer.due(NOW, 100)) == 6
    assert all(ask(pacer, "d1.test", NOW) for _ in range(10))


def test_everything_learnt_survives_a_restart_as_plain_json() -> None:
    """State, rate, ceiling, reasons and hints come back; the bucket starts empty."""
    before = slowed(5.0)
    ask(before, "d1.test", NOW + 1)
    before.observe(evidence("deferred", queue_id="Q9", time=NOW + 1), NOW + 1)
    grey = evidence("deferred", queue_id="G", domain="g.test", category="flow.greylist",
                    scope="recipient", stance="retry", retry_after=600.0)  # fmt: skip
    before.observe(grey, NOW + 1)
    saved = json.loads(json.dumps(before.snapshot(NOW + 1)))
    after = controller()
    after.restore(saved, NOW + 2)
    (told,) = after.explain(BIG.receiver, NOW + 2)
    assert told.state == "suspended"
    assert told.grounds[0].reply == "421 4.7.0 slow down"
    assert not ask(after, "d1.test", NOW + 2)
    state = after.lane(BIG, NOW + 2)
    assert after.peek(BIG, state.until) == "probing"
    after.observe(evidence(queue_id="P", time=state.until), state.until)
    assert state.state == "slowed"
    assert state.bucket is not None
    assert 3.0 < state.bucket.rate < 5.0  # below what was refused before the restart
    assert "G" in [release.queue_id for release in after.due(NOW + 602)]


KEYS = st.sampled_from(["lane", "state", "rate", "reasons", "speed", "patience", "window"])
PLAIN = st.none() | st.integers() | st.text()


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_a_snapshot_of_another_shape_is_no_knowledge_but_no_harm(saved: Any) -> None:
    """A strange lane in a snapshot is left out; the version guards the rest."""
    pacer = controller()
    pacer.restore({"version": 1, "lanes": [saved] if not isinstance(saved, list) else saved}, NOW)
    assert ask(pacer, "d1.test", NOW)


def test_new_settings_keep_what_was_learnt() -> None:
    """A reload changes the limits, not the memory."""
    pacer = slowed(5.0)
    hold(pacer, "Q1", "d1.test", NOW)
    pacer.use(controller(ceiling=2.0).settings, NOW)
    assert pacer.peek(BIG, NOW) == "slowed"
    assert len(pacer.book) == 1
    assert pacer.lane(Lane("", "mx:new.test"), NOW).speed.top == 2.0


def test_an_explanation_tells_rule_reply_numbers_and_what_comes_next() -> None:
    """One readable paragraph, and the same as plain values."""
    pacer = slowed(5.0)
    ask(pacer, "d1.test", NOW + 1)
    pacer.observe(evidence("deferred", queue_id="Q9", time=NOW + 1), NOW + 1)
    (told,) = pacer.explain(BIG.receiver, NOW + 2)
    for words in ("mx:big.test", "suspended", "generic.rate", "421 4.7.0 slow down", "probes"):
        assert words in told.text
    assert json.loads(json.dumps(told.as_json()))["refused"] == 1
    assert pacer.troubled(NOW + 2) == [told]
