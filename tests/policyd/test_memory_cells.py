"""Cells of the memory: what they hold, how they add up, and that they are of the log's minutes."""

from __future__ import annotations

import random
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.counting.counters import Counters
from policyd.counting.histogram import DELAY_BOUNDS, single
from policyd.counting.receivercounts import DELAY_PARTS
from policyd.memory.cell import DELAY_SUM, add, pack, parted, spelled, unpack
from policyd.memory.cells import DAY, Cells
from policyd.memory.pieces import pieces

NUMBERS = st.dictionaries(st.integers(0, 2**16), st.integers(0, 2**60), max_size=20)
DELAYS = st.lists(st.floats(0, 1e6), max_size=30)
NOW = 30_000_000  # a minute


@given(NUMBERS)
def test_a_cell_comes_back_from_its_bytes(cell: dict[int, int]) -> None:
    """Whatever numbers it holds."""
    assert unpack(pack(cell)) == cell


@given(st.binary(max_size=40))
def test_bytes_that_are_no_cell_are_an_error_or_a_cell(data: bytes) -> None:
    """A damaged file breaks nothing: ValueError is all that comes."""
    try:
        cell = unpack(data)
    except ValueError:
        return
    assert all(number >= 0 for number in cell.values())


@given(st.lists(DELAYS, min_size=1, max_size=4), st.randoms())
def test_merged_histograms_are_the_histogram_of_all(
    groups: list[list[float]], order: random.Random
) -> None:
    """Minutes put together in any order hold the delays that an hour counted at once holds."""
    cells = [dict(spelled(sum(single(delay) for delay in group))) for group in groups]
    order.shuffle(cells)
    merged: dict[str, int] = {}
    for cell in cells:
        add(merged, cell)
    every = [delay for group in groups for delay in group]
    assert merged == dict(spelled(sum(single(delay) for delay in every)))
    assert sum(n for word, n in merged.items() if word != DELAY_SUM) == len(every)


@given(st.lists(st.lists(st.integers(0, 10**8), min_size=4, max_size=4), max_size=20), st.data())
def test_merged_parts_are_the_parts_of_all(
    milliseconds: list[list[int]], data: st.DataObject
) -> None:
    """Cut anywhere, the sums of before queue, in queue, connection and transmission add up."""
    cut = data.draw(st.integers(0, len(milliseconds)))
    merged: dict[str, int] = {}
    for group in (milliseconds[:cut], milliseconds[cut:]):
        columns = [sum(single(one[part] / 1000) for one in group) for part in range(4)]
        add(merged, dict(parted([*columns, 0])))
    told = dict(zip(DELAY_PARTS, map(sum, zip(*milliseconds, strict=True)), strict=False))
    expected = {f"part {part}": number for part, number in told.items() if number}
    assert merged == expected | ({"part count": len(milliseconds)} if milliseconds else {})


@given(st.lists(st.integers(0, 9), max_size=80), st.booleans())
def test_a_block_is_cut_where_a_minute_begins(minutes: list[int], exim: bool) -> None:
    """Each minute's lines in one piece, in order, and nothing is lost; in both kinds of stamps."""
    form = "2026-02-03 04:%02d:07 1abc => x" if exim else "Feb  3 04:%02d:07 mx1 postfix/smtp: x"
    lines = [f"{form % minute} {n}\n".encode() for n, minute in enumerate(sorted(minutes))]
    found = list(pieces(b"".join(lines)))
    assert b"".join(piece for _, piece in found) == b"".join(lines)
    expected = [b"".join(group) for _, group in groupby(lines, lambda line: line.split(b":")[1])]
    assert [piece for _, piece in found if piece] == expected


@given(st.lists(st.sampled_from([b"\n", b"x\n", b"Feb  3 04:05:07 a\n", b"Feb  3 04:06:07 b\n"])))
def test_a_block_of_anything_loses_no_line(lines: list[bytes]) -> None:
    """Lines without a stamp, or back in time: cut somewhere, between lines, and all there."""
    found = [piece for _, piece in pieces(b"".join(lines))]
    assert b"".join(found) == b"".join(lines)
    assert all(piece.endswith(b"\n") for piece in found if piece)


def count(counters: Counters, receiver: str, sent: int, deferred: int = 0) -> None:
    tally = counters.tally(receiver)
    tally.sent += sent
    tally.accepted += sent
    tally.delays[-1] += sent * single(0.3)
    for part in range(4):
        tally.delays[part] += sent * single((0.05, 0.0, 0.1, 0.15)[part])
    for _ in range(deferred):
        tally.add_outcome("deferred")
        tally.add_reply("flow.rate", "rcpt")
    tally.dirty = True


def test_what_is_counted_belongs_to_the_minute_that_is_swept() -> None:
    """The difference to what the counters were before, by outcome, reply and delay."""
    counters, cells = Counters(), Cells()
    count(counters, "google", 5)
    cells.begin(counters.tallies)  # an earlier run has remembered this
    count(counters, "google", 2, 1)
    cells.sweep(counters.tallies, NOW)
    count(counters, "google", 1)
    cells.sweep(counters.tallies, NOW + 1)
    assert cells.take(NOW + 1).minutes == {
        (NOW, "google"): {
            "sent": 2, "reply accepted": 2, "deferred": 1, "reply flow.rate": 1,
            "delay 2": 2, "delay sum": 600_000, "part count": 2, "part before_queue": 100,
            "part connect": 200, "part send": 300,
        },
        (NOW + 1, "google"): {
            "sent": 1, "reply accepted": 1, "delay 2": 1, "delay sum": 300_000, "part count": 1,
            "part before_queue": 50, "part connect": 100, "part send": 150,
        },
    }  # fmt: skip
    assert cells.take(NOW + 1) == ({}, {})
    assert DELAY_BOUNDS[1] < 0.3 <= DELAY_BOUNDS[2]


def test_where_the_log_tells_no_parts_none_are_remembered() -> None:
    """Exim logs the whole delay only: nothing is made up, and nothing counted as told."""
    counters, cells = Counters(), Cells()
    counters.tally("google").delays[-1] += single(0.3)
    counters.tally("google").dirty = True
    cells.sweep(counters.tallies, NOW)
    assert cells.take(NOW).minutes == {(NOW, "google"): {"delay 2": 1, "delay sum": 300_000}}


def test_a_line_that_only_a_callback_hears_of_is_seen() -> None:
    """A reply without a delivery ("tried") changes no outcome, and is remembered."""
    counters, cells = Counters(), Cells()
    counters.tally("google").add_reply("flow.rate", "rcpt")
    counters.tally("google").dirty = True
    cells.sweep(counters.tallies, NOW)
    assert cells.take(NOW).minutes == {(NOW, "google"): {"reply flow.rate": 1}}


def test_what_is_older_than_a_day_is_of_its_hour() -> None:
    """A backlog of weeks makes no cell for each of its minutes."""
    counters, cells = Counters(), Cells()
    for minute in range(120):
        count(counters, "google", 1)
        cells.sweep(counters.tallies, NOW - DAY - 180 + minute)
    taken = cells.take(NOW)
    assert taken.minutes == {}
    assert sum(cell["sent"] for cell in taken.hours.values()) == 120
    assert len(taken.hours) <= 3


@pytest.mark.parametrize("failures", [1, 30])
def test_what_cannot_be_written_waits_and_is_bounded(failures: int) -> None:
    """Nothing is lost while there is room: minutes become hours, and only then the oldest go."""
    counters, cells, most = Counters(), Cells(most=50), 50
    for failure in range(failures):
        for minute in range(100):
            count(counters, "google", 1)
            cells.sweep(counters.tallies, NOW + failure * 100 + minute)
        taken = cells.take(NOW)
        assert len(taken.minutes) <= most
        assert len(taken.hours) <= most
        cells.put_back(taken)
    taken = cells.take(NOW)
    every = [*taken.minutes.values(), *taken.hours.values()]
    assert sum(cell["sent"] for cell in every) == 100 * failures
    assert cells.lost == 0


def test_a_loss_is_counted() -> None:
    """When a disk is away for longer than there is room for, it is told how much is lost."""
    counters, cells = Counters(), Cells(most=10)
    for hour in range(40):
        count(counters, "google", 1)
        cells.sweep(counters.tallies, NOW + hour * 60)
        cells.put_back(cells.take(NOW + hour * 60))
    taken = cells.take(NOW + 40 * 60)
    assert cells.lost == 40 - len(taken.minutes) - len(taken.hours) > 0
