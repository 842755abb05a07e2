"""The dashboards as they are in contrib/grafana, and their queries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["DASHBOARDS", "FOLDER", "ROOT", "panels", "queries"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "contrib/grafana"
DASHBOARDS: dict[str, Any] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.json"))
}


def panels() -> Iterator[tuple[str, Any]]:
    """Every panel that shows something, by dashboard and title."""
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield f"{name}: {panel['title']}", panel


def queries() -> Iterator[tuple[str, str]]:
    """Every query, with the name of its panel."""
    for title, panel in panels():
        for target in panel["targets"]:
            yield title, target["expr"]
    for name, dashboard in DASHBOARDS.items():
        for note in dashboard["annotations"]["list"]:
            yield f"{name}: note {note['name']}", note["expr"]
