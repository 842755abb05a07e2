"""Several logs at a time: each one for itself, whatever becomes of the others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from logparse.errors import LogError
from logparse.pipe import NamedPipe
from logparse.source import Block, Position, Source
from logparse.tail import Tail
from policyd.reading.many import FORGET, RESCAN, Many
from policyd.reading.sources import choose
from policyd.settings.logs import AskedLog, asked, check, machine_in


class Times:
    """A clock that goes on when it is told."""

    now = 1000.0

    def __init__(self) -> None:
        self.opened: list[Source] = []

    def __call__(self) -> float:
        return self.now


class Wrong:
    """A log that gives an error each time."""

    position: Position = MappingProxyType({})
    reads = 0

    def read(self, limit: int = 0) -> Block | None:
        self.reads += 1
        raise LogError("it is broken")

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def times() -> Iterator[Times]:
    """The clock of a test; what was opened is closed."""
    made = Times()
    yield made
    for source in made.opened:
        source.close()


def many(times: Times, *texts: str, position: Position | None = None) -> Many:
    """These logs."""
    source = Many([asked(text) for text in texts], position or {}, _open, times)
    times.opened.append(source)
    return source


def _open(log: AskedLog, position: Position) -> Source:
    return NamedPipe(log.path) if log.kind == "pipe" else Tail(log.path, position)


def read(source: Many, times: Times, seconds: float = 1.0) -> list[str]:
    """All lines that are there now, each with the name of its log."""
    found: list[str] = []
    end = times.now + seconds
    while times.now < end:
        block = source.read()
        if block is None:
            times.now += 0.1
            continue
        name = os.path.basename(block.source)
        found += [f"{name} {line}" for line in block.data.decode().splitlines()]
    return found


def put(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(
            f"2026-11-28T10:00:00+00:00 mx1 {path.name} {line} {'.' * 60}\n" for line in lines
        )


def short(lines: list[str]) -> list[str]:
    """Without what is the same in all."""
    return [line.split()[-2] for line in lines]


def test_each_log_goes_on_where_it_was_left(tmp_path: Path, times: Times) -> None:
    """Positions of files, each its own, survive in one value of JSON."""
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    put(one, "a1")
    put(two, "b1")
    source = many(times, str(one), str(two))
    assert sorted(short(read(source, times))) == ["a1", "b1"]
    kept = json.loads(json.dumps(source.position))
    put(one, "a2")
    put(two, "b2")
    again = many(times, str(one), str(two), position=kept)
    assert sorted(short(read(again, times))) == ["a2", "b2"]


def test_the_place_of_a_single_log_is_taken_over(tmp_path: Path, times: Times) -> None:
    """A state file of a mxheed that read one log: nothing is read twice when a second is added."""
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    put(one, "a1")
    put(two, "b1")
    times.opened.append(alone := Tail(one))
    assert alone.read() is not None
    source = many(times, str(one), str(two), position=alone.position)
    assert short(read(source, times)) == ["b1"]


def test_a_list_that_became_one_log_reads_nothing_twice(tmp_path: Path, times: Times) -> None:
    """Back to one log, and the place of the other one is kept, should it be named again."""
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    put(one, "a1")
    put(two, "b1")
    source = many(times, str(one), str(two))
    read(source, times)
    chosen = choose((str(one),), clock=times)
    times.opened.append(back := chosen.open(source.position))
    assert back.read() is None
    assert set(back.position["sources"]) == {str(one), str(two)}


def test_a_backlog_keeps_nobody_waiting(tmp_path: Path, times: Times) -> None:
    """While a long log is read, a short one gets its turn after one block."""
    long, small = tmp_path / "long.log", tmp_path / "small.log"
    put(long, *(f"a{number}" for number in range(10_000)))
    put(small, "b1")
    source = many(times, str(long), str(small))
    turns = []
    for _ in range(4):
        block = source.read()
        assert block is not None
        turns.append(os.path.basename(block.source))
    assert "small.log" in turns[:2]
    put(small, "b2")
    times.now += 1
    turns = [block.source for _ in range(2) if (block := source.read()) is not None]
    assert str(small) in turns


def test_a_bad_log_stops_no_other(tmp_path: Path, times: Times) -> None:
    """It is tried again, ever more seldom; the others are read meanwhile; its trouble is told."""
    good = tmp_path / "good.log"
    put(good, "a1")
    wrong = Wrong()
    logs = [AskedLog("file", "/wrong", "/wrong"), asked(str(good))]
    source = Many(
        logs, {}, lambda log, at: wrong if log.path == "/wrong" else Tail(log.path, at), times
    )
    times.opened.append(source)
    assert short(read(source, times, 10)) == ["a1"]
    put(good, "a2")
    assert short(read(source, times, 100)) == ["a2"]
    assert 5 <= wrong.reads < 20
    assert source.waiting is None
    assert [state.trouble for state in source.status()] == ["it is broken", ""]


def test_it_waits_only_where_nothing_can_be_read(times: Times) -> None:
    """What all logs are waiting for is the trouble of the whole."""
    source = many(times, "/no/such/one.log", "/no/such/two.log")
    assert read(source, times) == []
    assert source.waiting is not None
    assert source.waiting.count("/no/such/one.log") == 1


def test_files_come_and_go(tmp_path: Path, times: Times) -> None:
    """A glob's new file is read from its beginning, one that comes back from its place on."""
    (tmp_path / "mx1").mkdir()
    put(tmp_path / "mx1/mail.log", "a1")
    source = many(times, f"{tmp_path}/{{host}}/mail.log")
    assert short(read(source, times)) == ["a1"]
    (tmp_path / "mx2").mkdir()
    put(tmp_path / "mx2/mail.log", "b1")
    assert short(read(source, times, 2 * RESCAN)) == ["b1"]
    (tmp_path / "mx2").rename(tmp_path / "away")
    (tmp_path / "away/mail.log").rename(tmp_path / "away/other")
    assert read(source, times, FORGET + 2 * RESCAN) == []
    assert [state.name for state in source.status()] == [f"{tmp_path}/mx1/mail.log"]
    assert source.waiting is None
    (tmp_path / "away/other").rename(tmp_path / "away/mail.log")
    (tmp_path / "away").rename(tmp_path / "mx2")
    put(tmp_path / "mx2/mail.log", "b2")
    assert short(read(source, times, 2 * RESCAN)) == ["b2"]


@pytest.mark.parametrize(
    "name", ["mail.log.1", "mail.log-20261128", "mail.log.2.gz", "mail-old.log", "mail.copy.log"]
)
def test_a_glob_that_matches_rotated_files_counts_nothing_twice(
    name: str, tmp_path: Path, times: Times
) -> None:
    """What a log is renamed or copied to is no log of its own, though the glob matches it."""
    log = tmp_path / "mail.log"
    put(log, "a1", "a2")
    source = many(times, f"{tmp_path}/mail*")
    assert short(read(source, times)) == ["a1", "a2"]
    if "copy" in name:
        (tmp_path / name).write_bytes(log.read_bytes())
        os.truncate(log, 0)
    else:
        log.rename(tmp_path / name)
    put(log, "a3")
    assert short(read(source, times, 3 * RESCAN)) == ["a3"]


def test_a_file_under_two_names_is_one_log(tmp_path: Path, times: Times) -> None:
    """A link beside the log is followed once."""
    put(tmp_path / "mail.log", "a1")
    (tmp_path / "now.log").symlink_to("mail.log")
    assert len(short(read(many(times, f"{tmp_path}/*.log"), times, 2 * RESCAN))) == 1


def test_pipes_and_files_may_be_mixed(tmp_path: Path, times: Times) -> None:
    """A named pipe whose writer comes and goes beside a file."""
    put(tmp_path / "mail.log", "a1")
    os.mkfifo(tmp_path / "fifo")
    source = many(times, str(tmp_path / "mail.log"), f"pipe:{tmp_path}/fifo")
    assert short(read(source, times)) == ["a1"]
    for line in ("b1", "b2"):
        put(tmp_path / "fifo", line)
        assert short(read(source, times)) == [line]


NAMES: dict[str, tuple[str, str, str]] = {
    "a part of the path": ("/v/{host}/mail.log", "/v/MX1.example/mail.log", "mx1.example"),
    "a part of the name": ("/v/mail-{host}.log", "/v/mail-mx1.log", "mx1"),
    "twice the same": ("/v/{host}/{host}.log", "/v/mx1/mx1.log", "mx1"),
    "twice, but not the same": ("/v/{host}/{host}.log", "/v/mx1/mx2.log", ""),
    "a wild card crosses no slash": ("/v/*/{host}.log", "/v/a/b/mx1.log", ""),
    "none": ("/v/*/mail.log", "/v/mx1/mail.log", ""),
}


@pytest.mark.parametrize("case", NAMES.values(), ids=NAMES)
def test_the_path_may_name_the_machine(case: tuple[str, str, str]) -> None:
    """`{host}` in a glob stands for the machine."""
    pattern, path, machine = case
    assert machine_in(path, (pattern,)) == machine


REFUSED = {
    "nothing": ((), "names no log"),
    "twice": (("/a", "/a"), "twice"),
    "the sample beside a log": (("sample", "/a"), "stands alone"),
    "auto beside a log": (("/a", "auto"), "stands alone"),
    "a journal of no whole path": (("journal:remote",), "a whole path"),
    "an empty name": (("",), "empty"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_can_never_be_followed_is_refused(case: tuple[tuple[str, ...], str]) -> None:
    """A list of logs is checked when the configuration is read."""
    with pytest.raises(ValueError, match=case[1]):
        check(case[0])
