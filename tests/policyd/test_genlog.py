"""The benchmark's logs: the same arguments give the same bytes, shaped like a busy server's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pytest

from bench.genlog import DOMAINS, Exim, Postfix

LOGS = {
    "postfix": lambda seed: Postfix(seed).lines(),
    "postfix rfc3339": lambda seed: Postfix(seed, "rfc3339").lines(),
    "exim": lambda seed: Exim(seed).lines(),
    "exim old": lambda seed: Exim(seed, "old").lines(),
}


def some(kind: str, seed: int, count: int = 20_000) -> Iterator[bytes]:
    return islice(LOGS[kind](seed), count)


@pytest.mark.parametrize("kind", LOGS)
def test_the_same_seed_gives_the_same_log(kind: str) -> None:
    """Figures of two runs are about the same bytes."""
    assert list(some(kind, 3, 500)) == list(some(kind, 3, 500))
    assert list(some(kind, 3, 500)) != list(some(kind, 4, 500))


def test_a_sixth_of_the_lines_are_deliveries() -> None:
    """The share of delivery lines is that of a real log."""
    lines = list(some("postfix", 1))
    deliveries = [line for line in lines if b"status=" in line]
    assert 0.15 < len(deliveries) / len(lines) < 0.19
    domains = Counter(line.partition(b"@")[2].partition(b">")[0] for line in deliveries)
    assert 500 < len(domains) <= DOMAINS
    assert domains.most_common(1)[0][1] > 50 * sorted(domains.values())[len(domains) // 2]


@pytest.mark.parametrize("kind", LOGS)
def test_every_line_ends(kind: str) -> None:
    """Lines are whole, and no longer than Postfix and Exim write them."""
    for line in some(kind, 2, 3000):
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert len(line) < 2100
