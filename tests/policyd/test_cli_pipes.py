"""Whoever reads a command's output may stop reading."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "rules list",
        "rules explain generic-recipient.unknown",
        "rules --help",
        "classify 550 5.1.1 user unknown",
        "classify --explain 550 5.1.1 user unknown",
        "classify --help",
    ],
)
def test_a_reader_that_stops_is_no_failure(command: str) -> None:
    """`mxheed … | head -1` ends well and says nothing, whatever the command."""
    words = command.split(" ")
    words = [*words[:-4], " ".join(words[-4:])] if "550" in words else words
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "policyd.cli", *words], stdout=writes, stderr=subprocess.PIPE
        )
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (0, b"")
