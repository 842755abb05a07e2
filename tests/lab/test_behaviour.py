"""The scripted receivers' arithmetic, without sockets."""

from __future__ import annotations

import pytest

from tests.lab.behaviour import Behaviour, Rcpt, make

BUSY = "421 4.7.28 too fast"


def refusals(behaviour: Behaviour, times: list[float], nth: int = 1) -> list[bool]:
    """Ask for one message at each time; was it refused?"""
    return [behaviour.rcpt(Rcpt("peer", "s@x", "r@y", nth), now) is not None for now in times]


def test_a_window_counts_again_from_its_next_beginning() -> None:
    """Two messages a window: the third is refused, the next window takes two again."""
    window = make("window", limit=2, per=2.0, reply=BUSY)
    assert refusals(window, [0, 0.5, 1.9, 2.0, 2.1, 3.9]) == [False, False, True] * 2


def test_further_recipients_of_a_message_are_no_further_messages() -> None:
    """A rate counts messages: second recipients pass."""
    window = make("window", limit=1, per=2.0, reply=BUSY)
    assert refusals(window, [0.0]) == [False]
    assert refusals(window, [0.1], nth=2) == [False]
    assert refusals(window, [0.2]) == [True]


def test_each_refusal_begins_the_penalty_anew() -> None:
    """Whoever goes on asking while blocked stays blocked; whoever waits does not."""
    sliding = make("sliding", limit=1, per=1.0, reply=BUSY, penalty=5.0)
    assert refusals(sliding, [0, 0.5, 5.4, 10.3, 15.2]) == [False, True, True, True, True]
    patient = make("sliding", limit=1, per=1.0, reply=BUSY, penalty=5.0)
    assert refusals(patient, [0, 0.5, 5.6]) == [False, True, False]


def test_a_block_turns_the_address_away_at_connect() -> None:
    """Over the limit, even the greeting is a refusal, for as long as the block lasts."""
    blocking = make("blocking", limit=1, per=1.0, reply=BUSY, block=60.0)
    assert refusals(blocking, [0, 0.5]) == [False, True]
    assert blocking.connect("peer", 1, 30.0) is not None
    assert blocking.connect("other", 1, 30.0) is None
    assert blocking.connect("peer", 1, 61.0) is None


def test_greylisting_says_how_long_it_still_takes() -> None:
    """The hint is what is left of the delay, rounded up."""
    grey = make("greylist", delay=300.0, hint=True)
    asked = Rcpt("peer", "s@x", "r@y", 1)
    assert grey.rcpt(asked, 0.0) == "450 4.2.0 Greylisted; retry=00:05:00"
    assert grey.rcpt(asked, 100.5) == "450 4.2.0 Greylisted; retry=00:03:20"
    assert grey.rcpt(asked, 300.0) is None


def test_an_unknown_behaviour_is_refused_by_name() -> None:
    """A typing error in a test does not become an accepting receiver."""
    with pytest.raises(ValueError, match="no behaviour is called 'acept'; there are: accept"):
        make("acept")
