"""What the memory keeps in the state file, for how long, and how much of the disk it takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policyd.counting.counters import Counters
from policyd.errors import StoreError
from policyd.memory.cells import DAY
from policyd.memory.memory import Memory
from policyd.memory.notes import KEPT_SAMPLES
from policyd.memory.reading import Past
from policyd.memory.settings import MemorySettings
from policyd.memory.trimming import HOURS, size_of
from policyd.memory.writing import KEPT_STEPS, KEPT_TEXTS
from policyd.store import Store
from tests.policyd.throttle_parts import BIG, NOW, controller, evidence

ADDRESS = "jane.doe@d1.test"
OLD = (  # the schema of version 1, as it was
    "CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)",
    "CREATE TABLE counters (family TEXT NOT NULL, labels TEXT NOT NULL, value NOT NULL,"
    " PRIMARY KEY (family, labels)) WITHOUT ROWID",
    "CREATE TABLE documents (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "INSERT INTO position VALUES (1, '{\"at\": 7}')",
    "INSERT INTO counters VALUES ('deliveries', '[\"google\", \"sent\"]', 12)",
    "INSERT INTO documents VALUES ('throttle', x'7b7d')",
    "PRAGMA application_id = 1836607588",
    "PRAGMA user_version = 1",
)


class Kept:
    """A store with a memory, and its clock."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.now = NOW
        self.store = Store.open(path)
        self.counters = Counters()
        self.counters.load(self.store.load().counters)
        self.memory = Memory(
            self.counters, MemorySettings(**settings), lambda: self.now, lambda: self.now
        )
        self.memory.begin((), self.store)

    def commit(self, documents: Any = None) -> None:
        """One commit, as the follower does it."""
        notes, changes = self.memory.take(), self.counters.take()
        try:
            self.store.commit({"at": self.now}, changes, documents or {}, also=notes)
        except StoreError:
            self.counters.put_back(changes)
            self.memory.put_back()
            raise

    def pass_by(self, seconds: float, commits: int = 3) -> None:
        """Time goes, and a little is forgotten at each of some commits."""
        self.now += seconds
        for _ in range(commits):
            self.now += 11.0
            self.commit()

    def sent(self, count: int) -> None:
        """So many recipients were accepted in this minute."""
        self.memory.reached(int(self.now))
        tally = self.counters.tally("google")
        tally.sent += count
        tally.dirty = True

    def past(self) -> Past:
        """What a command reads beside us."""
        return Past.open(self.store.path)

    def hear(self, outcome: str = "deferred", **changes: Any) -> None:
        """One recipient's line."""
        told = {"receiver": "google", "recipient": ADDRESS, "time": self.now} | changes
        self.memory.heard(evidence(outcome, **told), self.now)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """A new one; its receiver has a row in the counters."""
    found = Kept(tmp_path / "mxheed.db")
    found.sent(1)
    found.commit()
    yield found
    found.store.close()


def sums(kept: Kept, span: int) -> dict[int, int]:
    cells = kept.past().cells("google", 0, kept.now + 60, span)
    return {cell.time: cell.numbers["sent"] for cell in cells}


def test_a_minutes_commits_add_up(kept: Kept) -> None:
    """Several commits, and a restart between them, make one cell."""
    for count in (3, 4):
        kept.sent(count)
        kept.commit()
    kept.store.close()
    again = Kept(kept.store.path)
    again.sent(5)
    again.commit()
    assert sums(again, 60) == {int(NOW // 60) * 60: 1 + 3 + 4 + 5}
    again.store.close()


def test_a_commit_that_failed_is_remembered_once(kept: Kept) -> None:
    """What it held comes with the next one: numbers, changes, samples and trails."""
    kept.sent(3)
    kept.hear()
    with pytest.raises(StoreError):
        kept.commit({"bad": object()})
    kept.sent(4)
    kept.hear()
    kept.commit()
    assert sums(kept, 60) == {int(NOW // 60) * 60: 8}
    assert len(kept.past().samples("google")) == len(kept.past().trail("Q1")) == 2
    assert [text.heard for text in kept.past().texts(0)] == [2]


def test_minutes_become_hours_after_a_day(kept: Kept) -> None:
    """Each number is in one of them, whenever one looks; and hours go after 90 days."""
    for _ in range(90):
        kept.now += 60
        kept.sent(2)
        kept.commit()
    assert len(sums(kept, 60)) == 91
    kept.pass_by(DAY * 60 - 1800)
    assert sum(sums(kept, 60).values()) == 181
    kept.pass_by(7200)
    assert sums(kept, 60) == sums(kept, 3600)
    assert sum(sums(kept, 3600).values()) == 181
    kept.pass_by(HOURS * 3600)
    assert sums(kept, 3600) == {}


def test_the_latest_samples_of_each_rule_are_kept(kept: Kept) -> None:
    """The last twenty of each receiver and rule, without the addresses that were in them."""
    for number in range(30):
        kept.hear(rule="a", reply=f"550 no {ADDRESS} at 192.0.2.{number} today {number}")
    kept.hear(rule="b", reply="550 \ud800 other")
    kept.commit()
    for number in range(5):
        kept.hear(rule="a", reply=f"551 {number}")
    kept.commit()
    found = kept.past().samples("google", "a")
    assert len(found) == KEPT_SAMPLES
    assert [one.reply for one in found][-6:] == [
        "550 no x@x.x at 0.0.0.0 today 29", *(f"551 {number}" for number in range(5)),
    ]  # fmt: skip
    assert len(kept.past().samples("google")) == KEPT_SAMPLES + 1


def test_texts_of_one_form_are_one(kept: Kept) -> None:
    """Numbers and ids do not make a text new; the first and the last time are told."""
    kept.hear(reply="450 try in 5 minutes, id 4f9XkQ")
    kept.commit()
    kept.now += 100
    kept.hear(reply="450 try in 7 minutes, id 34794A")
    kept.hear(reply="450 something else")
    kept.commit()
    found = kept.past().texts(0)
    assert [(text.heard, text.first, text.last) for text in found] == [
        (2, NOW, NOW + 100), (1, NOW + 100, NOW + 100),
    ]  # fmt: skip
    assert [text.reply for text in kept.past().texts(NOW + 1)] == ["450 something else"]


def test_who_always_says_something_new_costs_nobody_elses_texts(kept: Kept) -> None:
    """Texts are bounded for each receiver."""
    kept.hear(receiver="other", reply="450 mine")
    for first in range(26):
        for second in range(26):
            kept.hear(reply=f"450 {chr(97 + first)}{chr(97 + second)}")
    kept.commit()
    found = kept.past().texts(0)
    assert len([text for text in found if text.receiver == "google"]) == KEPT_TEXTS
    assert "450 mine" in [text.reply for text in found]


def test_a_trail_is_kept_while_the_message_waits_and_a_day_after(kept: Kept) -> None:
    """From the first hold or deferral on, with what came of it; then it goes by itself."""
    kept.hear("sent", queue_id="QUICK")
    kept.hear("held", reply="")
    kept.commit()
    kept.now += 60
    kept.hear("deferred")
    kept.hear("sent")
    kept.commit()
    kept.pass_by(3 * 86400)
    assert [step.event for step in kept.past().trail("Q1")] == ["held", "deferred", "sent"]
    assert kept.past().trail("QUICK") == []
    kept.memory.gone("Q1")
    kept.pass_by(0)
    assert kept.past().ended("Q1") is not None
    kept.pass_by(86_000)
    assert kept.past().trail("Q1")
    kept.pass_by(86_400)
    assert kept.past().trail("Q1") == []
    assert kept.past().ended("Q1") is None


def test_a_trail_goes_on_after_a_restart(kept: Kept) -> None:
    """That a message is followed is known to the next run."""
    kept.hear("deferred")
    kept.commit()
    kept.store.close()
    again = Kept(kept.store.path)
    again.hear("sent")
    again.commit()
    assert [step.event for step in again.past().trail("Q1")] == ["deferred", "sent"]
    again.store.close()


def test_the_trail_of_a_message_that_nobody_hears_of_goes(kept: Kept) -> None:
    """Its end was in a part of the log that was not seen."""
    kept.hear("deferred")
    kept.pass_by(6 * 86400)
    assert kept.past().trail("Q1")
    kept.pass_by(2 * 86400)
    assert kept.past().trail("Q1") == []


def test_one_message_with_many_recipients_is_bounded(kept: Kept) -> None:
    """Its latest steps are kept."""
    for number in range(2 * KEPT_STEPS):
        kept.hear("deferred", recipient=f"u{number}@d1.test")
    kept.commit()
    found = kept.past().trail("Q1")
    assert len(found) == KEPT_STEPS
    assert found[-1].recipient == f"u{2 * KEPT_STEPS - 1}@d1.test"


def test_nothing_personal_is_noted_where_it_is_switched_off(tmp_path: Path) -> None:
    """Settings of 0: no trail, no sample, no change; and what was there goes."""
    kept = Kept(tmp_path / "mxheed.db")
    pacer = controller()
    pacer.on_change = kept.memory.changed
    for _ in range(2):
        kept.hear("deferred")
        pacer.pin(BIG.receiver, "slowed", 10.0, kept.now)
        pacer.cancel(BIG.receiver, kept.now)
        kept.commit()
        kept.memory.use(MemorySettings(trails=0, samples=0, transitions=0))
    kept.pass_by(0)
    past = kept.past()
    assert (past.trail("Q1"), past.samples("google"), past.texts(0)) == ([], [], [])
    assert past.transitions(BIG.receiver) == []
    kept.store.close()


def test_changes_of_a_lane_tell_their_cause(kept: Kept) -> None:
    """What was said and how often, masked; and the seconds of each state are in their minutes."""
    pacer = controller()
    pacer.on_change = kept.memory.changed
    kept.counters.tally(BIG.receiver)
    pacer.admit(BIG, "d1.test", NOW)
    said = f"421 4.7.0 {ADDRESS} is too fast"
    pacer.observe(evidence("deferred", time=NOW, reply=said, retry_after=100.0), NOW)
    kept.now = NOW + 50
    kept.commit()
    pacer.cancel(BIG.receiver, NOW + 90)
    kept.now = NOW + 90
    kept.commit()
    first, last = kept.past().transitions(BIG.receiver)
    assert (first.before, first.after, first.cause) == ("free", "suspended", "refused")
    assert (first.rule, first.reply) == ("generic.rate", "421 4.7.0 x@x.x is too fast")
    assert first.evidence == '[["generic.rate", "flow.rate", 1]]'
    assert (last.before, last.after, last.cause) == ("suspended", "free", "recovered")
    cells = kept.past().cells(BIG.receiver, 0, NOW + 200, 60)
    assert [cell.some("seconds ") for cell in cells] == [{"suspended": 20}, {"suspended": 60},
                                                         {"suspended": 10}]  # fmt: skip


def test_a_file_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """What it holds is there, and the memory begins; counted before is not counted anew."""
    path = tmp_path / "mxheed.db"
    db = sqlite3.connect(path, isolation_level=None)
    for statement in OLD:
        db.execute(statement)
    db.close()
    with pytest.raises(StoreError, match="older mxheed"):
        Past.open(path)
    kept = Kept(path)
    saved = kept.store.load()
    assert (saved.position, saved.documents) == ({"at": 7}, {"throttle": b"{}"})
    assert saved.counters == [("deliveries", ("google", "sent"), 12)]
    kept.sent(3)
    kept.commit()
    assert list(sums(kept, 60).values()) == [3]
    kept.store.close()


def test_a_damaged_cell_begins_anew(kept: Kept) -> None:
    """A byte that went wrong costs its cell, not the commit."""
    db = kept.store._db
    assert db is not None
    db.execute("UPDATE minutes SET cell = x'ff'")
    kept.sent(3)
    kept.commit()
    assert list(sums(kept, 60).values()) == [3]
    assert size_of(db) > 0


def test_no_file_and_no_memory_are_told(tmp_path: Path) -> None:
    """With words that say what to do."""
    with pytest.raises(StoreError, match="there is no state file"):
        Past.open(tmp_path / "none.db")
    (tmp_path / "odd.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        Past.open(tmp_path / "odd.db")
