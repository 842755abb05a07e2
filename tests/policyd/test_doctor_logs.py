"""`mxheed doctor` tells how each log is read, with the daemon's words or with its own eyes."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from policyd.cli import doctor as command
from policyd.doctor import examine
from policyd.doctor import seen as seeing
from policyd.doctor.logsread import looked, told
from policyd.web.logs import LONGEST, MOST
from policyd.web.view import SourceView
from tests.policyd.daemon_process import DaemonProcess
from tests.policyd.test_daemon import SENT, lines
from tests.policyd.test_doctor import HEALTHY

ABOUT = "how each log is read"
LOG = SourceView(
    "/var/log/mail.log",
    frame="syslog (RFC 3164)",
    age_seconds=3.2,
    lines_per_second=8.25,
    deliveries_per_second=1.5,
)
ODD = "2026-11-23T10:00:09+00:00 mail postfix/smtp[4]: 4BcdFg99zz: to=<jd@a.example>, status=sent\n"
OTHER = "2026-11-23T10:00:09+00:00 mail dovecot: imap-login: Login: user=<u>\n"


def found(
    log: SourceView, troubles: Mapping[str, str] = MappingProxyType({})
) -> list[tuple[str, str]]:
    """Level and words of what is told of one log."""
    daemon = replace(HEALTHY.daemon, logs=(log,), troubles=troubles)
    findings = examine(replace(HEALTHY, daemon=daemon))
    return [(one.level, one.what) for one in findings if one.about == ABOUT]


def test_a_log_that_is_read_is_one_line() -> None:
    """Name, kind, age, frame, rates."""
    assert found(LOG) == [
        (
            "fine",
            "/var/log/mail.log (file), the newest line is 3s old, frame: syslog (RFC 3164),"
            " 8.25 lines and 1.5 deliveries a second",
        )
    ]


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({"trouble": "permission denied"}, "wrong", "mail.log: permission denied"),
        ({"age_seconds": None}, "fine", "no line yet"),
        ({"behind_bytes": 512}, "fine", "512 bytes behind"),
        ({"offset_seconds": -3600.0, "offset_kind": "zone"}, "fine", "1 h ahead: another zone"),
        ({"offset_seconds": 77.0, "offset_kind": "clock"}, "note", "77 s behind the clock"),
        ({"unparsed": 4, "samples": ("a", "b")}, "note", "4 lines look like a delivery and cannot"),
        ({"unparsed": 4, "samples": ("a", "b")}, "note", "the last: b"),
        ({"gap_bytes": 9}, "note", "9 bytes were lost"),
    ],
)
def test_what_is_odd_is_told(changed: dict[str, Any], level: str, words: str) -> None:
    """Troubles, clocks, lines that are not understood, losses."""
    assert any(one == level and words in what for one, what in found(replace(LOG, **changed)))


def test_a_trouble_that_the_daemon_told_is_no_second_one() -> None:
    """Its own words are wrong enough; which log it is stands behind them."""
    assert [level for level, _ in found(replace(LOG, trouble="gone"), {"log": "gone"})] == ["note"]


def test_the_sample_is_no_log() -> None:
    """That it is played is told elsewhere."""
    assert found(replace(LOG, kind="sample")) == []


def look(*paths: Path | str) -> tuple[SourceView, ...]:
    """What is seen of these logs where no daemon runs."""
    return looked([str(path) for path in paths], UTC)[0]


def test_without_a_daemon_the_end_of_the_log_is_read(tmp_path: Path) -> None:
    """Frame, age, unparsed lines with a sample; no more than the end of a long file."""
    path = tmp_path / "mail.log"
    path.write_text(OTHER * 20_000 + lines(SENT, 3) + ODD)
    (seen,) = look(path)
    assert (seen.name, seen.kind, seen.trouble) == (str(path), "file", "")
    assert seen.frame == "syslog with RFC 3339 times"
    assert seen.newest == 1_795_428_009
    assert seen.lines < 2000
    assert seen.unparsed == 1
    assert "…@a.example" in seen.samples[0]


def test_a_log_of_something_else_is_wrong(tmp_path: Path) -> None:
    """Lines, of which none is an MTA's."""
    path = tmp_path / "mail.log"
    path.write_text(OTHER * 30)
    (seen,) = look(path)
    assert seen.trouble == "none of its last 30 lines looks like Postfix or Exim"


def test_what_cannot_be_read_says_why_and_nothing_waits(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe without a writer; an empty file is well."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    seen = look(tmp_path / "none", tmp_path, tmp_path / "pipe", tmp_path / "empty")
    assert [bool(one.trouble) for one in seen] == [True, True, True, False]
    assert seen[0].trouble == "No such file or directory"


def test_a_glob_is_each_of_its_files_within_bounds(tmp_path: Path) -> None:
    """Each file that matches, and not a thousand of them."""
    for number in range(MOST + 5):
        (tmp_path / f"mx{number}.log").write_text(lines(SENT, 1))
    seen = look(f"{tmp_path}/{{host}}.log")
    assert len(seen) == MOST
    assert {one.kind for one in seen} == {"glob"}


def test_what_nobody_but_the_daemon_can_read_is_unchecked() -> None:
    """Standard input belongs to who reads it."""
    assert looked(["-"], UTC) == ((), "only mxheed itself can read it")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from([*SourceView.__dataclass_fields__])


@given(JSON | st.fixed_dictionaries({"sources": st.lists(JSON | st.dictionaries(FIELDS, JSON))}))
@example({"sources": [{"lines": math.inf, "unparsed": math.nan, "age_seconds": 10**400}]})
def test_whoever_answers_the_doctor_does_not_fall(log: Any) -> None:
    """Any JSON in the section: what is told of it are short lines."""
    seen = told({"log": log})
    for one in seen:
        for _, what in found(one):
            assert what.isprintable()
            assert len(what) < 4 * LONGEST


def test_doctor_and_healthz_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real daemon over a real log: doctor tells its word, and sees for itself when it is gone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    daemon = DaemonProcess(tmp_path)
    daemon.sections["serve"]["http"] = [f"inet:127.0.0.1:{port}"]
    daemon.log.write_text(lines(SENT, 3) + ODD)
    try:
        daemon.start()
        daemon.until(lambda: daemon.metric("mxheed_log_lines_total") == 4, "the log is read")
        (log,) = json.loads(daemon.get("/healthz"))["log"]["sources"]
        with monkeypatch.context() as patch:
            patch.setattr(seeing, "looked", None)  # nobody needs it
            running = doctor(daemon)
    finally:
        daemon.stop(signal.SIGKILL)
    assert (log["name"], log["kind"], log["lines"]) == (str(daemon.log), "file", 4)
    assert (log["unparsed"], log["frame"]) == (1, "syslog with RFC 3339 times")
    assert log["newest"] == 1_795_428_009
    for words in (running, doctor(daemon)):
        assert any("frame: syslog with RFC 3339 times" in what for what in words)
        assert any("1 lines look like a delivery" in what for what in words)


def doctor(daemon: DaemonProcess) -> list[str]:
    """What `mxheed doctor --json` says of the logs."""
    app = typer.Typer()
    command.register(app)
    done = CliRunner().invoke(app, ["--json", "--config", str(daemon.config)])
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    return [one["what"] for one in findings if one["about"] == ABOUT]
