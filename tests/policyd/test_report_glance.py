"""The report's fast path for accepted mail counts what the long way counts."""

from __future__ import annotations

import gzip
from itertools import islice

import pytest

from bench.genlog import Exim, Postfix
from logparse.events import Delivery
from policyd import sample
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Pipeline
from policyd.report import Tally, glance
from policyd.report.glance import Glance
from rules.verdict import Verdict

NOW = 1_795_500_000.0
BUSY = Verdict("flow.busy", "generic.busy", None, "receiver", "retry", False)


def receiver_of(host: str | None, address: str | None, domain: str) -> str:
    """Every host is its own receiver."""
    return f"mx:{host}" if host else f"domain:{domain}"


def counted(log: bytes, *, quick: bool) -> Tally:
    """A log's tally by the fast path or by the long way, in several blocks."""
    tally = Tally()
    short = Glance(tally, NOW)
    pipeline = Pipeline(
        lambda reply, **about: BUSY,
        receiver_of,
        Counters(),
        on_attempt=tally.add,
        sent=not quick,
        quick=short if quick else None,
        quick_exim=short if quick else None,
    )
    lines = log.splitlines(keepends=True)
    for start in range(0, len(lines), 700):
        pipeline.process(b"".join(lines[start : start + 700]), NOW)
    short.settle()
    return tally


def old_stamps(log: bytes) -> bytes:
    """The same log with stamps of the old form and a priority before some of them."""
    lines = []
    for number, line in enumerate(log.splitlines(keepends=True)):
        clock = line[11:19]
        lines.append((b"<22>" if number % 3 else b"") + b"Nov 17 " + clock + line[32:])
    return b"".join(lines)


SAMPLE = gzip.decompress(sample.PATH.read_bytes())
ODD = b"".join(
    b"Nov 17 0%d:10:20 mx1 postfix/smtp[7]: 4Q1Xyz1Lr4z9v%d: to=<%b>, relay=%b, delay=%b, "
    b"delays=%b/0/0.5/0.4, dsn=2.0.0, status=sent (250 ok %d)\n"
    % (number % 9, number % 5, to, relay, delay, delay, number)
    for number, (to, relay, delay) in enumerate(
        (
            (b"a@Example.NET", b"mx.example.net[192.0.2.1]:25", b"1.5"),
            (b"b@example.net", b"mx.example.net[192.0.2.1]:25", b"123456"),
            (b"root", b"mx.example.net[192.0.2.1]:25", b"0"),
            (b"c@example.net>, orig_to=<d@example.org", b"mx.example.net[192.0.2.1]:25", b"12"),
            (b'"x>y"@example.net', b"mx.example.net[192.0.2.1]:25", b"99"),
            (b"e@example.net", b"mx.example.net[2001:db8::1]:25", b"100"),
            (b"f@example.net", b"local", b"0.1"),
            (b"g@xn--bcher-kva.example", b"MX.Example.Net[192.0.2.1]:25", b"0.01"),
        )
        * 3
    )
)


@pytest.mark.parametrize(
    "log",
    [
        SAMPLE,
        old_stamps(SAMPLE),
        ODD,
        b"".join(islice(Postfix(seed=3).lines(), 20_000)),
        b"".join(islice(Exim(seed=3).lines(), 20_000)),
    ],
    ids=["sample", "old stamps", "odd lines", "postfix", "exim"],
)
def test_both_ways_count_alike(monkeypatch: pytest.MonkeyPatch, log: bytes) -> None:
    """Receivers, hours, domains, delays, first and last are the same by either way."""
    monkeypatch.setattr(glance, "_SETTLE", 97)  # settle often
    short, long = counted(log, quick=True), counted(log, quick=False)
    assert sum(row.outcomes["sent"] for row in long.receivers.values()) > 5
    assert short.receivers == long.receivers
    assert (short.first, short.last) == (long.first, long.last)
    assert short.refusals == long.refusals
    assert short.texts == long.texts


def test_the_short_cut_is_taken() -> None:
    """Most accepted mail never becomes a value."""
    seen: list[Delivery] = []
    tally = Tally()
    short = Glance(tally, NOW)
    pipeline = Pipeline(
        lambda reply, **about: BUSY,
        receiver_of,
        Counters(),
        on_attempt=lambda delivery, receiver, verdict: seen.append(delivery),
        quick=short,
        quick_exim=short,
    )
    pipeline.process(SAMPLE, NOW)
    short.settle()
    by_value = sum(delivery.outcome == "sent" for delivery in seen)
    assert by_value < 100 < tally.receivers["mx:gmail-smtp-in.l.google.com"].outcomes["sent"]


def test_a_teacher_is_told_who_took_a_domain() -> None:
    """The fast path teaches which host takes mail for which domain."""
    told: dict[str, str] = {}
    short = Glance(Tally(), NOW, None, told.__setitem__)
    pipeline = Pipeline(
        lambda reply, **about: BUSY, receiver_of, Counters(), quick=short, quick_exim=short
    )
    pipeline.process(ODD * 2, NOW)
    assert told["example.net"] == "mx.example.net"
