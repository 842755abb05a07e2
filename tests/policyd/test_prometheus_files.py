"""Alert rules: about metrics that exist, tested three ways, each with a runbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from policyd.metrics.table import TABLE
from tests.policyd.dashboards import queries

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "contrib/prometheus"

SERIES = {
    family.name + suffix: {*family.labels, *(["le"] if suffix == "_bucket" else [])}
    for family in TABLE
    for suffix in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
}
FOREIGN = {
    "up",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
TESTS = ("mxheed.test.yml", "mxheed.hours.test.yml", "mxheed.week.test.yml")
TARGET = {"instance", "job"}
SELECTOR = re.compile(r"\b([a-z_]+[a-z0-9_]*)\{([^}]*)\}")
LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"")


def yaml(name: str) -> Any:
    """A file of contrib/prometheus as plain values."""
    return YAML(typ="safe").load(PROMETHEUS / name)


def alerts() -> Iterator[dict[str, Any]]:
    """Every alert of the rules."""
    for group in yaml("mxheed.rules.yml")["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


def recorded() -> set[str]:
    """The names that the rules give to what they compute."""
    groups = yaml("mxheed.rules.yml")["groups"]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the dashboards and every expression of the rules."""
    yield from queries()
    for group in yaml("mxheed.rules.yml")["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]


def test_every_alert_is_tested_three_ways() -> None:
    """Each alert has a case in which it fires, one in which it does not, and one that flaps."""
    names = {rule["alert"] for rule in alerts()}
    tests = [one for name in TESTS for one in yaml(name)["tests"]]
    cases = [(one["name"], case) for one in tests for case in one["alert_rule_test"]]
    assert {case["alertname"] for _, case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for _, case in cases if not case["exp_alerts"]} == names
    flapping = [case["alertname"] for name, case in cases if name.startswith("flapping: ")]
    assert set(flapping) == names


def test_what_flaps_is_looked_at_twice() -> None:
    """What flaps makes an alert that stands at all moments looked at, or none at all."""
    for test in (one for name in TESTS for one in yaml(name)["tests"]):
        if test["name"].startswith("flapping: "):
            told = {bool(case["exp_alerts"]) for case in test["alert_rule_test"]}
            assert len(told) == 1, test["name"]


def test_every_alert_tells_what_to_do() -> None:
    """Each alert has a severity, a summary, a description, and a runbook."""
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert len(rule["annotations"]["summary"]) > 10
        assert len(rule["annotations"]["description"]) > 20
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"


def test_every_runbook_is_whole() -> None:
    """One section for each alert and no other: what it means, where to look, what to do."""
    text = (ROOT / "docs/runbooks.md").read_text()
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    assert list(sections) == list(dict.fromkeys(sections))
    assert sections.keys() == {rule["alert"] for rule in alerts()}
    for name, section in sections.items():
        words = [section.index(f"**{word}") for word in ("Means.**", "Look at**", "Do.**")]
        assert words == sorted(words), name
        for link in re.findall(r"\]\(([^)#]+)", section):
            assert (ROOT / "docs" / link).exists(), link
        for other in re.findall(r"`(Mxheed\w+)`", section):
            assert other in sections


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_only_metrics_that_exist_are_asked_for(title: str, expression: str) -> None:
    """Names and labels in queries and rules are those of the table."""
    names = set(re.findall(r"\bmxheed_[a-z0-9_]+", expression))
    assert names <= SERIES.keys(), title
    assert set(re.findall(r"\bmxheed:[a-z0-9_:]+", expression)) <= recorded(), title
    assert names or re.search(r"\bmxheed:|up\{|process_", expression)
    for name, inside in SELECTOR.findall(expression):
        if name in SERIES:
            assert set(LABEL.findall(inside)) <= SERIES[name] | TARGET, title
        elif not any(told.endswith(f":{name}") for told in recorded()):
            assert name in FOREIGN, title


def test_every_metric_is_documented() -> None:
    """docs/metrics.md names every metric of the table with its labels, and no other."""
    text = (ROOT / "docs/metrics.md").read_text()
    told = {
        name: set(re.findall(r"[a-z]+", labels or ""))
        for name, labels in re.findall(r"^\| `(mxheed_[a-z_]+)(?:\{([^}]*)\})?`", text, re.M)
    }
    assert told == {family.name: set(family.labels) for family in TABLE}
