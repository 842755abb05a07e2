"""Hazard: the reader is killed in the middle of a file."""

from __future__ import annotations

import json
from pathlib import Path

from pygtail import Pygtail

from logparse.tail import Tail
from tests.logparse.tailing import Plain, Reader, append, lines


def test_pygtail_reads_lines_again(log: Path, plain: Plain) -> None:
    """Plain Pygtail stores its offset at the end of the file only."""
    append(log, 6, 20)
    killed = Pygtail(str(log), offset_file=str(plain.offset))
    first = [next(killed).encode() for _ in range(10)]
    killed.fh.close()
    assert plain.lines()[:10] == first


def test_the_position_of_each_block_is_exact(log: Path, ours: Reader) -> None:
    """Whatever block was the last one to be committed, the next reader goes on after it."""
    append(log, 6, 40)
    seen, positions = b"", []
    while (block := ours.tail.read(limit=150)) is not None:
        seen += block.data
        positions.append((len(seen), json.loads(json.dumps(block.position))))
    assert len(positions) > 10
    for size, position in positions:
        with_rest = Tail(log, position)
        rest = b""
        while (block := with_rest.read()) is not None:
            rest += block.data
        with_rest.close()
        assert seen[:size] + rest == b"".join(lines(6, 40))


def test_nothing_is_written_beside_the_log(log: Path, ours: Reader) -> None:
    """The position belongs to the caller; there is no offset file to be torn."""
    append(log, 6, 7)
    ours.lines()
    assert [path.name for path in log.parent.iterdir()] == ["mail.log"]
