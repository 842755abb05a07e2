"""Journals of several machines on one: a folder of them, and what `journalctl --merge` shows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policyd.reading.sources import choose
from tests.logparse.test_journal import REMOTE, entry, write

pytestmark = pytest.mark.needs("journalctl", REMOTE)

ROOT = Path(__file__).resolve().parents[2]
IDS = {"mxa": "a" * 32, "mxb": "b" * 32}  # machines


def add(path: Path, host: str, numbers: range) -> None:
    """Entries of one machine, each a second after the one before, not long ago."""
    begun = int(time.time()) - 600
    path.parent.mkdir(parents=True, exist_ok=True)
    own = {"_HOSTNAME": host, "_MACHINE_ID": IDS[host], "_BOOT_ID": IDS[host]}
    stamps = ({"__REALTIME_TIMESTAMP": str((begun + n) * 1_000_000)} for n in numbers)
    write(path, [entry(n, **own, **stamp) for n, stamp in zip(numbers, stamps, strict=True)])


def read(text: str, position: Mapping[str, Any]) -> tuple[Counter[str], Mapping[str, Any]]:
    """How many lines of each machine `log.path: text` gives from there, and the place behind."""
    source = choose((text,), clock=time.time).open(position)
    found: Counter[str] = Counter()
    try:
        for _ in range(1000):
            block = source.read()
            if block is not None:
                assert block.gap == 0
                found.update(line.split()[1].decode() for line in block.data.splitlines())
            if block is None or block.end:
                break
        return found, json.loads(json.dumps(source.position))
    finally:
        source.close()


def test_a_folder_of_journals_is_read_as_one(tmp_path: Path) -> None:
    """All machines in it, each by its name; a new start goes on where the last one ended."""
    for host, numbers in (("mxa", range(1, 8)), ("mxb", range(3, 6))):
        add(tmp_path / f"remote-{host}.journal", host, numbers)
    text = f"journal:{tmp_path}"
    found, position = read(text, {})
    assert found == {"mxa": 7, "mxb": 3}
    add(tmp_path / "remote-mxb.journal", "mxb", range(100, 104))
    found, position = read(text, position)
    assert found == {"mxb": 4}
    assert read(text, position)[0] == {}


INSIDE = """
import json, sys
from tests.logparse.test_journals_together import read
found, position = read(sys.argv[1], json.loads(sys.argv[2]))
print(json.dumps([found, position]))
"""


@pytest.mark.root
def test_merged_journals_are_those_of_all_machines(tmp_path: Path) -> None:
    """`journal` is this machine's own, `journal:merge` all that are stored here."""
    own = Path("/etc/machine-id").read_text("ascii").strip()
    add(tmp_path / own / "system.journal", "mxa", range(1, 8))
    add(tmp_path / IDS["mxb"] / "system.journal", "mxb", range(3, 6))
    assert _of_this_machine("journal", tmp_path, {})[0] == {"mxa": 7}
    found, position = _of_this_machine("journal:merge", tmp_path, {})
    assert found == {"mxa": 7, "mxb": 3}
    add(tmp_path / IDS["mxb"] / "system.journal", "mxb", range(100, 104))
    assert _of_this_machine("journal:merge", tmp_path, position)[0] == {"mxb": 4}


def _of_this_machine(
    text: str, folder: Path, position: Mapping[str, Any]
) -> tuple[Counter[str], dict[str, Any]]:
    """Reads with `folder` in the place of this machine's own journal, for one process."""
    mount = (
        "mount -t tmpfs none /var/log; if [ -d /run/log ]; then mount -t tmpfs none /run/log; fi; "
        'mkdir /var/log/journal && mount --bind "$1" /var/log/journal && shift && exec "$@"'
    )
    program = [sys.executable, "-c", INSIDE, text, json.dumps(position)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", mount, "sh", str(folder), *program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, place = json.loads(done.stdout)
    return Counter(found), place
