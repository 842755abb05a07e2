"""A histogram is one integer, and adding integers is adding histograms."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.counting.histogram import DELAY_BOUNDS, FIELDS, LONGEST, gather, single, spread


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.1, 0), (0.11, 1), (1.0, 3), (43200.0, 12), (43201.0, 13), (LONGEST, 13)],
)
def test_buckets_include_their_bound(seconds: float, bucket: int) -> None:
    """A delay equal to a bound belongs to the bucket of that bound."""
    *counts, total = spread(single(seconds))
    assert counts == [int(number == bucket) for number in range(len(DELAY_BOUNDS) + 1)]
    assert total == round(seconds * 1_000_000)


@given(st.lists(st.floats(0, LONGEST), max_size=60))
def test_adding_up_is_counting(delays: list[float]) -> None:
    """The sum of many is what counting them one by one gives, in every field."""
    *counts, total = spread(sum(map(single, delays)))
    edges = [-1.0, *DELAY_BOUNDS, LONGEST]
    rounded = [round(seconds * 1_000_000) / 1_000_000 for seconds in delays]
    assert counts == [
        sum(low < seconds <= high for seconds in rounded) for low, high in pairwise(edges)
    ]
    assert total == sum(round(seconds * 1_000_000) for seconds in delays)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=FIELDS, max_size=FIELDS))
def test_there_and_back(fields: list[int]) -> None:
    """What was saved is loaded again."""
    assert spread(gather(fields)) == fields


@pytest.mark.parametrize("seconds", [1e10, 1e300, float("inf")])
def test_no_delay_is_longer_than_the_longest(seconds: float) -> None:
    """A number nobody can have measured does not drown all others."""
    assert single(seconds) == single(LONGEST)


def test_other_lists_are_refused() -> None:
    """What is no histogram does not become one."""
    with pytest.raises(ValueError, match="no counts"):
        gather([1, 2, 3])
