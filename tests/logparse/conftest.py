"""Fixtures for the tests of log tailing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.logparse.tailing import Plain, Reader, append


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with five lines."""
    path = tmp_path / "mail.log"
    append(path, 1, 5)
    return path


@pytest.fixture
def ours(log: Path) -> Iterator[Reader]:
    """Our reader, which has read the five lines."""
    reader = Reader(log)
    assert len(reader.lines()) == 5
    yield reader
    reader.tail.close()


@pytest.fixture
def plain(log: Path) -> Plain:
    """Plain Pygtail, which has read the five lines."""
    reader = Plain(log)
    assert len(reader.lines()) == 5
    return reader
