"""Alert rules and dashboard: valid, tested by promtool, and about metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from policyd.metrics.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "contrib/prometheus"
DASHBOARD = json.loads((ROOT / "contrib/grafana/mxheed.json").read_text())

SERIES = {
    family.name + suffix: {*family.labels, *(["le"] if suffix == "_bucket" else [])}
    for family in TABLE
    for suffix in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
}
FOREIGN = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
TARGET = {"instance", "job"}
SELECTOR = re.compile(r"\b([a-z_]+[a-z0-9_]*)\{([^}]*)\}")
LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"")


def yaml(name: str) -> Any:
    """A file of contrib/prometheus as plain values."""
    return YAML(typ="safe").load(PROMETHEUS / name)


def queries() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard with the title of its panel."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for note in DASHBOARD["annotations"]["list"]:
        yield f"annotation {note['name']}", note["expr"]


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard and every expression of the rules."""
    yield from queries()
    for group in yaml("mxheed.rules.yml")["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "mxheed.rules.yml"),
        ("test", "rules", "mxheed.test.yml"),
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


def test_every_alert_is_tested_both_ways() -> None:
    """For each alert there is a case in which it fires and one in which it does not."""
    alerts = {
        rule["alert"]
        for group in yaml("mxheed.rules.yml")["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    cases = [case for test in yaml("mxheed.test.yml")["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == alerts


def test_every_alert_tells_what_to_do() -> None:
    """Each alert has a severity, a summary and a description."""
    for group in yaml("mxheed.rules.yml")["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in ("page", "ticket")
                assert len(rule["annotations"]["summary"]) > 10
                assert len(rule["annotations"]["description"]) > 20


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_only_metrics_that_exist_are_asked_for(title: str, expression: str) -> None:
    """Names and labels in queries and rules are those of the table."""
    names = set(re.findall(r"\bmxheed_[a-z0-9_]+", expression))
    assert names <= SERIES.keys(), title
    assert names or "mxheed:" in expression or "up{" in expression
    for name, inside in SELECTOR.findall(expression):
        if name in SERIES:
            assert set(LABEL.findall(inside)) <= SERIES[name] | TARGET, title
        else:
            assert name in FOREIGN, title


def test_every_metric_of_the_pacing_and_the_log_is_on_the_dashboard() -> None:
    """The dashboard shows every metric of the table."""
    shown = " ".join(expression for _, expression in queries())
    for family in TABLE:
        assert re.search(rf"\b{family.name}(_bucket|_count|_sum)?\b", shown), family.name


def test_panels_do_not_overlap() -> None:
    """Each panel has its own place on the grid and its own id."""
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_metric_is_documented() -> None:
    """docs/metrics.md names every metric of the table with its labels, and no other."""
    text = (ROOT / "docs/metrics.md").read_text()
    told = {
        name: set(re.findall(r"[a-z]+", labels or ""))
        for name, labels in re.findall(r"^\| `(mxheed_[a-z_]+)(?:\{([^}]*)\})?`", text, re.M)
    }
    assert told == {family.name: set(family.labels) for family in TABLE}
