"""Where machines are told apart, each has a past of its own; and new words are counted."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from policyd.config import Config, LogSettings
from policyd.core import Core
from policyd.memory.reading import Past
from policyd.process.clock import Clock
from policyd.store import Store

BEGIN = 1_790_000_000 // 3600 * 3600


class Running:
    """A core that writes what it remembers, at a time that goes on."""

    def __init__(self, path: Path, hosts: Literal["label", "report"] = "label") -> None:
        self.now = float(BEGIN)
        self.store = Store.open(path)
        clock = Clock(lambda: self.now, lambda: self.now)
        self.core = Core(Config(log=LogSettings(hosts=hosts)), clock=clock)
        saved = self.store.load()
        self.core.counters.load(saved.counters)
        self.core.restore(saved.documents)
        self.core.memory.begin((), self.store)

    def read(self, seconds: float, host: str, said: str = "") -> None:
        """A line of this machine."""
        at = BEGIN + seconds
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
        ending = (
            f"deferred (host mx.b.example[192.0.2.7] said: {said})" if said else "sent (250 ok)"
        )
        line = (
            f"{stamp} {host} postfix/smtp[12]: 4D{int(seconds):08X}: to=<a@b.example>, "
            f"relay=mx.b.example[192.0.2.7]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, "
            f"status={ending}\n"
        )
        self.now = max(self.now, at)
        self.core.process(line.encode(), at)

    def commit(self) -> None:
        """What the follower does."""
        notes = self.core.memory.take()
        documents = {name: take() for name, take in self.core.documents.items()}
        self.store.commit({}, self.core.counters.take(), documents, also=notes)

    def past(self, name: str) -> Counter[tuple[int, str]]:
        """What is stored, by minute and outcome."""
        cells = Past.open(self.store.path).cells(name, 0, self.now + 60, 60)
        return Counter({(c.time, word): n for c in cells for word, n in c.numbers.items()})


def test_each_machine_has_cells_of_its_own(tmp_path: Path) -> None:
    """By minute and outcome, over a restart and a commit that failed: the numbers of its lines."""
    path = tmp_path / "mxheed.db"
    running, truth = Running(path), Counter[tuple[str, int, str]]()
    for number in range(90):
        host, seconds = f"mx{number % 2 + 1}", number * 20
        running.read(seconds, host, "450 4.7.1 later" if number % 5 == 0 else "")
        outcome = "deferred" if number % 5 == 0 else "sent"
        truth[host, (BEGIN + seconds) // 60 * 60, outcome] += 1
        if number == 30:
            running.commit()
            running.store.close()
            running = Running(path)
        if number == 60:
            running.core.memory.take()
            running.core.memory.put_back()
    running.commit()
    for host in ("mx1", "mx2"):
        told = running.past(f"host:{host}")
        assert told == {(at, what): n for (name, at, what), n in truth.items() if name == host}
    running.store.close()


def test_nothing_is_kept_of_machines_that_are_not_told_apart(tmp_path: Path) -> None:
    """As long as nobody asked for it."""
    running = Running(tmp_path / "mxheed.db", "report")
    running.read(1, "mx1")
    running.read(2, "mx2")
    running.commit()
    assert running.past("host:mx1") == {}
    assert running.past("mx:b.example")
    running.store.close()


@pytest.mark.parametrize("age", [3600, 2 * 86_400])
def test_new_words_are_counted_by_receiver(age: int, tmp_path: Path) -> None:
    """What was never said before, within the last hour; in a memory that is older than a day."""
    running = Running(tmp_path / "mxheed.db")
    running.read(1, "mx1", "450 4.7.1 old words")
    running.commit()
    for number in range(7):
        running.read(age + number, "mx1", "450 4.7.1 words that nobody has heard")
        running.read(age + 100 + number, "mx1", "450 4.7.1 old words")
    running.commit()
    running.now += 20  # of two commits within ten seconds, one looks
    running.read(age + 130, "mx1", "450 4.7.1 words that nobody has heard")
    running.commit()
    assert running.core.memory.news == ({"mx:b.example": 8} if age > 86_400 else {})
    running.now += 3000
    assert running.core.memory.news == {}  # nobody has looked for long
    running.store.close()
