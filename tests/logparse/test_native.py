"""The native part reads what Python reads, or leaves it to Python: never anything else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rules
from bench.genlog import Postfix
from logparse import native
from logparse.record import RECIPIENT, SENT
from logparse.stamps import minute
from policyd.report import read as reading

LINES = [
    line
    for form in ("traditional", "rfc3339")
    for line in islice(Postfix(5, form).lines(), 3000)
    if b" status=" in line
]
SENT_LINE = (
    b"Feb  3 04:05:06 mx1 postfix/smtp[12]: 4D00000001: to=<u@example.net>, orig_to=<v>, "
    b"relay=mx.example.net[192.0.2.1]:25, conn_use=2, delay=1, delays=0.1/0/0.5/0.4, tls=x, "
    b"dsn=2.0.0, status=sent (250 2.0.0 ok)\n"
)
PIECES = (b" ", b"  ", b":", b">", b"<", b'"', b"@", b"(", b")", b"[", b"]", b"/", b",", b"=")
PIECES += (b"\n", b"\0", b"\x7f", b"\xff", b"0", b"9", b"a", b"Z", b"x" * 40, b"1" * 40, b"to=<")


def expected(text: bytes, place: int) -> tuple[bytes, ...] | None:
    """What Python reads."""
    match = SENT.match(text, place)
    if match is None:
        return None
    begin = match.end(2) + RECIPIENT
    address = text[begin : text.index(b">", begin)]
    domain = address[address.rfind(b"@") + 1 :]
    return (minute(text, place), match[3], domain, *match.group(4, 5, 6, 7, 8))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A line of a log with some of it cut out, doubled or changed."""
    line = draw(st.sampled_from([SENT_LINE, *LINES]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(line)))
        cut = draw(st.integers(0, 12))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=3) | st.just(line[at : at + 30]))
        line = line[:at] + piece + line[at + cut :]
    return line


@pytest.mark.native
@settings(max_examples=2000, deadline=None)
@given(mutated(), st.binary(max_size=4))
@example(SENT_LINE.replace(b"Feb  3", b"Feb    "), b"")
@example(SENT_LINE.replace(b":25,", b":,"), b"")
@example(SENT_LINE[:-1], b"")
@example(SENT_LINE.replace(b"ok)", b"o" * 1000 + b")"), b"")
def test_what_is_read_is_what_python_reads(line: bytes, before: bytes) -> None:
    """All parts are the same, and so is the answer that it is no such record."""
    from logparse import _native

    found = _native.parse(before + line, len(before))
    assert found == (None if line[:1] == b"<" else expected(before + line, len(before)))


@pytest.mark.native
@pytest.mark.parametrize("place", [-1, len(SENT_LINE), len(SENT_LINE) + 1, 1 << 40, -(1 << 40)])
def test_no_byte_outside_of_the_block_is_read(place: int) -> None:
    """A place that is none is no record, and ends the counting."""
    from logparse import _native

    assert _native.parse(SENT_LINE, place) is None
    assert _native.scan(SENT_LINE, [place], 0, {}, {}) == 0


@pytest.mark.native
def test_what_is_not_known_is_left_to_python() -> None:
    """Counting stops at a new relay, minute or domain, with nothing of that line counted."""
    from logparse import _native

    when, relay, domain, *delays = _native.parse(SENT_LINE, 0) or ()
    row: tuple[dict[Any, int], ...] = ({}, {domain: 0}, {}, {}, {}, {}, {})
    block, places = SENT_LINE * 3, [0, len(SENT_LINE), 2 * len(SENT_LINE)]
    assert _native.scan(block, places, 0, {}, {when: 7}) == 0
    assert _native.scan(block, places, 0, {relay: row}, {}) == 0
    assert not any(row[0].values())
    assert _native.scan(block, places, 1, {relay: row}, {when: 7}) == 3
    assert row == ({7: 2}, {domain: 2}, *({delay: 2} for delay in delays))
    row[1].clear()
    assert _native.scan(block, places, 0, {relay: row}, {when: 7}) == 0
    assert row[0] == {7: 2}


@pytest.mark.native
@pytest.mark.parametrize("row", [None, (), ({},) * 6, [{}] * 7, ({},) * 6 + ([],)])
def test_a_row_of_another_shape_is_an_error(row: Any) -> None:
    """It is told, not written to."""
    from logparse import _native

    with pytest.raises(TypeError):
        _native.scan(SENT_LINE, [0], 0, {b"mx.example.net[192.0.2.1]:25": row}, {})


@pytest.mark.native
@pytest.mark.parametrize("form", ["traditional", "rfc3339"])
def test_a_report_is_the_same_without_it(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the tally, to the last number."""
    from logparse import _native

    log = tmp_path / "mail.log"
    lines = [*islice(Postfix(9, form).lines(), 20_000), SENT_LINE.replace(b"delay=1,", b"delay=.,")]
    log.write_bytes(b"".join(lines))
    ruleset, found = rules.load(), []
    for scan in (None, _native.scan):
        monkeypatch.setattr(native, "scan", scan)
        found.append(reading.read_all([str(log)], ruleset, now=1_795_500_000.0))
    assert found[0] == found[1]
    assert found[1].tally.receivers


def test_it_is_built_where_it_can_be() -> None:
    """Who has a compiler and Python's headers has it; who has not, reads with Python."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    able = header.exists() and any(map(shutil.which, ("cc", "gcc", "clang")))
    told = subprocess.run(
        [sys.executable, "-c", "from logparse.native import path; print(path)"],
        env={**os.environ, "MXHEED_NATIVE": "1"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert ("with the native part" in told) or not able


def test_it_can_be_switched_off() -> None:
    """The environment decides, and the version says so."""
    told = subprocess.run(
        [sys.executable, "-m", "policyd.cli", "--version"],
        env={**os.environ, "MXHEED_NATIVE": "0"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert told.endswith("(Python alone (MXHEED_NATIVE=0))\n")
