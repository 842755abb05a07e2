"""Many machines in one log: their queue ids, processes and transactions never meet."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.genlog import Exim, Postfix
from logparse.auto import AutoParser
from policyd.config import Config, LogSettings
from policyd.core import Core
from policyd.counting.counters import Counters
from policyd.counting.here import Here, Role
from policyd.counting.machines import MOST, Machines
from policyd.counting.pipeline import Pipeline
from policyd.throttle.evidence import Lane
from tests.policyd.clocks import still
from tests.policyd.test_pipeline import classify, receiver_of

NOW = 1_795_500_000.0
POSTFIX = list(islice(Postfix(7, "rfc3339").lines(), 900))
EXIM = list(islice(Exim(7).lines(), 300))
HOST = POSTFIX[0].split()[1]


def lines_of(machine: str) -> list[bytes]:
    """A machine's log, of Postfix and of Exim; queue ids and pids are the same in all."""
    name = machine.encode()
    mine = [line.replace(b" " + HOST + b" ", b" " + name + b" ", 1) for line in POSTFIX]
    framed = b"2026-11-02T06:00:00.000000+00:00 " + name + b" exim[7]: "
    every = iter([framed + line for line in EXIM])
    return [line for own in mine for line in (own, *islice(every, len(own) % 2))]


def machines(by_host: bool = False) -> Machines:
    """All counted, nobody told."""
    counters = Counters(5000)

    def make(role: Role, machine: str) -> Pipeline:
        return Pipeline(classify, receiver_of, counters)

    made = Machines(make, AutoParser, Here(lambda: ("mx0",)), by_host=by_host)
    made.counters = counters  # type: ignore[attr-defined]
    return made


def numbers(counters: Counters) -> Counter[tuple[Any, ...]]:
    """All but the delays, as one sum."""
    found: Counter[tuple[Any, ...]] = Counter()
    for family, labels, value in counters.dump():
        if isinstance(value, int) and labels != ("last_time",):
            found[family, *labels] += value
    return found


LOGS = {name: lines_of(name) for name in ("mx0", "mx1", "mx2.example.net")}


def alone() -> Counter[tuple[Any, ...]]:
    """What the logs come to, each read by itself."""
    total: Counter[tuple[Any, ...]] = Counter()
    for lines in LOGS.values():
        counters = Counters(5000)
        Pipeline(classify, receiver_of, counters).process(b"".join(lines), NOW)
        total += numbers(counters)
    return total


ALONE = alone()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 40_000), st.booleans())
def test_many_machines_in_one_log_count_as_in_many_logs(seed: int, cut: int, kills: bool) -> None:
    """However their lines are mixed and cut, and wherever the reader is killed."""
    pick, left = Random(seed), {name: list(reversed(lines)) for name, lines in LOGS.items()}
    mixed: list[bytes] = []
    while left:
        name = pick.choice(list(left))
        for _ in range(min(pick.randint(1, 9), len(left[name]))):
            mixed.append(left[name].pop())
        if not left[name]:
            del left[name]
    log, at, reader = b"".join(mixed), 0, machines()
    counters: Counters = reader.counters  # type: ignore[attr-defined]
    while at < len(log):
        end = log.find(b"\n", at + cut) + 1 or len(log)
        reader.process(log[at:end], NOW)
        at = end
        if kills and pick.random() < 0.3:
            saved, rows = b"".join(reader.snapshot()), counters.dump()
            reader = machines()
            counters = reader.counters  # type: ignore[attr-defined]
            counters.load(rows)
            reader.restore(json.loads(saved))
    assert numbers(counters) == ALONE


def test_one_log_each_counts_the_same() -> None:
    """The same machines in a log of their own each, read in turns."""
    reader = machines()
    for part in range(4):
        for name, lines in LOGS.items():
            size = len(lines) // 4 + 1
            reader.enter(f"/var/log/{name}.log", False)
            reader.process(b"".join(lines[part * size : (part + 1) * size]), NOW)
    assert numbers(reader.counters) == ALONE  # type: ignore[attr-defined]


def test_each_machine_is_told_by_its_name() -> None:
    """Recipients by machine and outcome are what each machine's own log says."""
    reader = machines(by_host=True)
    reader.process(
        b"".join(line for lines in zip(*LOGS.values(), strict=True) for line in lines), NOW
    )
    found = reader.of_hosts()
    counters = Counters(5000)
    Pipeline(classify, receiver_of, counters).process(b"".join(LOGS["mx0"]), NOW)
    own: Counter[str] = Counter()
    for (_, outcome), count in counters.deliveries().items():
        own[outcome] += int(count)
    for name in LOGS:
        assert {what: n for (host, what), n in found.items() if host == name} == own


def test_names_are_bounded() -> None:
    """Whoever makes up machines gets neither labels nor memory without end; nothing is lost."""
    reader = machines(by_host=True)
    line = next(line for line in LOGS["mx0"] if b"status=sent" in line)
    for number in range(2 * MOST):
        reader.process(line.replace(b" mx0 ", b" made-up-%d " % number, 1), NOW)
    found = reader.of_hosts()
    assert sum(found.values()) == 2 * MOST
    assert len({host for host, _ in found}) == 101
    assert len(reader.seen()) == MOST


def test_a_snapshot_of_one_pipeline_is_taken_over() -> None:
    """A state file of a mxheed that knew one machine: a transaction cut in two counts once."""
    old, counters = Pipeline(classify, receiver_of, Counters()), Counters()
    refused = next(line for line in LOGS["mx0"] if b"status=deferred" in line)
    line = refused.replace(b"RCPT TO", b"end of DATA")
    old.process(line, NOW)
    reader = machines()
    reader.restore(json.loads(json.dumps(old.snapshot())))
    reader.process(line, NOW)
    counters = reader.counters  # type: ignore[attr-defined]
    assert sum(counters.deliveries().values()) == 1
    assert sum(counters.replies().values()) == 0


def test_a_damaged_snapshot_is_refused_whole() -> None:
    """What is no machine's snapshot is a ValueError, which is told; nothing of it is used."""
    reader = machines()
    for lines in LOGS.values():
        reader.process(lines[0], NOW)
    saved = json.loads(b"".join(reader.snapshot()))
    for others in ([["", "mx1"]], [["", 5, {}, {}]], 7, [["", "mx1", {"parser": 1}, {}]]):
        fresh = machines()
        with pytest.raises(ValueError, match="several machines"):
            fresh.restore(saved | {"others": others})
        assert fresh.seen() == []


# who is here

SPOKE: dict[str, tuple[tuple[str, ...], str, Role]] = {
    "our short name": (("mx0", "mx1", "mx0"), "mx0", "here"),
    "our long name": (("mx0.example.net", "mx1", "mx0.example.net"), "mx0.example.net", "here"),
    "another one beside us": (("mx0", "mx1", "mx0"), "mx1", "other"),
    "another one after us": (("mx0", "mx1"), "mx1", "other"),
    "a name that nobody knows us by": (("box",), "box", "here"),
    "a name that changed": (("box", "crate"), "crate", "here"),
    "the name before it": (("box", "crate"), "box", "here"),
    "a short name and a long one in turns": (("box", "box.test", "box"), "box", "here"),
    "two strangers in turns": (("mx8", "mx9", "mx8"), "mx8", "other"),
    "no name at all": (("mx8", "mx9", "mx8"), "", "here"),
    "at the start of the machine": (("localhost", "box", "localhost", "box"), "box", "here"),
    "one that shares our addresses": (("box", "mx7", "box"), "mx7", "shared"),
    "us beside one that shares our addresses": (("box", "mx7", "box"), "box", "here"),
}


@pytest.mark.parametrize("case", SPOKE.values(), ids=SPOKE)
def test_which_machine_is_here(case: tuple[tuple[str, ...], str, Role]) -> None:
    """Our own name, or the only one that speaks: whatever it is called, and called later."""
    turns, machine, role = case
    here = Here(lambda: ("mx0",), shared=("mx7",))
    for turn in turns:
        here.meet([turn])
    again = Here(lambda: ("mx0",), shared=("mx7",))
    again.restore(json.loads(json.dumps(here.snapshot())))
    assert here.role(machine) == again.role(machine) == role


def test_the_configuration_names_us_where_we_cannot_know() -> None:
    """`log.here` decides alone; without it the log says that nobody in it is this machine."""
    here, told = Here(lambda: ("pod-1",)), Here(lambda: ("pod-1",), named=("mx8",))
    for one in (here, told):
        one.meet(["mx8", "mx9", "mx8"])
    assert "log.here" in here.why
    assert told.why == ""
    assert [told.role(name) for name in ("mx8", "mx9", "pod-1")] == ["here", "other", "other"]


def test_a_machine_that_a_path_names_is_ours_only_by_name() -> None:
    """A central host's single file is not taken for our own log because it is the only one."""
    here = Here(lambda: ("mx0",))
    assert here.role("mx5", told=True) == "other"
    assert here.role("mx0", told=True) == "here"


# what it comes to


def refusal(host: str, queue_id: str, recipient: int, words: str = "450 4.7.1 slow down") -> bytes:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW + recipient))
    return (
        f"{stamp} {host} postfix/smtp[7]: {queue_id}: to=<u@d{recipient}.example>,"
        " relay=gmail-smtp-in.l.google.com[192.0.2.8]:25, delay=1, delays=0.1/0/0.5/0.4,"
        f" dsn=4.7.1, status=deferred (host gmail-smtp-in.l.google.com[192.0.2.8] said: {words}"
        " (in reply to end of DATA command))\n"
    ).encode()


def core(**log: Any) -> tuple[Core, Callable[..., None]]:
    """A core, and one that lets machines in its log hear that they send too much."""
    clock = [NOW]
    found = Core(Config(log=LogSettings(**log)), clock=still(lambda: clock[0]))

    def hear(*hosts: str) -> None:
        for number in range(6):
            clock[0] = NOW + number
            host = hosts[number * len(hosts) // 6]
            found.process(refusal(host, f"4D{number:08X}", number, LIMIT), clock[0])

    return found, hear


LIMIT = (
    "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP"
    " address. 421 4.7.28 To protect our users, mail has been temporarily rate limited. - gsmtp"
)


@pytest.mark.parametrize(
    ("host", "paces", "booked"), [("mx0", True, True), ("mx7", True, False), ("mx9", False, False)]
)
def test_whose_words_pace_our_mail(host: str, paces: bool, booked: bool) -> None:
    """Ours do, and those of one that shares our addresses; only our messages are booked."""
    found, hear = core(here=("mx0",), shared=("mx7",))
    hear(host)
    states = {lane.state for lane in found.controller.lanes(found.clock())}
    assert bool(states - {"free"}) is paces
    assert bool(found.controller.book.waits.deferred) is booked
    assert sum(found.counters.deliveries().values()) == 6


def test_another_machine_releases_and_removes_none_of_our_messages() -> None:
    """The same queue id is accepted and removed there: ours still waits."""
    found, _ = core(here=("mx0",), shared=("mx7",))
    found.process(refusal("mx0", "4D00000001", 1), NOW)
    message = found.controller.book.get("4D00000001")
    assert message is not None
    parts = dict(message.parts)
    accepted = refusal("HOST", "4D00000001", 1).replace(b"dsn=4.7.1", b"dsn=2.0.0")
    accepted = accepted.partition(b"status=")[0] + b"status=sent (250 2.0.0 Ok)\n"
    stamp = accepted.split()[0]
    removed = stamp + b" HOST postfix/qmgr[8]: 4D00000001: removed\n"
    for host in (b"mx7", b"mx9"):
        found.process(accepted.replace(b"HOST", host) * 2 + removed.replace(b"HOST", host), NOW)
    assert found.controller.book.get("4D00000001") is message
    assert dict(message.parts) == parts
    found.process(removed.replace(b"HOST", b"mx0"), NOW)
    assert found.controller.book.get("4D00000001") is None


def test_a_log_of_one_machine_is_ours_whatever_its_name() -> None:
    """A host name that differs from ours, and then changes, makes nobody deaf."""
    found, hear = core()
    hear("some-box", "another-name")
    assert {lane.state for lane in found.controller.lanes(found.clock())} - {"free"}
    assert found.controller.book.waits.deferred == 6


def test_another_machine_ends_no_attempt_of_ours() -> None:
    """Mail of one with our addresses, to the very domain we try, leaves ours in flight."""
    found, _ = core(here=("mx0",), shared=("mx7",))
    found.controller.admit(Lane("", "google"), "d1.example", NOW)
    lane = found.controller.lane(Lane("", "google"), NOW)
    assert lane.window.open == 1
    for number in range(3):  # the first goes the long way, the others take the fast path
        line = refusal("mx7", f"4D{number:08X}", 1).replace(b"dsn=4.7.1", b"dsn=2.0.0")
        found.process(line.partition(b"status=")[0] + b"status=sent (250 2.0.0 Ok)\n", NOW)
    assert found.counters.deliveries() == {("google", "sent"): 3}
    assert lane.window.open == 1
