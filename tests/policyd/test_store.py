"""The state file: all or nothing, and never in the way."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.errors import StoreError
from policyd.store import Saved, Store, schema
from policyd.store.schema import VERSION
from policyd.store.sqlite import Change

ROWS: list[Change] = [
    ("deliveries", ("google", "sent"), 12),
    ("delay", ("google", "total"), [1, 2, 3, 4_000_000_000_000]),
    ("total", ("lines",), 2**53),
]
NOBODY = 65_534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file will be."""
    return tmp_path / "state" / "mxheed.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A new store."""
    store = Store.open(path)
    yield store
    store.close()


def again(store: Store) -> Saved:
    """What another process would find."""
    store.close()
    other = Store.open(store.path)
    saved = other.load()
    other.close()
    return saved


def test_a_new_store_is_empty(store: Store, path: Path) -> None:
    """Nothing is there, and the folder is made."""
    assert store.load() == Saved({}, [], {})
    assert path.exists()
    assert path.stat().st_mode & 0o007 == 0


def test_what_was_committed_is_there_again(store: Store) -> None:
    """Position, counters and documents, with their types."""
    store.commit({"log": "x", "files": [{"offset": 7}]}, ROWS, {"throttle": b"\x00\xff{}"})
    saved = again(store)
    assert saved.position == {"log": "x", "files": [{"offset": 7}]}
    assert sorted(saved.counters) == sorted(ROWS)
    assert saved.documents == {"throttle": b"\x00\xff{}"}


@given(
    st.lists(
        st.dictionaries(
            st.tuples(st.text(max_size=3), st.text(max_size=3)),
            st.integers(0, 2**62) | st.lists(st.integers(0, 2**62), min_size=1, max_size=3),
            max_size=4,
        ),
        max_size=5,
    )
)
def test_the_newest_value_counts(commits: list[dict[tuple[str, str], Any]]) -> None:
    """Values are absolute; a commit may be repeated; 0 is the same as no row."""
    store = Store(Path(":memory:"))
    store._db = _memory()
    expected: dict[tuple[str, tuple[str, ...]], Any] = {}
    for changes in commits:
        rows: list[Change] = [(family, (label,), v) for (family, label), v in changes.items()]
        for _ in range(2):
            store.commit({}, rows, {})
        expected.update({(family, labels): value for family, labels, value in rows})
    found = {(family, labels): value for family, labels, value in store.load().counters}
    assert found == {key: value for key, value in expected.items() if value != 0}
    store.close()


def test_a_complete_commit_replaces_all(store: Store) -> None:
    """What is not in it is gone."""
    store.commit({}, ROWS, {"a": b"1", "b": b"2"})
    store.commit({}, ROWS[:1], {"a": b"3"}, complete=True)
    saved = again(store)
    assert saved.counters == ROWS[:1]
    assert saved.documents == {"a": b"3"}


def test_a_commit_is_all_or_nothing(store: Store) -> None:
    """What fails in the middle leaves the commit before, whole."""
    store.commit({"at": 1}, ROWS, {"a": b"1"})
    bad: Any = {"a": b"2", "b": object()}  # no such type in SQLite: fails after the counters
    with pytest.raises(StoreError):
        store.commit({"at": 2}, [("deliveries", ("google", "sent"), 99)], bad)
    saved = again(store)
    assert (saved.position, saved.documents) == ({"at": 1}, {"a": b"1"})
    assert sorted(saved.counters) == sorted(ROWS)


def test_what_is_written_beside_is_of_the_same_commit(store: Store) -> None:
    """All of it or nothing: also where the part that others write fails."""

    def also(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO words (word) VALUES ('google')")
        db.execute("INSERT INTO nowhere VALUES (1)")

    store.commit({"at": 1}, ROWS, {})
    with pytest.raises(StoreError):
        store.commit({"at": 2}, [], {"a": b"2"}, also=also)
    assert store.look(lambda db: db.execute("SELECT * FROM words").fetchall(), [("x",)]) == []
    saved = again(store)
    assert (saved.position, saved.documents) == ({"at": 1}, {})


def test_one_process_at_a_time(store: Store, path: Path) -> None:
    """Two daemons on one state would count everything twice."""
    with pytest.raises(StoreError, match="in use by another mxheed"):
        Store.open(path)
    store.close()
    Store.open(path).close()


@pytest.mark.parametrize("offset", [0, 100, 4096, 8192])
def test_a_damaged_file_is_moved_aside(
    store: Store, path: Path, offset: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The daemon begins anew, says so, and keeps the file for whoever wants to look at it."""
    store.commit({"at": 1}, [("f", (str(n),), n + 1) for n in range(500)], {})
    store.close()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * 3000)
    other = Store.open(path)
    assert other.load() == Saved({}, [], {})
    assert other.wants_all
    assert "is damaged" in caplog.text
    assert path.with_name("mxheed.db.damaged-1").exists()
    other.commit({"at": 2}, ROWS, {}, complete=True)
    assert not other.wants_all
    assert again(other).position == {"at": 2}


def test_a_file_of_somebody_else_is_left_alone(path: Path) -> None:
    """Where the configuration names a log or a list as state file, it keeps its name and bytes."""
    path.parent.mkdir()
    path.write_text("Nov 28 12:00:00 host postfix/qmgr[1]: 4ABC: removed\n")
    with pytest.raises(StoreError, match="name another file"):
        Store.open(path)
    assert path.read_text().startswith("Nov 28")
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A folder or a pipe in its place: the daemon goes on in memory, and says so."""
    path = tmp_path / "mxheed.db"
    make(path)
    store = Store.open(path)
    assert "is no regular file" in (store.trouble or "")
    assert os.listdir(tmp_path) == [path.name]
    store.close()


def test_a_file_damaged_while_in_use_is_moved_aside(store: Store, path: Path) -> None:
    """The commit fails; the next one, with everything, begins a new file."""
    store.commit({"at": 1}, [("f", (str(n),), n + 1) for n in range(5000)], {})
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    with path.open("r+b") as file:
        file.write(b"\xa5" * path.stat().st_size)
    store._db.execute("PRAGMA cache_size = 0")  # type: ignore[union-attr]
    with pytest.raises(StoreError):
        store.commit({"at": 2}, [("f", (str(n),), 7) for n in range(5000)], {})
    assert store.wants_all
    store.commit({"at": 3}, ROWS, {}, complete=True)
    assert again(store).position == {"at": 3}


def test_a_truncated_file_is_no_obstacle(path: Path) -> None:
    """An empty file, as a full disk leaves it, is like no file."""
    path.parent.mkdir()
    path.touch()
    store = Store.open(path)
    assert store.load() == Saved({}, [], {})
    store.close()


def test_a_newer_schema_is_left_alone(store: Store, path: Path) -> None:
    """An older mxheed does not touch what a newer one wrote."""
    store.close()
    _execute(path, f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(
        StoreError, match=rf"newer mxheed \(schema {VERSION + 1}, .* knows {VERSION}"
    ):
        Store.open(path)
    assert path.read_bytes() == before


def test_another_programs_file_is_left_alone(path: Path) -> None:
    """A state file named by mistake is not filled with our tables."""
    path.parent.mkdir()
    _execute(path, "CREATE TABLE mailboxes (name)")
    with pytest.raises(StoreError, match="another program"):
        Store.open(path)


def test_a_file_without_tables_is_filled(path: Path) -> None:
    """Version 0 is brought to this version step by step."""
    path.parent.mkdir()
    _execute(path, "PRAGMA user_version = 0")
    store = Store.open(path)
    assert store._db is not None
    assert store._db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    store.close()


def test_an_older_schema_is_brought_up_to_date(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older mxheed stored is there after the update, and the new tables are."""
    store.commit({"at": 1}, ROWS, {"a": b"1"})
    store.close()
    newer = (*schema.STEPS, ("CREATE TABLE later (name TEXT)", "INSERT INTO later VALUES ('x')"))
    monkeypatch.setattr(schema, "STEPS", newer)
    monkeypatch.setattr(schema, "VERSION", len(newer))
    for _ in range(2):  # a step is taken once
        other = Store.open(path)
        assert other.load().position == {"at": 1}
        assert other._db is not None
        assert other._db.execute("SELECT name FROM later").fetchall() == [("x",)]
        other.close()


def test_a_migration_is_all_or_nothing(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that fails leaves the file as it was."""
    store.commit({"at": 1}, ROWS, {})
    store.close()
    broken = (*schema.STEPS, ("CREATE TABLE later (name TEXT)", "no statement"))
    monkeypatch.setattr(schema, "STEPS", broken)
    monkeypatch.setattr(schema, "VERSION", len(broken))
    Store.open(path).close()
    monkeypatch.undo()
    other = Store.open(path)
    assert other._db is not None
    tables = {name for (name,) in other._db.execute("SELECT name FROM sqlite_master")}
    assert "later" not in tables
    assert other.load().position == {"at": 1}
    other.close()


@pytest.fixture
def read_only(store: Store, path: Path) -> Iterator[Path]:
    """A state file with a commit in it, which we may read but not write."""
    store.commit({"at": 1}, ROWS, {"a": b"1"})
    store.close()
    for folder in (path.parent, *path.parent.parents):
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o111 != 0o111:
            folder.chmod(0o755)
    path.parent.chmod(0o555)
    path.chmod(0o444)
    if not os.geteuid():
        os.seteuid(NOBODY)
    yield path
    if os.getuid() == 0:
        os.seteuid(0)
    path.parent.chmod(0o755)
    path.chmod(0o644)


def test_a_disk_that_cannot_be_written_is_no_obstacle(
    read_only: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is stored is read, the daemon goes on in memory, and it is said once."""
    store = Store.open(read_only)
    assert store.trouble is not None
    saved = store.load()
    assert (saved.position, saved.documents) == ({"at": 1}, {"a": b"1"})
    assert sorted(saved.counters) == sorted(ROWS)
    for number in range(3):
        with pytest.raises(StoreError, match="cannot be written"):
            store.commit({"at": number}, [], {})
    assert caplog.text.count("going on in memory") == 1
    if os.getuid() == 0:
        os.seteuid(0)
    read_only.parent.chmod(0o755)
    read_only.chmod(0o644)
    store.commit({"at": 5}, [], {})
    assert store.trouble is None
    assert again(store).position == {"at": 5}


def test_a_full_disk_is_waited_for(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A commit that does not fit fails, and works again when there is room."""
    assert store._db is not None
    store.commit({"at": 1}, [], {})
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            store.commit({"at": 2}, [], {"large": b"x" * 1_000_000})
    assert caplog.text.count("going on in memory") == 1
    assert store.load().position == {"at": 1}
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.commit({"at": 2}, [], {"large": b"x" * 1_000_000})
    assert store.trouble is None
    assert again(store).position == {"at": 2}


def test_a_file_removed_while_in_use_harms_nobody(store: Store, path: Path) -> None:
    """Who removes the state gets a new beginning at the next start, not a half one."""
    store.commit({"at": 1}, ROWS, {})
    shutil.rmtree(path.parent)
    store.commit({"at": 2}, ROWS, {})
    assert again(store) == Saved({}, [], {})


def _memory() -> sqlite3.Connection:
    from policyd.store.schema import migrate

    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, "memory")
    return db


def _execute(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()
