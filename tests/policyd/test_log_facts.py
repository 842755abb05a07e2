"""What is told of each log: how fast its lines come, how it is read, and what is not understood."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from logparse.auto import AutoParser
from logparse.source import SourceStatus
from policyd.config import Config, LogSettings
from policyd.core import Core
from policyd.counting.counters import Counters
from policyd.counting.facts import SPAN, LogFacts, SourceFacts
from policyd.counting.here import Here, Role
from policyd.counting.machines import Machines
from policyd.counting.pipeline import Pipeline
from policyd.counting.unread import Unread
from policyd.metrics.sources import Health, metrics
from policyd.process.reloading import Reloads
from policyd.serve.session import HookCounts
from tests.policyd.clocks import still
from tests.policyd.test_pipeline import classify, receiver_of

NOW = 1_795_500_000.0
STAMP = "2026-11-24T05:{:02d}:{:02d}+00:00"  # NOW is 06:00:00
SENT = (
    " {} postfix/smtp[411]: 4BcdFg{:02d}zz: to=<u@example.net>, relay=mx.example.net[192.0.2.7]:25,"
    " delay=1, delays=0.1/0.1/0.3/0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n"
)
ODD = " {} postfix/smtp[411]: 4BcdFg99zz: to=<u@example.net>, relay=, status=sent (250 Ok)\n"
CONNECT = " {} postfix/smtpd[9]: connect from unknown[192.0.2.9]\n"


class Counting:
    """The parts of a core that count."""

    def __init__(self, shown: bool = True) -> None:
        self.counters = Counters(5000)
        self.unread = Unread(lambda: self.machines.source)
        self.machines = Machines(self._make, AutoParser, Here(lambda: ("mx0",)), shown=shown)
        self.logs: tuple[SourceStatus, ...] = ()
        self.facts = LogFacts(self, lambda: self.logs)

    def _make(self, role: Role, machine: str) -> Pipeline:
        return Pipeline(classify, receiver_of, self.counters, on_unparsed=self.unread.take)

    def read(self, source: str, lines: Iterable[str], machine: str = "mx0") -> None:
        """A line a second, up to `NOW`."""
        texts = list(lines)
        block = "".join(
            STAMP.format(59, 60 - len(texts) + number) + line.format(machine, number)
            for number, line in enumerate(texts)
        )
        self.machines.enter(source, False)
        self.machines.process(block.encode(), NOW)

    def of(self, key: str) -> SourceFacts:
        """What is told of one log."""
        keys = [status.key for status in self.logs]
        return self.facts.of_logs()[keys.index(key)]


ALONE = (SourceStatus("", "/var/log/mail.log", "file"),)
TWO = (
    SourceStatus("/a", "/a", "file", "", True, 0, 0),
    SourceStatus("/b", "/b", "glob", "permission denied", False, 4096, 17),
)


def test_rates_are_over_the_last_minute() -> None:
    """Lines and deliveries a second of one log, and none before there were two looks."""
    counting = Counting()
    counting.logs = ALONE
    counting.facts.note(0.0)
    counting.read("", [SENT] * 20 + [CONNECT] * 10)
    assert counting.of("").lines_per_second == 0.0
    counting.facts.note(4.0)  # too soon for a look
    assert counting.of("").lines_per_second == 0.0
    counting.facts.note(5.0)
    counting.facts.note(15.0)
    first = counting.of("")
    assert (first.lines, first.lines_per_second, first.deliveries_per_second) == (30, 0.0, 0.0)
    counting.read("", [SENT] * 20 + [CONNECT] * 10)
    counting.facts.note(25.0)
    told = counting.of("")
    assert (told.lines, told.lines_per_second, told.deliveries_per_second) == (60, 1.5, 1.0)
    assert SPAN < 100
    for look in range(30):
        counting.facts.note(25.0 + 5.0 * (look + 1))
    assert counting.of("").lines_per_second == 0.0


def test_each_log_has_facts_of_its_own() -> None:
    """Name, kind, trouble, lag, gap, frame, newest stamp, machines, unparsed lines."""
    counting = Counting()
    counting.logs = TWO
    counting.read("/a", [SENT, CONNECT], "mx0")
    counting.read("/b", [SENT, ODD, CONNECT], "mx1")
    a, b = counting.of("/a"), counting.of("/b")
    assert (a.name, a.kind, a.trouble, a.at_end, a.behind, a.gap) == ("/a", "file", "", True, 0, 0)
    assert (b.trouble, b.at_end, b.behind, b.gap) == ("permission denied", False, 4096, 17)
    assert (a.lines, b.lines, a.unparsed, b.unparsed) == (2, 3, 0, 1)
    assert "4BcdFg99zz" in b.samples[0]
    assert a.frame == b.frame == "syslog with RFC 3339 times"
    assert a.newest == b.newest == int(NOW) - 1
    assert [seen.machine for seen in b.machines] == ["mx1"]


def test_the_counts_of_unread_lines_go_on_where_samples_end() -> None:
    """Ten lines are ten, of which three are kept."""
    counting = Counting()
    counting.logs = ALONE
    counting.read("", [ODD] * 10)
    assert (counting.of("").unparsed, len(counting.of("").samples)) == (10, 3)


def test_machines_are_not_told_where_nobody_wants_them() -> None:
    """With `log.hosts: ignore` no name leaves, but the clock's offset does."""
    counting = Counting(shown=False)
    counting.logs = ALONE
    counting.read("", [SENT])
    (reader,) = counting.machines._readers.values()
    reader.pipeline.clock.restore(3600)
    told = counting.of("")
    assert (told.machines, told.offset, told.offset_kind) == ((), 3600, "zone")


def test_a_single_log_keeps_its_newest_stamp_over_a_restart() -> None:
    """It was saved with the counters; of several logs it is not known whose it was."""
    counting = Counting()
    counting.counters.last_time = 1000
    counting.logs = ALONE
    assert counting.of("").newest == 1000
    counting.logs = TWO
    assert counting.of("/a").newest == 0


def test_what_other_machines_deliver_is_not_our_delivery() -> None:
    """Lines and deliveries of others must not hide that ours have ended."""
    counting = Counting()
    counting.logs = TWO
    counting.read("/a", [SENT], "mx0")
    counting.read("/b", [CONNECT], "mx1")
    counting.facts.note(0.0)
    before = counting.facts.marks
    counting.read("/b", [SENT] * 3, "mx1")
    counting.facts.note(10.0)
    assert counting.facts.marks == before
    counting.read("/a", [SENT], "mx0")
    counting.facts.note(20.0)
    assert counting.facts.delivered == before[1] + 1


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (ALONE, ""),
        (TWO, "1 of 2 logs cannot be read (/b: permission denied)"),
        (TWO[:1], ""),
        ((TWO[1],), ""),  # of a single one its own trouble is told
    ],
    ids=["alone", "one of two", "fine", "the only one"],
)
def test_what_is_wrong_with_some_of_several(states: tuple[SourceStatus, ...], words: str) -> None:
    """The logs that cannot be read are named."""
    counting = Counting()
    counting.logs = states
    assert counting.facts.why(asked=True) == words


def test_a_log_is_lost_if_it_tells_of_our_mail() -> None:
    """A log of other machines that cannot be read stops no pacing."""
    counting = Counting()
    counting.logs = TWO
    counting.read("/a", [SENT], "mx0")
    counting.read("/b", [SENT], "mx1")
    counting.facts.note(0.0)
    assert counting.facts.lost is None
    counting.logs = (TWO[0]._replace(trouble="gone"), TWO[1])
    counting.facts.note(1.0)
    assert counting.facts.lost == "/a: gone"


def test_the_lines_of_other_machines_do_not_make_ours_look_alive() -> None:
    """The metric that the alert looks at is of our own mail; with none of it, of the start."""
    core = Core(Config(log=LogSettings(here=("mx0",))), clock=still(lambda: NOW))
    hooks = {"socketmap": HookCounts(), "policy": HookCounts()}
    health = Health(lambda: False, lambda: 0, lambda: True, dict)
    facts = LogFacts(core, lambda: ())
    page = metrics(core, hooks, dict, Reloads(), health, facts)

    def newest() -> float:
        found = re.search(r"^mxheed_log_last_line_timestamp_seconds (\S+)$", text(), re.MULTILINE)
        assert found is not None
        return float(found[1])

    def text() -> str:
        return page.render().decode()

    core.process((STAMP.format(10, 0) + SENT.format("mx1", 0)).encode(), NOW)
    core.process((STAMP.format(59, 9) + SENT.format("mx2", 0)).encode(), NOW)
    assert newest() == NOW  # nothing of ours since the start, which is now
    core.process((STAMP.format(20, 0) + SENT.format("mx0", 0)).encode(), NOW)
    core.process((STAMP.format(59, 59) + SENT.format("mx2", 1)).encode(), NOW)
    assert newest() == NOW - 2400
