"""Whole logs in every frame: the fast paths count what the long way counts, in each of them."""

from __future__ import annotations

import re
from itertools import islice

import pytest

from bench.genlog import Exim, Postfix
from policyd.counting.counters import Counters
from policyd.counting.pipeline import Pipeline
from policyd.report import Tally
from policyd.report.glance import Glance
from rules.verdict import Verdict
from tests.logparse.frames import FRAMES, Said

NOW = 1_795_500_000.0
BUSY = Verdict("flow.busy", "generic.busy", None, "receiver", "retry", False)
_PLAIN = re.compile(r"\S+ \S+ (\S+)\[(\d+)\]: (.*)")


def said(line: bytes) -> Said:
    """What a program wanted in the log, from the generator's line."""
    match = _PLAIN.fullmatch(line.decode().rstrip("\n"))
    if match is not None:
        return Said(match[1], int(match[2]), match[3])
    return Said("exim", 1, line.decode().rstrip("\n")[20:])


POSTFIX = [said(line) for line in islice(Postfix(7, "rfc3339").lines(), 900)]
EXIM = [said(line) for line in islice(Exim(7).lines(), 400)]


def receiver_of(host: str | None, address: str | None, domain: str) -> str:
    """Every host is its own receiver."""
    return f"mx:{host}" if host else f"domain:{domain}"


def written(frame: str, what: list[Said]) -> bytes:
    return "".join(FRAMES[frame](one) + "\n" for one in what).encode()


def blocks(log: bytes, lines: int) -> list[bytes]:
    whole = log.splitlines(keepends=True)
    return [b"".join(whole[at : at + lines]) for at in range(0, len(whole), lines)]


def counted(log: bytes, lines: int, long: bool = False) -> Counters:
    """A log's counters, by the fast path or by values for everything."""
    counters = Counters()
    pipeline = Pipeline(
        lambda reply, **about: BUSY,
        receiver_of,
        counters,
        on_attempt=(lambda *_: None) if long else None,
        sent=long,
    )
    for block in blocks(log, lines):
        pipeline.process(block, NOW)
    return counters


def reported(log: bytes, lines: int) -> Tally:
    tally = Tally()
    short = Glance(tally, NOW)
    pipeline = Pipeline(
        lambda reply, **about: BUSY, receiver_of, Counters(), on_attempt=tally.add, quick=short,
        quick_exim=short,
    )  # fmt: skip
    for block in blocks(log, lines):
        pipeline.process(block, NOW)
    short.settle()
    return tally


TRUTH = {
    name: counted(written("rfc 3339", what), 10_000, long=True).deliveries()
    for name, what in (("postfix", POSTFIX), ("exim", EXIM), ("both", [*POSTFIX, *EXIM]))
}


@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame_is_counted_alike(frame: str) -> None:
    """Deliveries by receiver and outcome are those of the usual frame, on each way."""
    assert sum(TRUTH["both"].values()) > 150
    for name, what in (("postfix", POSTFIX), ("exim", EXIM)):
        log = written(frame, what)
        for lines in (7, 10_000):
            short = counted(log, lines)
            assert short.deliveries() == TRUTH[name]
            assert (short.lines, short.unparsed) == (len(what), 0)
        assert counted(log, 300, long=True).dump() == counted(log, 300).dump()
        tally = reported(log, 300)
        told = {
            (receiver, outcome): count
            for receiver, row in tally.receivers.items()
            for outcome, count in row.outcomes.items()
        }
        assert told == TRUTH[name]


@pytest.mark.parametrize("lines", [3, 40, 10_000])
@pytest.mark.parametrize("frames", [("rfc 3339", "rfc 3339"), ("rfc 3164", "journal json")])
def test_both_mail_systems_in_one_log(frames: tuple[str, str], lines: int) -> None:
    """Lines of Postfix and of Exim may alternate in any way; none is passed over."""
    log = b"".join(
        line
        for pair in zip(
            written(frames[0], POSTFIX).splitlines(keepends=True),
            [*written(frames[1], EXIM).splitlines(keepends=True), *[b""] * 500],
            strict=True,
        )
        for line in pair
    )
    assert counted(log, lines).deliveries() == TRUTH["both"]


def test_exims_own_log_among_postfix_lines() -> None:
    """A rare line of Exim's own log in a large block of Postfix's is found."""
    many = written("rfc 3164", POSTFIX)
    one = (
        b"2026-02-03 04:05:06 1vQqXZ-00000000abc-0001 => a@b.example R=r T=t H=mx.b.example "
        b'[192.0.2.9] C="250 ok"\n'
    )
    for place in range(0, 900, 90):
        lines = many.splitlines(keepends=True)
        lines.insert(place, one)
        found = counted(b"".join(lines), 10_000).deliveries()
        assert found[("mx:mx.b.example", "sent")] == 1
        assert sum(found.values()) == sum(TRUTH["postfix"].values()) + 1
