"""The dashboards: as their source makes them, readable, linked, of a form that Grafana knows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from policyd.metrics.table import TABLE
from tests.policyd.dashboards import DASHBOARDS, ROOT, panels, queries

PANELS = dict(panels())
# what Grafana's types leave to the data source: the title and the step of its notes
OF_PROMETHEUS = re.compile(r"\.annotations\.list\[\d\]\.(titleFormat|step)$")


def test_the_files_are_as_their_source_makes_them() -> None:
    """Nobody has edited a dashboard by hand, or the source without `make dashboards`."""
    command = [sys.executable, "-m", "contrib.grafana.source", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_metric_is_on_a_dashboard() -> None:
    """Whatever mxheed tells Prometheus can be seen somewhere."""
    shown = " ".join(expression for _, expression in queries())
    for family in TABLE:
        assert re.search(rf"\b{family.name}(_bucket|_count|_sum)?\b", shown), family.name


@pytest.mark.parametrize("name", PANELS)
def test_every_panel_says_what_it_shows(name: str) -> None:
    """A description, a unit for the panel, and one for each column of a table."""
    panel = PANELS[name]
    assert len(panel["description"]) > 10
    assert panel["fieldConfig"]["defaults"]["unit"]
    if panel["type"] == "table":
        named = panel["transformations"][1]["options"]["renameByName"].values()
        units = {
            override["matcher"]["options"]
            for override in panel["fieldConfig"]["overrides"]
            if any(told["id"] == "unit" for told in override["properties"])
        }
        assert units == set(named)


def _links(panel: Any) -> str:
    """Where its links lead to, and those of its columns."""
    overrides = panel["fieldConfig"]["overrides"]
    told = [
        told["value"] for one in overrides for told in one["properties"] if told["id"] == "links"
    ]
    found = [
        *panel["fieldConfig"]["defaults"].get("links", []),
        *(one for many in told for one in many),
    ]
    return " ".join(link["url"] for link in found)


@pytest.mark.parametrize("name", PANELS)
def test_every_row_leads_on(name: str) -> None:
    """From a receiver to its dashboard and to the page; from a machine to its own ones."""
    panel = PANELS[name]
    columns = [one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]]
    told = " ".join([*(target["legendFormat"] for target in panel["targets"]), *columns])
    if "receiver" in re.findall(r"\w+", told):
        assert "/d/mxheed-receiver?var-receiver=$" in _links(panel)
        assert "${page}#row-$" in _links(panel)
    if "instance" in re.findall(r"\w+", told):
        assert "/d/mxheed-itself?var-instance=$" in _links(panel)
        assert "http://${__" in _links(panel)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_links_lead_to_dashboards_that_are_there(name: str) -> None:
    """Each uid in a link is one of ours, and each dashboard leads to all others."""
    uids = {one["uid"] for one in DASHBOARDS.values()}
    text = str(DASHBOARDS[name])
    assert set(re.findall(r"/d/([\w-]+)", text)) <= uids
    assert {link["url"].removeprefix("/d/") for link in DASHBOARDS[name]["links"]} == uids - {
        DASHBOARDS[name]["uid"]
    }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_changes_are_marked(name: str) -> None:
    """Every dashboard marks suspensions, modes, configurations and starts on the time axis."""
    assert len(DASHBOARDS[name]["annotations"]["list"]) == 4


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_do_not_overlap(name: str) -> None:
    """Each panel has its own place on the grid and its own id."""
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_one_receiver_is_repeated_by_selection() -> None:
    """Who chooses three receivers sees three rows of panels."""
    rows = [one for one in DASHBOARDS["receiver"]["panels"] if one["type"] == "row"]
    assert [row.get("repeat") for row in rows] == ["receiver"]


def _lost(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """What of ours is not in theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            lost
            for key, value in ours.items()
            for lost in (
                _lost(value, theirs[key], f"{path}.{key}") if key in theirs else [f"{path}.{key}"]
            )
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [lost for n, pair in pairs for lost in _lost(*pair, f"{path}[{n}]")]
    return [] if ours == theirs or (ours is None) else [f"{path}: {ours!r}, {theirs!r}"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_own_types_know_every_key(name: str) -> None:
    """Read into the types that Grafana publishes and written again, nothing is missing."""
    plugins.register_default_plugins()
    read = Dashboard.from_json(DASHBOARDS[name])
    written = json.loads(json.dumps(read, cls=JSONEncoder))
    assert [one for one in _lost(DASHBOARDS[name], written) if not OF_PROMETHEUS.match(one)] == []
