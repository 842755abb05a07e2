"""Reads whole logs into a tally: plain or packed files, standard input, several at a time.

Contract: `read_all` reads every source once, each in a process of its own when `jobs` allows, and
merges what they counted; memory does not grow with the logs. `progress` is told how many bytes
of the files have been read. The year of stamps without one is inferred from a file's last change.
Failure: a source that cannot be read, or breaks off, is named in `Reading.problems`; what was read
of it before, and all others, still count.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from datetime import tzinfo
from multiprocessing.sharedctypes import Synchronized
from types import MappingProxyType
from typing import NamedTuple

from logparse.auto import recognise
from logparse.errors import LogError
from logparse.packed import Unpacked
from policyd.counting.pipeline import Classify, ReceiverOf
from policyd.receiver.rollup import Receivers
from policyd.report.bymachine import ByMachine
from policyd.report.tally import Tally
from rules import Classifier, RuleSet

__all__ = ["STDIN", "ReadLogs", "blocks", "read_all", "total_size"]

STDIN = "-"

_BLOCK = 1 << 18
_POLL = 0.1  # seconds between two looks at the progress
_SAMPLE = 160  # bytes of a line that was not recognised
_LONGEST = 1 << 20  # a "line" longer than this is no line


class ReadLogs(NamedTuple):
    """What was counted, and which sources could not be read to their end."""

    tally: Tally
    problems: tuple[str, ...]
    recognised: bool = False  # some line was written by Postfix or Exim
    first: bytes = b""  # line of a source in which none was
    machines: Mapping[str, Tally] = MappingProxyType({})  # the same for each, by name


class Work(NamedTuple):
    """What every process needs to know to read a source."""

    classify: Classify
    receivers: Receivers
    zone: tzinfo | None
    now: float
    done: Synchronized[int]  # bytes read of all files together


def total_size(sources: Sequence[str]) -> int:
    """Bytes on disk of all sources that have a size."""
    return sum(os.path.getsize(source) for source in sources if os.path.isfile(source))


def read_all(
    sources: Sequence[str],
    ruleset: RuleSet,
    *,
    now: float,
    jobs: int = 1,
    zone: tzinfo | None = None,
    progress: Callable[[int], None] | None = None,
) -> ReadLogs:
    """Everything the sources say."""
    context = multiprocessing.get_context("fork")  # what is slow to build is built once
    classify, receivers = Classifier(ruleset).classify, Receivers(ruleset.receivers)
    work = Work(classify, receivers, zone, now, context.Value("q", 0))
    jobs = min(jobs, len(sources))
    if jobs <= 1 or STDIN in sources:
        return _together(_read(source, work, progress) for source in sources)
    with ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(work,)) as pool:
        pending = {pool.submit(_read_here, source): source for source in sources}
        order, waiting = list(pending), set(pending)
        while waiting:
            waiting = wait(waiting, timeout=_POLL).not_done
            if progress is not None:
                progress(work.done.value)
        return _together(future.result() for future in order)


_work: Work  # of a worker process


def _start(work: Work) -> None:
    global _work
    _work = work


def _read_here(source: str) -> ReadLogs:
    return _read(source, _work)


def _together(readings: Iterator[ReadLogs]) -> ReadLogs:
    found = list(readings)
    if len(found) == 1:
        return found[0]
    tally, machines = Tally(), dict[str, Tally]()
    for reading in found:
        tally.merge(reading.tally)
        for name, theirs in reading.machines.items():
            machines.setdefault(name, Tally()).merge(theirs)
    problems = tuple(problem for reading in found for problem in reading.problems)
    recognised = any(reading.recognised for reading in found)
    first = next((reading.first for reading in found if reading.first), b"")
    return ReadLogs(tally, problems, recognised, first, machines)


def _read(source: str, work: Work, progress: Callable[[int], None] | None = None) -> ReadLogs:
    """One source from its beginning to its end."""
    problems: list[str] = []
    recognised, first = False, b""
    machines: dict[str, Tally] = {}
    try:
        raw = _open(source, work.done)
        now = work.now if source == STDIN else os.fstat(raw.fileno()).st_mtime
        receivers = work.receivers
        reader = ByMachine(
            work.classify, _receiver_of(receivers), _teacher(receivers), work.zone, now
        )
        try:
            for block in blocks(raw):
                first = first or block[: block.find(b"\n")][:_SAMPLE]
                recognised = recognised or recognise(block, now) > 0
                reader.read(block)
                if progress is not None:
                    progress(work.done.value)
        finally:
            reader.settle()
            machines = reader.tallies()
    except (OSError, LogError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problems.append(f"{source}: {words}")
    tallies = list(machines.values())
    tally = tallies[0] if len(tallies) == 1 else Tally()
    for each in tallies if len(tallies) > 1 else ():
        tally.merge(each)
    return ReadLogs(tally, tuple(problems), recognised, b"" if recognised else first, machines)


def _teacher(receivers: Receivers) -> Callable[[str, str], object]:
    """Remembers a host that took mail for a domain."""
    return lambda domain, host: receivers.learn(domain, host, 0.0)


def _receiver_of(receivers: Receivers) -> ReceiverOf:
    """The receiver of a delivery: by its host, else by what is known of the recipient's domain."""

    def find(host: str | None, address: str | None, domain: str) -> str:
        if host:
            return receivers.learn(domain, host, 0.0) if domain else receivers.of_host(host)
        if address:
            return receivers.of_host(address)
        return receivers.of_domain(domain).receiver

    return find


def blocks(raw: io.RawIOBase) -> Iterator[bytes]:
    """The plain bytes of a stream in blocks of whole lines; closes it."""
    stream, rest = Unpacked(raw), b""
    try:
        while data := stream.read(_BLOCK):
            end = data.rfind(b"\n") + 1
            if not end and len(rest) < _LONGEST:
                rest += data
                continue
            yield rest + data[:end]
            rest = data[end:]
        if rest:
            yield rest + b"\n"
    finally:
        stream.close()


class _Counted(io.FileIO):
    """A file that tells how many bytes were read of it."""

    def __init__(self, path: str | int, done: Synchronized[int]) -> None:
        super().__init__(path, "rb")
        self._done = done

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        count = super().readinto(buffer) or 0
        with self._done.get_lock():
            self._done.value += count
        return count


def _open(source: str, done: Synchronized[int]) -> io.RawIOBase:
    return _Counted(sys.stdin.fileno() if source == STDIN else source, done)
