"""What waits is told apart by whose doing it is, and counted right whatever happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policyd.throttle import Lane
from policyd.throttle.book.holdbook import HoldBook
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence, hold, slowed

LANES = (BIG, Lane("two", "mx:big.test"), Lane("", "google"))
IDS = st.integers(0, 6).map("Q{}".format)
DEEDS = st.tuples(
    st.sampled_from(["held", "deferred", "release", "put_back", "settle", "drop"]),
    IDS,
    st.sampled_from(LANES),
    st.sampled_from(["a.test", "b.test"]),
)


def recount(book: HoldBook, lane: Lane) -> tuple[int, int, float | None]:
    """Parts that are held, parts that are deferred, the oldest held: by looking at them all."""
    parts = [p for message in book for p in message.parts.values() if p.lane == lane]
    since = [part.since for part in parts if part.held]
    return len(since), len(parts) - len(since), min(since, default=None)


@given(st.lists(DEEDS, max_size=120))
def test_the_sums_are_those_of_the_messages(deeds: list[tuple[str, str, Lane, str]]) -> None:
    """After any history the numbers are what counting every part by hand gives."""
    book = HoldBook(5, lambda klass: 1.0)
    for step, (deed, queue_id, lane, domain) in enumerate(deeds):
        now = NOW + step
        message = book.get(queue_id)
        if deed in ("held", "deferred"):
            book.wait(book.message(queue_id, now), lane, domain, now, now, held=deed == "held")
        elif deed == "drop":
            book.drop(queue_id)
        elif message is not None and deed == "release":
            book.release(message, now)
        elif message is not None and deed == "put_back":
            book.put_back(message, list(message.pending.values()), now, now)
        elif message is not None:
            book.settle(message, lane, domain)
    for lane in LANES:
        held, deferred, oldest = recount(book, lane)
        assert book.waits.held_for(lane) == held
        assert book.waiting(lane) == held + deferred
        assert book.waits.oldest(lane) == oldest
    kinds = [any(p.held for p in message.parts.values()) for message in book if message.parts]
    assert (book.waits.held, book.waits.deferred) == (kinds.count(True), kinds.count(False))


def test_what_a_receiver_defers_is_no_hold_of_ours() -> None:
    """A message that was tried and deferred waits by the receiver's doing."""
    pacer = controller()
    pacer.observe(evidence("deferred", category="flow.greylist", stance="retry"), NOW)
    assert (pacer.book.waits.held, pacer.book.waits.deferred) == (0, 1)
    assert pacer.book.waits.oldest(BIG) is None


def test_what_the_gate_holds_is() -> None:
    """A message the gate held waits by our doing, and its age is known."""
    pacer = slowed(1.0)
    hold(pacer, "Q1", "d1.test", NOW)
    assert (pacer.book.waits.held, pacer.book.waits.deferred) == (1, 0)
    assert pacer.book.waits.oldest(BIG) == NOW


def test_a_hold_that_was_tried_and_deferred_is_theirs_from_then_on() -> None:
    """Held, let go, tried, deferred: the last one who said no is named."""
    pacer = slowed(1.0)
    hold(pacer, "Q1", "d1.test", NOW)
    assert pacer.due(NOW + 1.1)
    assert pacer.admit(BIG, "d1.test", NOW + 1.2).attempt
    later = NOW + 1.4
    pacer.observe(evidence("deferred", category="flow.greylist", stance="retry", time=later), later)
    assert (pacer.book.waits.held, pacer.book.waits.deferred) == (0, 1)


def test_the_memory_of_ages_is_bounded() -> None:
    """One message held and let go for ever leaves no trail."""
    book = HoldBook(5, lambda klass: 1.0)
    message = book.message("Q1", NOW)
    for step in range(5000):
        book.wait(message, BIG, "a.test", NOW + step, NOW, held=True)
        book.release(message, NOW + step)
    book.wait(message, BIG, "a.test", NOW, NOW, held=True)
    assert book.waits.oldest(BIG) == NOW
    assert len(book.waits._lanes[BIG].since) < 200
