"""Panels as Grafana reads them, each in one call: title, what it says, unit, and its queries.

Contract: pure values. Queries are pairs of legend and expression. Who sees a receiver or a machine
in a panel can go from there to its dashboard and to its status page: the links come by themselves
from the labels that the legend, or the table's key, names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["HEALTHS", "LINKS", "MODES", "STATES", "bars", "lines", "number", "states", "table"]

Json = dict[str, Any]
Query = tuple[str, str]  # legend, expression
Steps = Sequence[tuple[str, float | None]]  # color, from which value on

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
CALM: Steps = [("green", None)]
STATES = {"free": "green", "slowed": "yellow", "probing": "blue", "suspended": "red"}
STATES |= {"pinned": "purple"}
HEALTHS = {"good": "green", "poor": "yellow", "bad": "red"}
MODES = {"on": "green", "shadow": "blue", "off": "yellow", "safe": "red"}

_RANGE = "${__url_time_range}&${datasource:queryparam}"
LINKS: Mapping[str, Sequence[tuple[str, str]]] = {
    "receiver": (
        ("This receiver's dashboard", f"/d/mxheed-receiver?var-receiver={{}}&{_RANGE}"),
        ("This receiver on the status page", "${page}#row-{}"),
    ),
    "instance": (
        ("This machine's dashboard", f"/d/mxheed-itself?var-instance={{}}&{_RANGE}"),
        ("This machine's status page", "http://{}/"),
    ),
}


def lines(
    title: str,
    says: str,
    unit: str,
    *queries: Query,
    stacked: bool = False,
    most: float | None = None,
    width: int = 12,
) -> Json:
    """Numbers over time."""
    custom: Json = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never"}
    custom["spanNulls"] = True
    if stacked:
        custom |= {"fillOpacity": 40, "stacking": {"mode": "normal", "group": "A"}}
    defaults: Json = {"unit": unit, "custom": custom, "min": 0}
    if most is not None:
        defaults["max"] = most
    options = {
        "legend": {
            "displayMode": "table",
            "placement": "right",
            "showLegend": True,
            "calcs": ["lastNotNull", "max"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, says, queries, defaults, options, width, 8)


def number(
    title: str, says: str, unit: str, expression: str, steps: Steps = CALM, width: int = 4
) -> Json:
    """One number now, with its recent course."""
    defaults = {"unit": unit, "thresholds": _thresholds(steps), "noValue": "–"}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
    }
    return _panel("stat", title, says, [("", expression)], defaults, options, width, 4)


def word(title: str, says: str, words: Mapping[str, str], expression: str, width: int = 4) -> Json:
    """One number now, told as a word."""
    panel = number(title, says, "none", expression, width=width)
    panel["fieldConfig"]["defaults"]["mappings"] = _mappings(words)
    panel["options"]["graphMode"] = "none"
    return panel


def states(
    title: str, says: str, words: Mapping[str, str], *queries: Query, width: int = 24
) -> Json:
    """Words over time, told as 0, 1, 2, …"""
    defaults: Json = {"unit": "none", "mappings": _mappings(words)}
    defaults["custom"] = {"fillOpacity": 75, "lineWidth": 0}
    options = {
        "mergeValues": True,
        "showValue": "never",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return _panel("state-timeline", title, says, queries, defaults, options, width, 9)


def bars(title: str, says: str, unit: str, *queries: Query, width: int = 12) -> Json:
    """Numbers of the whole range, the largest first."""
    defaults = {"unit": unit, "decimals": 0, "thresholds": _thresholds([("orange", None)])}
    options = {
        "orientation": "horizontal",
        "displayMode": "basic",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    panel = _panel("bargauge", title, says, queries, defaults, options, width, 8)
    for target in panel["targets"]:
        target |= {"instant": True, "range": False}
    return panel


def table(
    title: str,
    says: str,
    keys: Sequence[str],
    columns: Mapping[str, tuple[str, str]],
    worst: Mapping[str, Steps | Mapping[str, str]] | None = None,
    hidden: Sequence[str] = (),
    width: int = 24,
) -> Json:
    """One row for each of `keys`; `columns`: name → unit, expression. The first one sorts."""
    queries = [("", expression) for _, expression in columns.values()]
    defaults: Json = {"unit": "short", "noValue": "–"}
    panel = _panel("table", title, says, queries, defaults, {"showHeader": True}, width, 10)
    for target in panel["targets"]:
        target |= {"instant": True, "range": False, "format": "table"}
    named = {f"Value #{t['refId']}": n for t, n in zip(panel["targets"], columns, strict=True)}
    if len(columns) == 1:
        named = {"Value": next(iter(columns))}
    gone = dict.fromkeys(["Time", "__name__", "job", *hidden], True)
    organize = {"excludeByName": gone, "renameByName": named, "indexByName": {}}
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": organize},
        {"id": "sortBy", "options": {"sort": [{"field": next(iter(columns)), "desc": True}]}},
    ]
    overrides = [
        _column(name, unit, (worst or {}).get(name)) for name, (unit, _) in columns.items()
    ]
    for key in keys:
        links = _links(key, "${__value.raw:percentencode}")
        overrides.append(_override(key, {"links": links} if links else {}))
    panel["fieldConfig"]["overrides"] = overrides
    return panel


def _column(name: str, unit: str, worst: Steps | Mapping[str, str] | None) -> Json:
    properties: Json = {"unit": unit}
    if isinstance(worst, Mapping):
        properties["mappings"] = _mappings(worst)
    elif worst:
        properties["thresholds"] = _thresholds(worst)
    if worst:
        properties["custom.cellOptions"] = {"type": "color-background", "mode": "gradient"}
    return _override(name, properties)


def _override(name: str, properties: Json) -> Json:
    told = [{"id": key, "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": told}


def _panel(
    kind: str,
    title: str,
    says: str,
    queries: Sequence[Query],
    defaults: Json,
    options: Json,
    width: int,
    height: int,
) -> Json:
    links = [
        link
        for label in LINKS
        if any("{{" + label + "}}" in legend for legend, _ in queries)
        for link in _links(label, "${__field.labels." + label + ":percentencode}")
    ]
    targets = [
        {
            "expr": expression,
            "legendFormat": legend,
            "refId": chr(ord("A") + number),
            "datasource": SOURCE,
            "editorMode": "code",
            "range": True,
        }
        for number, (legend, expression) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": says,
        "datasource": SOURCE,
        "targets": targets,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {
            "defaults": defaults | ({"links": links} if links else {}),
            "overrides": [],
        },
        "options": options,
    }


def _links(label: str, value: str) -> list[Json]:
    found = LINKS.get(label, ())
    return [{"title": title, "url": url.replace("{}", value)} for title, url in found]


def _thresholds(steps: Steps) -> Json:
    return {"mode": "absolute", "steps": [{"color": c, "value": v} for c, v in steps]}


def _mappings(words: Mapping[str, str]) -> list[Json]:
    told = {
        str(number): {"text": text, "color": color, "index": number}
        for number, (text, color) in enumerate(words.items())
    }
    return [{"type": "value", "options": told}]
