"""The state file: where we are in the log and what was counted up to there, in one transaction.

Contract: `commit` writes all or nothing, so that after `kill -9` at any moment the counters are
those of exactly the lines before the stored position. The write-ahead log is not synced at every
commit: a power cut may lose the last commits, all parts of them alike. Values are absolute, so a
commit may be repeated; 0 is the same as no row. One process at a time: a lock beside the file.
Failure: `StoreError` from `open` where another mxheed uses the file or it is not for us to touch.
A damaged file is moved aside and a new one begun; single entries that cannot be read are kept in a
table of their own, told (`damage`), and the rest is used. Where the disk cannot be written, `open`
succeeds all the same (`trouble` says why), and `commit` raises `StoreError` until it can; the
caller goes on in memory. `wants_all` tells that the next commit must bring everything.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from policyd.errors import StoreError
from policyd.store.damage import Damage, Value, keep, read_rows
from policyd.store.database import Change, Saved, is_damage, open_database, stored, transaction

__all__ = ["Change", "Documents", "Saved", "Store", "Value"]

_log = logging.getLogger(__name__)

# Named snapshots that belong to the same moment as the counters
Documents = Mapping[str, Callable[[], bytes]]

Seen = TypeVar("Seen")

_NAMES = 50_000
_COMPANIONS = ("", "-wal", "-shm")
_BEGINNING = b"SQLite format 3\0"

_PUT = "INSERT OR REPLACE INTO counters (family, labels, value) VALUES (?, ?, ?)"
_DROP = "DELETE FROM counters WHERE family = ? AND labels = ?"
_PLACE = "INSERT OR REPLACE INTO position (id, value) VALUES (1, ?)"
_KEEP = "INSERT OR REPLACE INTO documents (name, value) VALUES (?, ?)"


class Store:
    """See the module. Not thread-safe; it may be used from one thread after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: str | None = None  # why nothing can be written at the moment
        self.damage = ""  # what of the file could not be read
        self.damaged = 0
        self.wants_all = False
        self._db: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._names: dict[tuple[str, ...], str] = {}  # labels as JSON: the same every second

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Store:
        """Open or create the state file."""
        store = cls(Path(path))
        try:
            store._connect()
        except StoreError:
            store.close()
            raise
        except (OSError, sqlite3.Error) as error:
            store._in_memory(error)
        return store

    def load(self) -> Saved:
        """The last commit; empty where there is none."""
        if self._db is not None:
            try:
                found = read_rows(self._db)
            except sqlite3.DatabaseError as error:
                self._set_aside(error)
                return Saved({}, [], {})
            self.keep_aside(found.damaged)
            return Saved(*found[:3])
        try:
            uri = f"{self.path.absolute().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as db:
                found = read_rows(db)
                self.keep_aside(found.damaged)
                return Saved(*found[:3])
        except sqlite3.Error:
            self.wants_all = True  # what is in the file now will not be what we go on from
            return Saved({}, [], {})

    def look(self, read: Callable[[sqlite3.Connection], Seen], without: Seen) -> Seen:
        """What somebody else's tables hold; `without`, where they cannot be read."""
        try:
            return without if self._db is None else read(self._db)
        except sqlite3.Error:
            return without

    def keep_aside(self, damages: Sequence[Damage]) -> None:
        """Entries that cannot be read leave their place for the table `damaged`, and it is told."""
        if not damages:
            return
        self.damaged += len(damages)
        self.wants_all = True  # the next commit leaves nothing of them in its place
        self.damage = f"{self.damaged} entries of {self.path} could not be read; the rest is in use"
        _log.error("%s (%s: %s)", self.damage, damages[0].place, damages[0].why)
        if self._db is not None:
            try:
                with transaction(self._db) as db:
                    keep(db, damages)
            except sqlite3.Error as error:
                _log.error("they cannot be kept: %s", error)
            else:
                self.damage += " and they are kept in its table `damaged`"

    def commit(
        self,
        position: Mapping[str, Any],
        counters: Iterable[Change],
        documents: Mapping[str, bytes],
        *,
        complete: bool = False,
        also: Callable[[sqlite3.Connection], None] = lambda db: None,
    ) -> None:
        """Write a consistent state; `complete`: `counters` and `documents` are all there is.

        What `also` writes is of the same transaction.
        """
        try:
            with transaction(self._db or self._connect()) as db:
                if complete:
                    db.execute("DELETE FROM counters")
                    db.execute("DELETE FROM documents")
                name = self._name
                rows = [(family, name(labels), value) for family, labels, value in counters]
                db.executemany(_DROP, [row[:2] for row in rows if row[2] == 0])
                db.executemany(_PUT, [(f, n, stored(v)) for f, n, v in rows if v != 0])
                db.execute(_PLACE, (json.dumps(position),))
                db.executemany(_KEEP, documents.items())
                also(db)
        except (OSError, sqlite3.Error) as error:
            if is_damage(error):
                self._set_aside(error)
            else:
                self._in_memory(error)
            raise StoreError(self.trouble or f"{self.path}: {error}") from error
        if self.trouble:
            _log.warning("%s: written again", self.path)
        self.trouble = None
        if complete:
            self.wants_all = False

    def sizes(self) -> dict[str, int]:
        """Bytes of the state file, and of the write-ahead log beside it."""
        found = {}
        for name, companion in (("state", ""), ("log", "-wal")):
            with suppress(OSError):
                found[name] = os.stat(f"{self.path}{companion}").st_size
        return found

    def close(self) -> None:
        """Close the file and give up the lock."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _name(self, labels: tuple[str, ...]) -> str:
        name = self._names.get(labels)
        if name is None:
            if len(self._names) >= _NAMES:
                self._names.clear()
            name = self._names[labels] = json.dumps(labels)
        return name

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._spare_foreign()
        self._take_lock()
        with suppress(FileNotFoundError):
            if not self.path.stat().st_size:
                _log.warning("%s is empty: beginning anew, nothing is known of before", self.path)
        try:
            self._db = open_database(self.path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._set_aside(error)
            self._db = open_database(self.path)
        return self._db

    def _spare_foreign(self) -> None:
        """A file that is no database, and that we never locked, is somebody's: a log, a list."""
        if self.path.exists() and not self.path.is_file():  # SQLite would wait at a pipe for ever
            raise OSError(errno.EINVAL, "is no regular file", str(self.path))
        if not self.path.exists() or self._lock_file.exists():
            return
        with self.path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
        if beginning.strip(b"\0") and beginning != _BEGINNING:  # a crash may leave zeros
            raise StoreError(f"{self.path} is no state file of mxheed: name another file")

    @property
    def _lock_file(self) -> Path:
        return Path(f"{self.path}.lock")

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        fd = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if isinstance(error, BlockingIOError):
                raise StoreError(
                    f"{self.path} is in use by another mxheed: stop it, or name another state file"
                ) from error
            raise
        self._lock = fd

    def _set_aside(self, error: Exception) -> None:
        """Keep a damaged file for whoever wants to look at it, and make room for a new one."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None
        self.wants_all = True
        number = 1
        while os.path.exists(f"{self.path}.damaged-{number}"):
            number += 1
        for companion in _COMPANIONS:
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{companion}", f"{self.path}.damaged-{number}{companion}")
        _log.error(
            "%s is damaged (%s): moved to %s.damaged-%d, beginning anew",
            self.path, error, self.path, number,
        )  # fmt: skip

    def _in_memory(self, error: Exception) -> None:
        trouble = f"{self.path} cannot be written ({error})"
        if trouble != self.trouble:
            _log.error("%s: going on in memory; a restart will forget what is new", trouble)
        self.trouble = trouble
