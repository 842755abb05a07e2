"""Several processes share the tests, and one of them has the live ones, from the beginning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BODY = "import os, pytest\n@pytest.mark.parametrize('x', range(5))\ndef test_it(x): print(NAME)\n"
NAME = "'RAN', __name__, os.environ['PYTEST_XDIST_WORKER']"


def test_the_live_tests_are_one_processes_work(tmp_path: Path) -> None:
    """All of them run in one process, though there are two and more files than those."""
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['tests.parallel']\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    for path in ("live/test_a", "live/test_b", "live/test_c", "lab/test_d", "rules/test_e"):
        file = tmp_path / "tests" / f"{path}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(BODY.replace("NAME", NAME))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "-rP"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    ran = re.findall(r"^RAN tests\.(\w+)\.\w+ (gw\d)$", done.stdout, re.M)
    assert len(ran) == 25, done.stdout + done.stderr
    assert len({worker for folder, worker in ran if folder == "live"}) == 1
    assert len({worker for folder, worker in ran}) == 2
