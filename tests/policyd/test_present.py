"""Which message has which queue file: known surely, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policyd.throttle.book.present import Present


def name(serial: int, inode: int) -> str:
    """A queue id as Postfix makes it."""
    return f"{serial:05X}{inode:X}"


def test_a_message_is_known_by_its_queue_file() -> None:
    """From its line in the log until it has left."""
    present = Present()
    assert present.of(7) is None
    present.told(name(1, 7), "a.example")
    assert present.of(7) == name(1, 7)
    assert present.sender(name(1, 7)) == "a.example"
    present.left(name(1, 7))
    assert present.of(7) is None


def test_a_file_that_is_used_again_at_once_is_its_new_message() -> None:
    """Lines of one block: one leaves, the next one has its inode; what is told later is late."""
    present = Present()
    present.told(name(1, 7), "a.example")
    assert present.of(7)
    present.left(name(1, 7))
    present.told(name(2, 7), "b.example")
    present.left(name(1, 7))
    present.pop(name(1, 7))
    assert present.of(7) == name(2, 7)


def test_a_file_that_two_claim_is_nobodys() -> None:
    """The line of one's leaving was lost, or there are two queues: no guess, until one is told."""
    present = Present()
    present.told(name(1, 7), "a.example")
    present.told(name(2, 7), "b.example")
    assert present.of(7) is None
    present.left(name(2, 7))
    assert present.of(7) is None
    present.told(name(3, 7), "c.example")
    assert present.of(7) is None
    present.left(name(3, 7))
    present.told(name(1, 7), "a.example")
    assert present.of(7) == name(1, 7)


def test_an_exim_message_has_no_queue_file() -> None:
    """Its name tells no inode, and its sender all the same."""
    present = Present()
    present.told("1tEIvD-00000000Fle-2mzj", "a.example")
    assert present.of(7) is None
    assert present.sender("1tEIvD-00000000Fle-2mzj") == "a.example"


def test_what_is_never_asked_is_not_kept_up() -> None:
    """And sorted out again at the next question; a forgotten message is not known."""
    present = Present(most=80)
    present.told(name(1, 7), "")
    assert present.of(7) == name(1, 7)
    for number in range(60_000):
        present.told(name(2, 100 + number), "")
    assert present.of(7) is None
    assert present.of(100 + 59_999) == name(2, 100 + 59_999)


def test_a_full_queue_can_be_asked() -> None:
    """As many messages as are remembered, all told before the first question."""
    present = Present()
    for number in range(100_000):
        present.told(name(1, 1 + number), "")
    assert present.of(1) == name(1, 1)
    assert present.of(100_000) == name(1, 100_000)


@given(st.lists(st.tuples(st.sampled_from("tlq"), st.integers(1, 4)), max_size=60))
def test_it_never_names_a_message_that_left(steps: list[tuple[str, int]]) -> None:
    """Whatever comes, with questions between or without."""
    present, here, serial = Present(), dict[int, set[str]](), 0
    for what, inode in steps:
        inside = here.setdefault(inode, set())
        if what == "t":
            serial += 1
            inside.add(name(serial, inode))
            present.told(name(serial, inode), "")
        elif what == "l" and inside:
            gone = inside.pop()
            present.left(gone)
            present.pop(gone)
        else:
            found = present.of(inode)
            assert found is None or inside == {found}
