"""`mxheed history`, `trail` and `forget`, on a state file that a whole core has written."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policyd.cli import main
from policyd.config import Config
from policyd.core import Core
from policyd.memory.forgetting import forget
from policyd.process.clock import Clock
from policyd.store import Store

ADDRESS = "jane.roe@gmail.com"
RELAY = "gmail-smtp-in.l.google.com[192.0.2.26]:25"
TIMES = "delay=1.5, delays=0.1/0.1/0.2/1.1"
SAID = (
    "host gmail-smtp-in.l.google.com[192.0.2.26] said: 421-4.7.28 Gmail has detected an unusual "
    f"rate of mail for {ADDRESS} (in reply to end of DATA command)"
)
HELD = "Error looking up name=gmail.com type=MX: DNS reply filter drops all results"
MINUTES = 90


def log(begin: float) -> Iterator[tuple[float, str, str]]:
    """(time, what became of it, line): a message every ten seconds, some refused, one held."""
    for number in range(MINUTES * 6):
        when, queue_id = begin + number * 10, f"4D{number:08X}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(when))
        head = f"{stamp} mx1 postfix/smtp[12]: {queue_id}: to="
        if number % 30 == 7:
            said = f"relay={RELAY}, {TIMES}, dsn=4.7.28, status=deferred ({SAID})"
            yield when, "deferred", f"{head}<{ADDRESS}>, {said}"
        elif number % 30 == 8:
            held = f"relay=none, {TIMES}, dsn=4.4.3, status=deferred ({HELD})"
            yield when, "held", f"{head}<{ADDRESS}>, {held}"
        else:
            said = f"relay={RELAY}, {TIMES}, dsn=2.0.0, status=sent (250 2.0.0 OK)"
            yield when, "sent", f"{head}<bob@gmail.com>, {said}"
        if number % 30 == 8:
            said = f"relay={RELAY}, {TIMES}, dsn=2.0.0, status=sent (250 2.0.0 OK {ADDRESS})"
            yield when, "sent", f"{head}<{ADDRESS}>, {said}"
        if number % 30 != 7:
            yield when, "", f"{stamp} mx1 postfix/qmgr[9]: {queue_id}: removed"


class Written:
    """A state file, its writer, and the truth about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store.open(path)
        self.core = Core(Config(), clock=Clock())
        self.core.memory.begin((), self.store)
        now = time.time()
        lines = list(log(now - MINUTES * 60 - 60))
        block = "".join(f"{line}\n" for _, _, line in lines).encode()
        for start in range(0, len(lines), 200):  # several blocks, of many minutes each
            part = "".join(f"{line}\n" for _, _, line in lines[start : start + 200])
            self.core.process(part.encode(), now)
        assert len(block) > 50_000
        self.truth = Counter(
            (int(when // 60) * 60, outcome) for when, outcome, _ in lines if outcome
        )
        self.commit()

    def commit(self) -> None:
        """What the follower does."""
        notes = self.core.memory.take()
        documents = {name: take() for name, take in self.core.documents.items()}
        self.store.commit({}, self.core.counters.take(), documents, also=notes)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """Written by a daemon that still runs."""
    found = Written(tmp_path / "mxheed.db")
    yield found
    found.store.close()


def told(written: Written, *words: str) -> list[str]:
    return [*words, "--state", str(written.path)]


def test_the_history_is_the_logs(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    """Each minute has what the log says of it, by outcome; so have hours, and both add up."""
    words = ("history", "google", "--since", "3h", "--json", "--by")
    assert main(told(written, *words, "minute")) == 0
    answer = json.loads(capsys.readouterr().out)
    found = {
        (cell["time"], outcome): count
        for cell in answer["cells"]
        for outcome, count in cell["outcomes"].items()
    }
    assert found == written.truth
    assert 0 < answer["bytes"] < 1_000_000
    assert main(told(written, *words, "hour")) == 0
    hours = json.loads(capsys.readouterr().out)["cells"]
    for part in ("outcomes", "replies", "delays"):
        assert added(hours, part) == added(answer["cells"], part)
    parts = added(answer["cells"], "delay_parts")
    assert parts
    assert added(hours, "delay_parts") == pytest.approx(parts)
    assert sum(added(hours, "delays").values()) == sum(
        count for (_, outcome), count in written.truth.items() if outcome != "held"
    )


def test_parts_of_the_delays_are_the_logs(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many deliveries as have delays, and the sum of each part in seconds."""
    assert main(told(written, "history", "google", "--since", "3h", "--json")) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    many, parts = sum(added(cells, "delays").values()), added(cells, "delay_parts")
    assert parts == pytest.approx(
        {"count": many, "before_queue": 0.1 * many, "in_queue": 0.1 * many,
         "connect": 0.2 * many, "send": 1.1 * many}
    )  # fmt: skip


def added(cells: list[Any], part: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for cell in cells:
        total.update(cell[part])
    return total


def test_history_speaks_to_people(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    """A line an hour with the mail's numbers, and each change of a lane with its cause."""
    written.core.controller.pin("google", "slowed", 60.0, written.core.clock())
    written.commit()
    assert main(told(written, "history", "google", "--since", "3h")) == 0
    shown = capsys.readouterr().out
    assert "accepted" in shown
    assert "0.1/0.1/0.2/1.1" in shown
    assert "free → slowed (operator)" in shown or "→ slowed (operator)" in shown
    assert "the state file holds 0." in shown
    assert "new words, heard 18×  google.flow" in shown
    assert ADDRESS not in shown
    assert main(told(written, "history", "nobody")) == 0
    assert "nothing is remembered of nobody in the last 1d" in capsys.readouterr().out


def test_a_trail_tells_holds_and_attempts(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    """What became of a held message, until it left the queue; of others nothing is kept."""
    assert main(told(written, "trail", "4D00000008", "--json")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [(step["event"], step["recipient"]) for step in answer["steps"]] == [
        ("held", ADDRESS), ("sent", ADDRESS),
    ]  # fmt: skip
    assert answer["ended"] is not None
    assert main(told(written, "trail", "4D00000007")) == 0
    assert "421 4.7.28" in capsys.readouterr().out
    assert main(told(written, "trail", "4D00000001")) == 1
    assert "never held or deferred" in capsys.readouterr().err


def traces(folder: Path) -> dict[str, int]:
    """How often the address stands in each file, in any case and either half."""
    words = (ADDRESS.encode(), b"jane.roe")
    return {
        path.name: count
        for path in folder.iterdir()
        if (count := sum(path.read_bytes().lower().count(word) for word in words))
    }


def test_forget_leaves_no_byte_of_an_address(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    """In no page of the file, used or free, nor in its log, though the daemon has it open."""
    assert "mxheed.db" in traces(written.path.parent) or "mxheed.db-wal" in traces(
        written.path.parent
    )
    assert main(told(written, "forget", "Jane.Roe@gmail.com")) == 0
    assert "entries are gone; no byte" in capsys.readouterr().out
    assert traces(written.path.parent) == {}
    assert main(told(written, "trail", "4D00000008")) == 1
    written.commit()  # the daemon goes on
    assert traces(written.path.parent) == {}
    assert main(told(written, "history", "google", "--since", "3h", "--json")) == 0


def test_forget_takes_what_is_about_to_be_written(written: Written) -> None:
    """An address that the daemon has heard and not yet written is gone as well."""
    line = next(line for _, outcome, line in log(time.time() - 600) if outcome == "deferred")
    lines = line.replace("4D00000007", "4DFFFFFFFF") + "\n"
    written.core.process(lines.encode(), time.time())
    assert forget(written.path, ADDRESS, written.commit) > 0
    assert traces(written.path.parent) == {}


def test_forget_clears_what_an_earlier_program_deleted(written: Written) -> None:
    """A SQLite that leaves deleted bytes in free pages had the file before: they go as well."""
    written.store.close()
    db = sqlite3.connect(written.path, isolation_level=None)
    db.execute("PRAGMA secure_delete = OFF")
    db.execute("DELETE FROM trails")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert "mxheed.db" in traces(written.path.parent)
    forget(written.path, ADDRESS, lambda: None)
    assert traces(written.path.parent) == {}


def test_what_ran_out_of_time_leaves_no_byte_either(written: Written) -> None:
    """A trail's retention is the file's too: what is deleted is overwritten, not only unlinked."""
    written.core.memory.use(written.core.config.memory.__class__(trails=0))
    for _ in range(3):
        written.core.memory._next = float("-inf")
        written.commit()
    db = written.store._db
    assert db is not None
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert traces(written.path.parent) == {}


def test_what_is_no_address_or_no_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is done, and it is said why."""
    assert main(["forget", "jane", "--state", str(tmp_path / "x.db")]) == 2
    assert main(["forget", ADDRESS, "--state", str(tmp_path / "x.db")]) == 1
    assert "there is no state file" in capsys.readouterr().err
    assert main(["history", "google", "--since", "long", "--state", str(tmp_path / "x.db")]) == 2
    assert main(["history", "google", "--by", "week", "--state", str(tmp_path / "x.db")]) == 2
    assert list(tmp_path.iterdir()) == []
