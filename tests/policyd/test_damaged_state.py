"""Whatever stands in the state file, the daemon starts, answers, and saves again."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd import core as core_module
from policyd.config import Config
from policyd.core import Core, prepare
from policyd.daemon import Daemon
from policyd.errors import MxheedError
from policyd.hooks.answers import MAPS
from policyd.reading.sources import choose
from policyd.serve.session import Session
from policyd.serve.turns import finish
from policyd.settings.lookup import LookupSettings
from policyd.store import Store
from policyd.store.place import state_file
from policyd.throttle import Controller, Lane
from policyd.web.status import page
from tests.policyd.clocks import Times
from tests.policyd.test_daemon import LIMITED, SENT, lines

CONFIG = Config(lookup=LookupSettings(enabled=False))
KEYS = {
    "mx": b"d1.example. 60 IN MX 10 gmail-smtp-in.l.google.com.",
    "status": b"5.7.1 host mx.google.com[192.0.2.1] said: 550 5.7.1 too fast (in reply to MAIL)",
    "transport": b"a@gmail.com",
}
EXAMPLES = 20  # each is a start of the whole daemon or two
TABLES = {
    "position": ("id", "value"),
    "counters": ("family", "labels", "value"),
    "documents": ("name", "value"),
}


@pytest.fixture(autouse=True, scope="module")
def _rules_are_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        ready = prepare(CONFIG, None)
        patch.setattr(core_module, "prepare", lambda config, base: ready)
        yield


class Place:
    """A folder with a log and a state file that a daemon has written."""

    def __init__(self, folder: str) -> None:
        self.times = Times()
        self.log = Path(folder) / "mail.log"
        self.state = Path(folder) / "state.db"
        self.log.write_text(lines(SENT, 3) + lines(LIMITED, 9, 3))

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        clock = self.times.clock()
        made = Daemon(CONFIG, None, self.state, choose((str(self.log),), clock=clock), clock)
        try:
            yield made
        finally:
            made.store.close()
            made.follower.source.close()

    def write(self, statement: str, values: tuple[Any, ...]) -> None:
        with closing(sqlite3.connect(self.state)) as db, db:
            db.execute(statement, values)


def live(daemon: Daemon) -> None:
    """Read what is new, answer, show, save: what a daemon does."""
    now = daemon.clock()
    while (block := daemon.follower.source.read()) is not None:
        daemon.follower._take(block)
    assert daemon.follower.failures == 0
    daemon.sight.report(None, now)
    for name in MAPS:
        daemon.hooks.maps[name](KEYS[name], Session(), "")
    daemon.core.controller.due(now)
    finish(page(daemon.core, "log", True, {}))
    daemon.core.hurry()
    assert daemon.follower._commit().write()


def lived() -> dict[str, bytes]:
    """The documents of a core that has met trouble of several kinds."""
    times = Times()
    made = Core(CONFIG, clock=times.clock())
    made.process((lines(SENT, 3) + lines(LIMITED, 9, 3)).encode(), times.wall)
    made.controller.set_home("d1.example", Lane("", "google"))
    made.controller.pin("google", "slowed", 60.0, made.clock())
    made.controller.pin("yahoo", "suspended", 60.0, made.clock())
    made.maps["status"](KEYS["status"], Session(), "")
    return {name: take() for name, take in made.documents.items()}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS | st.sampled_from([1e308, -1.0, 0, 2**63, "suspended", "\ud800", float("nan")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
CELL = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=30) | (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | JSON.map(json.dumps)
)  # fmt: skip


def spoil(data: st.DataObject, value: Any) -> Any:
    """The value with something else at one place of it."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(
        value, list) else []  # fmt: skip
    if not inner or data.draw(st.integers(0, 5)) == 0:
        return data.draw(JSON)
    key = data.draw(st.sampled_from(inner))
    value[key] = spoil(data, value[key])
    return value


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_any_row_in_any_table_is_read_or_kept_aside(data: st.DataObject) -> None:
    """The daemon starts all the same, and the next start finds no damage."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        with place.daemon() as first:
            live(first)
        for _ in range(data.draw(st.integers(1, 4))):
            table = data.draw(st.sampled_from(sorted(TABLES)))
            columns = TABLES[table]
            values = [data.draw(CELL) for _ in columns]
            if table == "position":
                values[0] = 1
            marks = ", ".join("?" for _ in columns)
            try:
                place.write(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", tuple(values))
            except sqlite3.IntegrityError:
                continue  # SQLite itself refuses NULL here
        with place.daemon() as second:
            live(second)
        with place.daemon() as third:
            assert (third.store.damaged, third.store.damage) == (0, "")


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_any_document_can_be_met(data: st.DataObject) -> None:
    """A snapshot changed anywhere is taken or left out; questions are answered after it."""
    documents = lived()
    name = data.draw(st.sampled_from(sorted(documents)))
    seal, _, body = documents[name].partition(b"\n")
    part = data.draw(st.sampled_from(["seal", "body", "bytes"]))
    if part == "body":
        body = json.dumps(spoil(data, json.loads(body))).encode()
    elif part == "seal":
        seal = json.dumps(spoil(data, json.loads(seal))).encode()
    else:
        body = data.draw(st.binary(max_size=40))
    documents[name] = seal + b"\n" + body
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        store = Store.open(place.state)
        store.commit({}, [], documents)
        store.close()
        with place.daemon() as daemon:
            live(daemon)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, key))


def test_each_value_of_what_pacing_learnt_may_be_another() -> None:
    """One by one, each is replaced by what it is not; the lanes go on all the same."""
    saved = json.loads(lived()["throttle"].partition(b"\n")[2])
    now = Times().clock()()
    for path in list(leaves(saved)):
        for wrong in (None, "x", -1, 0, 1e308, float("nan"), [], {}, True):
            spoilt = node = json.loads(json.dumps(saved))
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = wrong
            pacer = Controller()
            pacer.restore(spoilt, now)
            for later in (now, now + 100.0):
                for state in pacer.lanes(later):
                    pacer.admit(state.lane, "d1.example", later)
                    state.turn(later)
                    pacer.explain(state.lane.receiver, later)
                pacer.due(later)
            json.dumps(pacer.snapshot(now))


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_any_position_can_be_gone_on_from(data: st.DataObject) -> None:
    """One that was changed anywhere leads somewhere in the log, or to its end."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        with place.daemon() as first:
            live(first)
        with closing(Store.open(place.state)) as store:
            position = spoil(data, dict(store.load().position))
        place.write("UPDATE position SET value = ?", (json.dumps(position),))
        with place.daemon() as second:
            live(second)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("INSERT INTO counters VALUES ('deliveries', '[\"google\"', 1)", ()),
        ("INSERT INTO counters VALUES ('colours', '[\"google\"]', 1)", ()),
        ("INSERT INTO counters VALUES (?, ?, ?)", (b"\xff", DEEP, -1)),
        ("UPDATE documents SET value = ? WHERE name = 'throttle'", (DEEP.encode(),)),
        ("UPDATE documents SET value = ? WHERE name = 'receivers'", (b"\xff\xfe",)),
    ],
)
def test_one_damaged_entry_is_kept_and_told(
    tmp_path: Path, statement: str, values: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the table `damaged`, on /healthz, in the log and counted; the rest is in use."""
    place = Place(str(tmp_path))
    with place.daemon() as first:
        live(first)
        before = first.core.counters.deliveries()
    place.write(statement, values)
    with place.daemon() as daemon:
        assert daemon.core.counters.deliveries() == before
        assert daemon.store.damaged == 1
        assert "kept in its table `damaged`" in daemon._troubles()["state"]
        assert any("could not be read" in record.getMessage() for record in caplog.records)
        live(daemon)
    with closing(sqlite3.connect(place.state)) as db:
        assert db.execute("SELECT count(*) FROM damaged").fetchone() == (1,)


@pytest.mark.parametrize("value", ["", "[]", "{", DEEP, '{"files": 5}', b"\xff"])
def test_a_damaged_position_counts_nothing_twice(tmp_path: Path, value: str | bytes) -> None:
    """Reading goes on at the end of the log, and a gap is told."""
    place = Place(str(tmp_path))
    with place.daemon() as first:
        live(first)
        before = first.core.counters.deliveries()
    place.write("UPDATE position SET value = ?", (value,))
    with place.daemon() as daemon:
        live(daemon)
        assert daemon.core.counters.deliveries() == before
        assert daemon.core.counters.gap_bytes > 0


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """A file with a hundred thousand damaged rows does not keep them all, nor long ones whole."""
    path = tmp_path / "state.db"
    Store.open(path).close()
    for start in range(3):
        with closing(sqlite3.connect(path)) as db, db:
            rows = [(f"f{start}-{number}", "[", b"x") for number in range(1500)]
            db.executemany("INSERT INTO counters VALUES (?, ?, ?)", rows)
            long = (f"{start}", b"z" * 3_000_000)
            db.execute("INSERT INTO counters VALUES ('long', ?, ?)", long)
        store = Store.open(path)
        store.load()
        store.close()
    with closing(sqlite3.connect(path)) as db:
        count, longest = db.execute("SELECT count(*), max(length(value)) FROM damaged").fetchone()
    assert count == 1000
    assert longest <= 1 << 20


def test_an_empty_file_says_that_nothing_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody emptied it, or the disk was full: that is not the same as a new one."""
    path = tmp_path / "state.db"
    path.touch()
    Store.open(path).close()
    assert [r.getMessage() for r in caplog.records] == [
        f"{path} is empty: beginning anew, nothing is known of before"
    ]
    Store.open(tmp_path / "new.db").close()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_no_state_goes_where_everybody_may_write(environ: dict[str, str]) -> None:
    """It is an error that says what to do."""
    with pytest.raises(MxheedError, match="HOME is not set; set it, or name a file with --state"):
        state_file("", environ, 1000)


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"HOME": "/home/u"}, "/home/u/.local/state/mxheed/mxheed.db"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "/s"}, "/s/mxheed/mxheed.db"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "s"}, "/home/u/.local/state/mxheed/mxheed.db"),
        ({"STATE_DIRECTORY": "/var/lib/x:/y"}, "/var/lib/x/mxheed.db"),
    ],
)
def test_the_state_is_where_this_user_keeps_such_things(
    environ: dict[str, str], where: str
) -> None:
    """systemd's directory, else the user's own."""
    assert state_file("", environ, 1000) == Path(where)
