"""Hazard: the stored position is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logparse.tail import Tail
from tests.logparse.tailing import Plain, Reader, append, lines

DAMAGED: dict[str, Any] = {
    "no mapping": {"log": "x", "files": ["nonsense"]},
    "no list": {"log": "x", "files": 7},
    "empty mark": {"log": "x", "files": [{}]},
    "wrong type": {"log": "x", "files": [{"dev": "1"}]},
}


# Its __del__ opens a file in order to close it, and raises as well
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pygtail_raises(log: Path, plain: Plain) -> None:
    """Plain Pygtail cannot even be made from a damaged offset file."""
    plain.offset.write_text("12\nx\n")
    with pytest.raises(ValueError, match="invalid literal"):
        plain.lines()


@pytest.mark.parametrize("position", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_position_leads_to_the_end(
    log: Path, position: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Better a gap that is told than lines counted twice."""
    reader = Reader(log)
    reader.tail.close()
    reader.tail = Tail(log, position)
    assert reader.lines() == []
    assert reader.gap == log.stat().st_size
    assert "damaged" in caplog.text
    append(log, 6, 7)
    assert reader.lines() == lines(6, 7)
    reader.tail.close()


def test_contradictions_are_noticed(log: Path, ours: Reader) -> None:
    """A position of the right shape with impossible numbers is damaged as well."""
    position: dict[str, Any] = dict(ours.tail.position)
    position["files"] = [dict(position["files"][-1], offset=10**9)]
    ours.tail.close()
    ours.tail = Tail(log, position)
    assert ours.lines() == []
    assert ours.gap == log.stat().st_size


def test_a_position_of_another_log_begins_anew(log: Path, ours: Reader) -> None:
    """Who names another log in the configuration gets all of it, and no gap."""
    other = log.with_name("other.log")
    append(other, 50, 52)
    position = ours.tail.position
    ours.tail.close()
    ours.tail = Tail(other, position)
    assert ours.lines() == lines(50, 52)
    assert ours.gap == 0
