"""How much of the disk the memory takes: the promised bound, in the worst case and beyond it."""

from __future__ import annotations

from pathlib import Path
from random import Random

from policyd.counting.receivercounts import DELAY_PARTS
from policyd.memory.cell import pack
from policyd.memory.cells import TakenCells
from policyd.memory.days import pack_day
from policyd.memory.notes import Notes
from policyd.memory.reading import Past
from policyd.memory.settings import MemorySettings
from policyd.memory.trimming import HOURS
from policyd.memory.writing import WORDS, Writing, add_cells, word_ids
from policyd.store import Store
from policyd.store.database import transaction
from tests.policyd.test_memory_kept import Kept

RECEIVERS = 200
END = 500_016 + HOURS  # an hour that a day begins with
NOTHING = Notes(MemorySettings()).take()
COUNTED = (
    "sent",
    "deferred",
    "bounced",
    "held",
    "suspended",
    "reply accepted",
    "reply flow.rate",
)


def busy(pick: Random) -> dict[str, int]:
    """A cell as full as mail makes it; no two are alike, for what is alike takes no room."""
    cell = {word: pick.randrange(1, 1000) for word in COUNTED}
    cell |= {f"delay {bucket}": pick.randrange(1, 300) for bucket in range(2, 9)}
    cell |= {f"part {part}": pick.randrange(10_000_000) for part in DELAY_PARTS[:-1]}
    cell |= {"part count": pick.randrange(1, 1000), "seconds slowed": pick.randrange(1, 60)}
    return cell | {"delay sum": pick.randrange(10_000_000_000)}


def test_ninety_days_of_two_hundred_receivers_fit(tmp_path: Path) -> None:
    """All hours and a day of minutes, all of them busy: nothing has to go for the size."""
    store, settings, pick = Store.open(tmp_path / "mxheed.db"), MemorySettings(), Random(1)
    db, names = store._db, [f"mx:receiver{one}.example" for one in range(RECEIVERS)]
    assert db is not None
    pool = [busy(pick) for _ in range(2000)]
    add_cells(db, "minutes", {(0, name): cell for name, cell in zip(names, pool, strict=False)})
    db.execute("DELETE FROM minutes")
    words, ids = word_ids(db, pool[0]), word_ids(db, names)
    small = [{words[word]: number for word, number in cell.items()} for cell in pool]
    packed = [pack(cell) for cell in small]
    days = [pack_day(dict(enumerate(pick.sample(small, 24)))) for _ in range(500)]
    minutes = [
        (minute * WORDS + number, pick.choice(packed))
        for minute in range((END - 24) * 60, END * 60)
        for number in ids.values()
    ]
    hours = [
        (hour * WORDS + number, pick.choice(packed))
        for hour in range(END - 48, END - 24)  # a day that is folded while this is watched
        for number in ids.values()
    ]
    older = [
        (day * WORDS + number, pick.choice(days))
        for day in range((END - HOURS) // 24, END // 24 - 2)
        for number in ids.values()
    ]
    with transaction(db):
        db.executemany("INSERT INTO minutes VALUES (?, ?)", minutes)
        db.executemany("INSERT INTO hours VALUES (?, ?)", hours)
        db.executemany("INSERT INTO days VALUES (?, ?)", older)
    before = _sent(store)
    taken = TakenCells({(END * 60, name): pool[0] for name in names}, {})
    for _ in range(RECEIVERS // 20 + 2):
        store.commit({}, [], {}, also=Writing(taken, NOTHING, settings, (END + 1) * 3600.0).write)
        taken = TakenCells({}, {})
    assert db.execute("SELECT count(*) FROM hours").fetchone()[0] < len(hours)
    assert _sent(store) == before + pool[0]["sent"]
    size = Past.open(store.path).size()
    assert 35_000_000 < size < 45_000_000
    store.close()
    assert store.path.stat().st_size < 50_000_000


def _sent(store: Store) -> int:
    found = Past.open(store.path).cells("mx:receiver7.example", 0, (END + 9) * 3600.0, 86_400)
    return sum(cell.numbers["sent"] for cell in found)


def test_the_size_is_kept_whatever_comes(tmp_path: Path) -> None:
    """The oldest hours go first; the file does not grow beyond the setting, and stays usable."""
    kept = Kept(tmp_path / "mxheed.db", size=8)
    pick = Random(2)
    pool = [busy(pick) for _ in range(500)]
    for day in range(30):
        kept.now += 86_400
        hour = int(kept.now // 3600)
        taken = TakenCells({}, {
            (hour - number, f"r{one}"): pick.choice(pool)
            for number in range(24) for one in range(200)
        })  # fmt: skip
        for _ in range(2):
            writing = Writing(taken, NOTHING, MemorySettings(size=8), kept.now)
            kept.store.commit({"day": day}, [], {}, also=writing.write)
            taken = TakenCells({}, {})
    assert kept.store.path.stat().st_size < 9_000_000
    past = kept.past()
    assert past.size() < 8_500_000
    found = past.cells("r7", 0, kept.now + 1, 3600)
    assert 24 < len(found) < 30 * 24
    assert found[-1].time == int(kept.now // 3600) * 3600
    kept.store.close()
