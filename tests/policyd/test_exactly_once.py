"""kill -9 at any moment of a growing, rotating log: every line is counted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.kills import run


@pytest.mark.parametrize("seed", [0, 1], ids=["numbered files", "dated files"])
def test_totals_equal_the_truth_after_each_kill(tmp_path: Path, seed: int) -> None:
    """A reader killed again and again counts what the writer wrote, no more and no less."""
    told = run(tmp_path, kills=12, seed=seed, check_every=4)
    assert told.kills == 12
    assert told.lines > 1000
    assert told.rotations > 0
