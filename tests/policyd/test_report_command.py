"""`mxheed report` on files: packed, rotated, from standard input, in parallel, broken."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import typer
import zstandard
from typer.testing import CliRunner

import rules
from policyd import sample
from policyd.cli import report as command
from policyd.errors import MxheedError
from policyd.report import read

LOG = gzip.decompress(sample.PATH.read_bytes())


def run(*args: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of the command."""
    app = typer.Typer()
    command.register(app)
    result = CliRunner().invoke(app, [*map(str, args)], standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.return_value or 0, result.stdout, result.stderr


def told(*args: str | Path) -> dict[str, Any]:
    """The command's JSON object, without the names of its sources."""
    code, out, _ = run(*args, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    del found["sources"]
    return found


@pytest.fixture(scope="module", autouse=True)
def _rules_read_once() -> Iterator[None]:
    """The command reads the rules at each start; here once is enough."""
    loaded = rules.load()
    classifier = rules.Classifier(loaded)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "load", lambda site=(): loaded)
        patch.setattr(read, "Classifier", lambda ruleset: classifier)
        yield


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The sample day as a rotated set: an older packed half and a younger plain one."""
    folder = tmp_path_factory.mktemp("log")
    middle = LOG.rindex(b"\n", 0, len(LOG) // 2) + 1
    older, younger = folder / "mail.log.1.gz", folder / "mail.log"
    older.write_bytes(gzip.compress(LOG[:middle]))
    younger.write_bytes(LOG[middle:])
    return [older, younger]


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """What the command tells of the sample day."""
    return told(sample.PATH)


def test_the_totals_are_those_of_the_log(whole: dict[str, Any]) -> None:
    """Lines and outcomes are what a plain search in the log finds."""
    assert whole["lines"] == LOG.count(b"\n")
    assert whole["unparsed"] == 0
    echoes = LOG.count(b"delivery temporarily suspended")
    assert whole["outcomes"] == {
        "sent": LOG.count(b"status=sent"),
        "deferred": LOG.count(b"status=deferred") - echoes,
        "bounced": LOG.count(b"status=bounced"),
        "suspended": echoes,
    }


def test_the_incidents_of_the_day_are_found(whole: dict[str, Any]) -> None:
    """The report names what the generator played: who, which way, and when."""
    found = {row["receiver"]: row for row in whole["receivers"]}
    assert found["google"]["reasons"][0]["outcome"] == "deferred"
    assert found["gmx"]["rejected_share"] > 0.05
    assert found["gmx"]["reasons"][0]["category"] != "recipient.unknown"
    assert found["microsoft365"]["reasons"][0]["category"] == "recipient.unknown"
    hours = [slot["deferred"] for slot in found["yahoo"]["heat"]]
    assert sum(hours[18:21]) > sum(hours[8:18])


@pytest.mark.parametrize("pack", ["gz", "xz", "bz2", "zst", "plain"])
def test_packed_logs_are_read(tmp_path: Path, whole: dict[str, Any], pack: str) -> None:
    """However a log is packed, its report is the same."""
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "xz": lzma.compress,
        "bz2": bz2.compress,
        "zst": zstandard.ZstdCompressor().compress,
        "plain": bytes,
    }
    path = tmp_path / f"mail.log.{pack}"
    path.write_bytes(packers[pack](LOG))
    assert told(path) == whole


@pytest.mark.parametrize("jobs", ["1", "2", "8"])
def test_files_are_read_side_by_side(halves: list[Path], whole: dict[str, Any], jobs: str) -> None:
    """Several processes tell what one would have told."""
    found = told(*halves, "--jobs", jobs)
    assert found["outcomes"] == whole["outcomes"]
    assert found["receivers"] == whole["receivers"]
    assert found["slowest"] == whole["slowest"]


def test_a_rotated_set_is_found(halves: list[Path], whole: dict[str, Any]) -> None:
    """With --rotated the older generations of a log are read too."""
    assert told(halves[1])["lines"] < whole["lines"]
    assert told(halves[1], "--rotated")["outcomes"] == whole["outcomes"]


def test_standard_input_is_read(whole: dict[str, Any]) -> None:
    """A dash is standard input, packed or not."""
    script = "import sys; from policyd.cli import main; sys.exit(main(['report', '-', '--json']))"
    found = subprocess.run(
        [sys.executable, "-c", script],
        input=gzip.compress(LOG),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert json.loads(found.stdout)["outcomes"] == whole["outcomes"]


def test_a_broken_archive_does_not_hide_the_rest(tmp_path: Path, halves: list[Path]) -> None:
    """What cannot be read is named, the rest is told, and the exit code says that it is not all."""
    broken = tmp_path / "cut.gz"
    broken.write_bytes(gzip.compress(LOG)[:100_000])
    code, out, err = run(broken, tmp_path / "missing.log", halves[1], "--json", "--jobs", "3")
    assert code == 1
    assert json.loads(out)["lines"] > LOG.count(b"\n") // 2
    assert "cut.gz: " in err
    assert "missing.log: No such file or directory" in err


def test_nothing_is_told_of_what_could_not_be_read(tmp_path: Path) -> None:
    """Without any line there is no report, only the reason."""
    code, out, err = run(tmp_path / "missing.log")
    assert (code, out) == (1, "")
    assert "missing.log: No such file or directory" in err


def test_a_last_line_without_its_end_counts(tmp_path: Path) -> None:
    """A log that does not end in a newline loses nothing."""
    lines = [line for line in LOG.splitlines(keepends=True) if b"status=sent" in line][:3]
    path = tmp_path / "mail.log"
    path.write_bytes(b"".join(lines).rstrip(b"\n"))
    assert told(path)["outcomes"] == {"sent": 3}


def test_the_year_of_old_stamps_comes_from_the_file(tmp_path: Path) -> None:
    """A log without years is dated by the last change of its file, not by today."""
    line = next(line for line in LOG.splitlines(keepends=True) if b"status=sent" in line)
    path = tmp_path / "mail.log"
    path.write_bytes(b"Feb  3 04:05:06" + line[32:])
    os.utime(path, (1_650_000_000, 1_650_000_000))  # April 2022
    assert told(path)["first"].startswith("2022-02-0")


def test_tables_and_page_are_written(tmp_path: Path) -> None:
    """Without --json there are tables; with --html a page and nothing else."""
    code, out, _ = run(sample.PATH, "--utc", "--domains")
    assert code == 0
    assert re.search(r"google +\d+ +[\d,]+ ", out)
    assert "32 domains" in out
    target = tmp_path / "page.html"
    code, out, _ = run(sample.PATH, "--html", target)
    assert (code, out) == (0, "")
    assert target.read_text().startswith("<!doctype html>")


def test_top_and_all_show_more() -> None:
    """--top and --all lengthen the tables."""
    short, longer, longest = (
        len(run(sample.PATH, *more)[1].splitlines()) for more in ([], ["--top", "12"], ["--all"])
    )
    assert short < longer < longest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Nov  2 06:00:00 mx1 sshd[7]: hello\x1b[2J\n" * 4212, "4,212 lines, none looks like"),
        (b"", "not a single line"),
        ("Nov  2 06:00:00 mx1 postfix/smtp[1]: x\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04" + b"x" * 90, "zip"),
        (b"\x04\x22\x4d\x18" + b"x" * 90, "lz4"),
    ],
)
def test_a_log_of_nothing_known_is_no_success(tmp_path: Path, data: bytes, words: str) -> None:
    """The command says what it saw and ends with 1; it never shows an empty report."""
    log = tmp_path / "log"
    log.write_bytes(data)
    code, out, err = run(log)
    assert (code, out) == (1, "")
    assert words in err
    assert "\x1b" not in err


def test_a_log_without_deliveries_is_one(tmp_path: Path) -> None:
    """A mail system that delivered nothing has a report."""
    log = tmp_path / "log"
    log.write_bytes(b"Nov  2 06:00:00 mx1 postfix/smtpd[7]: connect from a[192.0.2.1]\n")
    code, out, _ = run(log)
    assert code == 0
    assert out


@pytest.fixture
def three(tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    """Three machines in one log, line by line in turns, and the log of each alone."""
    lines = [line for line in LOG.splitlines(keepends=True) if b" postfix" in line][:3000]
    host = lines[0].split()[1] if lines[0][:4].isdigit() else lines[0].split()[3]
    logs: dict[str, list[bytes]] = {"mx0.example.net": [], "mx1": [], "mx2": []}
    for share, (name, log) in enumerate(logs.items(), 1):
        named = b" " + name.encode() + b" "
        log += [line.replace(b" " + host + b" ", named, 1) for line in lines[: 1000 * share]]
    mixed = tmp_path / "all.log"
    mixed.write_bytes(
        b"".join(b"".join(some) for some in zip_longest(*logs.values(), fillvalue=b""))
    )
    for name, log in logs.items():
        (tmp_path / name).write_bytes(b"".join(log))
    return mixed, {name: tmp_path / name for name in logs}


def test_one_of_several_machines_is_told_as_by_its_own_log(
    three: tuple[Path, dict[str, Path]],
) -> None:
    """`--host`, by the short or the long name: all numbers are those of that machine alone."""
    mixed, alone = three
    for name, log in alone.items():
        expected = told(log)
        assert expected["lines"] > 900
        assert expected["bytes"] == log.stat().st_size
        assert told(mixed, "--host", name) == expected
    assert told(mixed, "--host", "MX0.") == told(alone["mx0.example.net"])


def test_the_table_of_machines_adds_up(three: tuple[Path, dict[str, Path]]) -> None:
    """The busiest first; lines and recipients of each, and of all together."""
    mixed, alone = three
    whole = told(mixed)
    rows = {row["host"]: row for row in whole["machines"]}
    assert list(rows) == ["mx2", "mx1", "mx0.example.net"]
    assert sum(row["lines"] for row in rows.values()) == whole["lines"]
    for name, log in alone.items():
        assert rows[name]["lines"] == told(log)["lines"]
    code, out, _ = run(mixed)
    assert code == 0
    assert "Machines that sent it" in out
    assert out.index("mx2") < out.index("mx0.example.net")
    assert told(alone["mx1"])["machines"] == []


def test_a_machine_that_is_not_there_is_refused(three: tuple[Path, dict[str, Path]]) -> None:
    """With the names of those that are."""
    with pytest.raises(MxheedError, match=r"mx9 is no machine in these logs \(mx0.*mx1, mx2\)"):
        run(three[0], "--host", "mx9")
