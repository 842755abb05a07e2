"""gzip for /metrics: the same page, only where it is asked for, in small steps."""

from __future__ import annotations

import gzip
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.serve.turns import Steps, finish
from policyd.web.packing import packed, takes_gzip

ASKED = {
    "gzip": True,
    "gzip, deflate": True,
    "deflate;q=0.5, GZIP;q=1.0": True,
    "*": True,
    "identity, *;q=0.1": True,
    "x-gzip": True,
    "": False,
    "identity": False,
    "gzip;q=0": False,
    "gzip; q=0.000": False,
    "*, gzip;q=0": False,
    "gzipped": False,
    ";;;,,q=": False,
}


@pytest.mark.parametrize("header", ASKED)
def test_only_who_asks_gets_it(header: str) -> None:
    """Accept-Encoding, read as RFC 9110 has it."""
    assert takes_gzip(header) is ASKED[header]


@given(st.text())
def test_any_header_is_an_answer(header: str) -> None:
    """A stranger's header raises nothing."""
    takes_gzip(header)


@given(st.lists(st.binary(max_size=200_000), max_size=3))
def test_what_is_packed_is_the_page(pieces: list[bytes]) -> None:
    """Unpacked, it is what would have been sent."""

    def make() -> Steps[list[bytes]]:
        yield
        return pieces

    text = finish(packed(make)())
    assert text is not None
    assert gzip.decompress(b"".join(text)) == b"".join(pieces)


def test_no_page_is_no_page() -> None:
    """While the log is not caught up with there is nothing to pack."""

    def make() -> Steps[None]:
        yield

    assert finish(packed(make)()) is None


def test_a_large_page_is_packed_in_small_steps() -> None:
    """Megabytes do not keep an answer waiting: each step takes a few milliseconds at most."""
    line = b'mxheed_replies_total{receiver="mx:example%d.net",category="flow.rate"} %d\n'
    page = [b"".join(line % (n, n * 7919) for n in range(60_000))]

    def make() -> Steps[list[bytes]]:
        yield
        return page

    steps, longest = packed(make)(), 0.0
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration:
            break
        longest = max(longest, time.thread_time() - began)
    assert longest < 0.01
