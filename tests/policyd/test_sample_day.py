"""The bundled sample day: made by its generator, small, replayed as if it happened now."""

from __future__ import annotations

import gzip
import re
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path

from policyd import sample
from policyd.sample import make

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_790_000_000.25


def test_the_packaged_log_is_what_the_generator_writes() -> None:
    """The packaged sample day is exactly what its seeded generator plays."""
    assert gzip.decompress(sample.PATH.read_bytes()) == make.render(make.play())


def test_another_seed_is_another_day() -> None:
    """The seed decides the day."""
    assert make.play(1) != make.play(2)


def test_the_log_is_small_and_in_contrib_too() -> None:
    """The sample stays below 300 kB and contrib/sample shows the very same file."""
    assert sample.PATH.stat().st_size <= 300_000
    assert (ROOT / "contrib/sample/mail.log.gz").read_bytes() == sample.PATH.read_bytes()


def test_no_real_address_is_in_the_log() -> None:
    """Every address literal of the sample is a documentation address."""
    text = gzip.decompress(sample.PATH.read_bytes()).decode()
    found = set(re.findall(r"\[(\d+\.\d+\.\d+\.\d+)\]", text))
    assert found
    assert all(ip.startswith(("192.0.2.", "198.51.100.", "203.0.113.")) for ip in found)


def test_the_replay_has_a_past_and_goes_on_for_ever() -> None:
    """The morning lies before now hour for hour, the rest after it, and day follows day."""
    day = len(gzip.decompress(sample.PATH.read_bytes()).splitlines())
    replay = list(islice(sample.lines(NOW), 3 * day))
    times = [at for at, _ in replay]
    assert all(earlier <= later for earlier, later in pairwise(times))
    rest = (86_400 - sample.PRESENT) / sample.SPEED
    assert NOW - sample.PRESENT <= times[0] < NOW < times[day - 1] < NOW + rest
    assert times[-1] < NOW + rest + 2 * 86_400 / sample.SPEED


def test_every_replayed_line_bears_its_own_time() -> None:
    """The stamp of a replayed line is the moment at which it is shown."""
    for at, line in islice(sample.lines(NOW), 0, 20_000, 97):
        stamp = datetime.fromisoformat(line.split(b" ", 1)[0].decode()).timestamp()
        assert abs(stamp - at) < 1e-3
        assert line.endswith(b"\n")


def test_rounds_do_not_share_queue_ids() -> None:
    """A message of one round is not taken for the same message of another round."""
    day = len(gzip.decompress(sample.PATH.read_bytes()).splitlines())
    replay = [line for _, line in islice(sample.lines(NOW), 2 * day)]
    ids = [
        set(re.findall(rb"\]: (\w{12,}):", b"".join(part))) for part in (replay[:day], replay[day:])
    ]
    assert len(ids[0]) > 1000
    assert not ids[0] & ids[1]
