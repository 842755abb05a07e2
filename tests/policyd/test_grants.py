"""A promised place is for the message it was promised to, where it can be seen who asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.throttle import Controller
from policyd.throttle.book.grants import Who
from policyd.throttle.book.queueid import Locked, inode_of, locked
from tests.policyd.throttle_parts import BIG, NOW, hold, slowed

_BASE = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
DOMAIN = "d1.test"


def based(number: int, base: int) -> str:
    text = ""
    while number or not text:
        number, digit = divmod(number, base)
        text = _BASE[digit] + text
    return text


@given(st.integers(1, 2**64 - 1), st.integers(0, 999_999), st.integers(10**9, 10**10))
def test_both_forms_of_a_queue_id_name_the_inode(inode: int, micro: int, second: int) -> None:
    """As Postfix makes them."""
    long = based(second, 52) + based(micro, 52).rjust(4, "0") + "z" + based(inode, 51)
    assert inode_of(long) == inode
    assert inode_of(f"{micro:05X}{inode:X}"[: 5 + len(f"{inode:X}")]) == inode


@pytest.mark.parametrize(
    ("queue_id", "inode"),
    [("2C0C923C7DF", 0x23C7DF), ("4jcBLw3WDjzKdm1", 0x23C01D), ("0000000000", None)]
    + [
        (bad, None) for bad in ("", "z", "AB", "2c0c923c7df", "1rTqGh-0000-1", "4jcBLw3WDjz", "AAE")
    ],
)
def test_ids_seen_in_real_logs_and_what_is_none(queue_id: str, inode: int | None) -> None:
    """Exim's names, cut ones and lower case name no inode."""
    assert inode_of(queue_id) == inode


@given(st.text(max_size=40))
def test_any_text_is_read_or_is_none(text: str) -> None:
    """Never an error, and no inode below 1."""
    assert (inode_of(text) or 1) >= 1
    assert locked(text) is None or text.endswith(str(locked(text).inode))  # type: ignore[union-attr]


def test_a_line_of_locks_names_device_and_inode() -> None:
    """And nothing else does."""
    assert locked("00:2f:2342879") == Locked("00:2f", 2342879)
    assert [locked(other) for other in (None, "one", 7, "00:2f:", "2342879")] == [None] * 5


def asks(inode: int, device: str = "00:2f") -> Who:
    return lambda: Locked(device, inode)


def nobody() -> None:
    """Who asks is not seen."""


def promised(*inodes: int) -> Controller:
    """Messages of one domain that were let go in this order."""
    pacer = slowed(1000.0)
    for inode in inodes:
        hold(pacer, f"00000{inode:X}", DOMAIN, NOW)
    assert len(pacer.due(NOW + 1, 10)) == len(inodes)
    return pacer


def on_the_way(pacer: Controller) -> list[int | None]:
    """Whose promise is out still."""
    grants = pacer._grants.out.get((BIG, DOMAIN), ())
    return [grant.inode for grant in grants if grant.expires]


def ask(pacer: Controller, who: Who, now: float = NOW + 1.1) -> None:
    pacer.admit(BIG, DOMAIN, now, who=who)


def test_each_message_takes_its_own_place_in_any_order() -> None:
    """Others that ask for the domain meanwhile take none."""
    pacer = promised(0xA1, 0xB2, 0xC3)
    ask(pacer, asks(0xB2))
    assert on_the_way(pacer) == [0xA1, 0xC3]
    ask(pacer, asks(0xF6))
    ask(pacer, asks(0xB2))
    assert on_the_way(pacer) == [0xA1, 0xC3]
    ask(pacer, asks(0xC3))
    ask(pacer, asks(0xA1))
    assert on_the_way(pacer) == []
    assert pacer.promises == {"message": 3, "domain": 0, "other": 2}
    assert pacer.lane(BIG, NOW + 1.1).granted == 0


def test_where_nobody_is_seen_the_first_question_takes_the_oldest_place() -> None:
    """As it must be with a map behind proxymap, or over TCP."""
    pacer = promised(0xA1, 0xB2)
    ask(pacer, nobody)
    assert on_the_way(pacer) == [0xB2]
    assert pacer.promises == {"message": 0, "domain": 1, "other": 0}


def test_inodes_that_never_fitted_shut_nobody_out() -> None:
    """Where locks number files otherwise than queue ids, the domain decides; device by device."""
    pacer = promised(0xA1, 0xB2, 0xC3)
    ask(pacer, asks(0xF6))
    assert on_the_way(pacer) == [0xB2, 0xC3]
    ask(pacer, asks(0xC3))
    ask(pacer, asks(0xF6))
    assert on_the_way(pacer) == [0xB2]
    ask(pacer, asks(0xF6, "08:01"))
    assert on_the_way(pacer) == []


def test_a_promise_that_was_lost_ends_the_belief() -> None:
    """What fitted once may not fit any more: until it fits again, the domain decides."""
    pacer = promised(0xA1, 0xB2)
    ask(pacer, asks(0xA1))
    late = NOW + 1 + pacer.settings.grant + 0.1
    pacer.due(late, 0)
    assert pacer.counts["grant.expired"] == 1
    assert len(pacer.due(late + 10, 10)) == 1
    ask(pacer, asks(0xF6), late + 10.1)
    assert on_the_way(pacer) == []


def test_nobody_is_looked_at_while_nothing_was_promised() -> None:
    """A look costs; a free receiver without held mail needs none, nor does another domain."""
    looks: list[int] = []

    def who() -> Locked | None:
        looks.append(1)
        return None

    pacer = promised(0xA1)
    pacer.admit(BIG, "other.test", NOW + 1.1, who=who)
    assert looks == []
    ask(pacer, who)
    ask(pacer, who)
    assert looks == [1]
