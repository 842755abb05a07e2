"""Alert rules: valid, and as their unit tests say, by Prometheus's own tool."""

from __future__ import annotations

import subprocess

import pytest

from tests.policyd.test_prometheus_files import PROMETHEUS, TESTS


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "mxheed.rules.yml"),
        *(("test", "rules", name) for name in TESTS),
    ],
    ids=" ".join,
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    """Prometheus's own tool accepts the files and the rules' unit tests pass."""
    done = subprocess.run(
        ["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
