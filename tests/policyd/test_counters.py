"""Counters: bounded, monotone, saved by what changed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.counting.counters import EARNED, OTHER, Counters
from policyd.counting.histogram import single
from policyd.counting.receivercounts import Change


def count(counters: Counters, receiver: str, outcome: str = "deferred") -> None:
    tally = counters.tally(receiver)
    tally.add_outcome(outcome)
    tally.dirty = True


def total(counters: Counters) -> float:
    return sum(counters.deliveries().values())


def test_known_receivers_always_have_a_row() -> None:
    """Receivers the rules name are never lumped together."""
    counters = Counters(receivers=4)
    for number in range(100):
        count(counters, f"mx:tail{number}.example")
    count(counters, "google")
    assert counters.deliveries()["google", "deferred"] == 1


def test_the_first_unknown_receivers_get_rows_at_once() -> None:
    """A small site never sees "other"."""
    counters = Counters(receivers=10)
    for number in range(5):
        count(counters, f"mx:d{number}.example")
    assert OTHER not in counters.tallies


def test_later_receivers_earn_their_row() -> None:
    """When half of the rows are given away, a row takes some attempts."""
    counters = Counters(receivers=4)
    for receiver in ("mx:a", "mx:b"):
        count(counters, receiver)
    for _ in range(EARNED + 5):
        count(counters, "mx:late")
    found = counters.deliveries()
    assert found[OTHER, "deferred"] == EARNED - 1
    assert found["mx:late", "deferred"] == 6


@given(st.lists(st.integers(0, 60), max_size=600))
def test_rows_are_bounded_and_nothing_is_lost(numbers: list[int]) -> None:
    """However many receivers come, rows stay within the bound and the sum is exact."""
    counters = Counters(receivers=6)
    for number in numbers:
        count(counters, f"mx:d{number}.example")
    assert len(counters.tallies) <= 7
    assert total(counters) == len(numbers)


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(0, 300))
def test_numbers_only_grow(numbers: list[int], at: int) -> None:
    """No exported number ever falls."""
    counters = Counters(receivers=4)
    before: dict[tuple[str, ...], float] = {}
    for number in numbers:
        count(counters, f"mx:d{number}.example")
        now = counters.deliveries()
        assert all(now[key] >= value for key, value in before.items())
        before = now


def test_candidates_do_not_pile_up() -> None:
    """Receivers seen once are forgotten again."""
    counters = Counters(receivers=4)
    for number in range(10_000):
        count(counters, f"mx:once{number}.example")
    assert len([row for row in counters.dump() if row[0] == "candidate"]) <= 16
    assert total(counters) == 10_000


def some_counters() -> Counters:
    counters = Counters(receivers=4)
    for number, receiver in enumerate(["google", "mx:a", "mx:b", *["mx:c"] * 30, "mx:d", "mx:e"]):
        tally = counters.tally(receiver)
        tally.sent += number
        tally.accepted += number
        tally.add_outcome("bounced")
        tally.add_reply("recipient.unknown", "rcpt")
        tally.unclassified += number % 2
        tally.delays[0] += single(0.7)
        tally.dirty = True
    counters.lines, counters.unparsed, counters.gap_bytes, counters.last_time = 99, 2, 7, 1_795_000
    return counters


def through_json(rows: list[Change]) -> list[Change]:
    """What the state file gives back."""
    return [
        (family, tuple(labels), value) for family, labels, value in json.loads(json.dumps(rows))
    ]


def test_dump_and_load() -> None:
    """All that is dumped comes back, through JSON."""
    counters = some_counters()
    loaded = Counters(receivers=4)
    loaded.load(through_json(counters.dump()))
    assert loaded.dump() == counters.dump()
    assert loaded.delays() == counters.delays()
    assert loaded.replies() == counters.replies()
    assert loaded.unclassified() == counters.unclassified()


def test_a_loaded_object_goes_on_like_the_saved_one() -> None:
    """Who earns a row does not depend on restarts."""
    counters, restarted = Counters(receivers=4), Counters(receivers=4)
    for number in [*range(12), *[3, 4, 5] * 30]:
        count(counters, f"mx:d{number}")
        count(restarted, f"mx:d{number}")
        again = Counters(receivers=4)
        again.load(through_json(restarted.dump()))
        restarted = again
    assert dict(restarted.deliveries()) == dict(counters.deliveries())


def saved_state(saved: dict[tuple[str, tuple[str, ...]], object], rows: list[Change]) -> None:
    """What the state file does with changes: absolute values, 0 is no row."""
    for family, labels, value in rows:
        if value == 0:
            saved.pop((family, labels), None)
        else:
            saved[family, labels] = value


@given(st.lists(st.tuples(st.integers(0, 25), st.booleans(), st.booleans()), max_size=200))
def test_changes_add_up_to_everything(steps: list[tuple[int, bool, bool]]) -> None:
    """Taking changes at any time, also when some writes fail, leaves what a dump would."""
    counters = Counters(receivers=4)
    saved: dict[tuple[str, tuple[str, ...]], object] = {}
    for number, take, fail in steps:
        count(counters, f"mx:d{number}")
        counters.lines += 1
        if take:
            rows = counters.take()
            if fail:
                counters.put_back(rows)
            else:
                saved_state(saved, rows)
    saved_state(saved, counters.take())
    everything: dict[tuple[str, tuple[str, ...]], object] = {}
    saved_state(everything, counters.dump())
    assert saved == everything


def test_nothing_new_means_no_changes() -> None:
    """What was taken is not given again."""
    counters = Counters()
    count(counters, "google")
    assert counters.take()
    assert counters.take() == []
    count(counters, "google")
    assert [row[1] for row in counters.take()] == [("google", "deferred")]


@pytest.mark.parametrize(
    "row",
    [
        ("colours", ("google",), 1),
        ("delay", ("google", "total"), [1, 2]),
        ("delay", ("google", "total"), 1),
        ("deliveries", ("google", "sent"), [1]),
        ("deliveries", ("google",), 1),
        ("deliveries", (), 1),
        ("total", (), 1),
    ],
)
def test_rows_of_another_kind_are_given_back(row: Change) -> None:
    """What is no counter is not taken for one, and does not keep the others from being taken."""
    counters = Counters()
    good: Change = ("deliveries", ("google", "bounced"), 3)
    assert counters.load([row, good]) == [row]
    assert counters.deliveries() == {("google", "bounced"): 3}


@pytest.mark.parametrize(
    "read", [Counters.deliveries, Counters.replies, Counters.unclassified, Counters.delays]
)
def test_empty_counters_export_nothing(read: Callable[[Counters], object]) -> None:
    """There is no row before there was an attempt."""
    assert read(Counters()) == {}
