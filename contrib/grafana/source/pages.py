"""A dashboard put together: its choices, its notes on the time axis, its rows, places for panels.

Contract: pure values; the same source gives the same bytes. Panels stand side by side in the order
in which they are written, and a new line begins where one is full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from contrib.grafana.source.panels import SOURCE
from contrib.grafana.source.queries import Chosen

__all__ = ["PAGE", "choice", "dashboard", "notes", "row"]

Json = dict[str, Any]
Row = tuple[str, str, Sequence[Json]]  # title, the variable it is repeated for, panels

_COLUMNS = 24
_PAGES = {
    "mxheed": "overview",
    "mxheed-receiver": "one receiver",
    "mxheed-fleet": "fleet",
    "mxheed-itself": "mxheed itself",
}
# where links to the status page lead, unless a machine is named
PAGE: Json = {
    "name": "page",
    "label": "Status page",
    "type": "textbox",
    "query": "http://127.0.0.1:9825/",
    "current": {"text": "http://127.0.0.1:9825/", "value": "http://127.0.0.1:9825/"},
}


def choice(name: str, label: str, values: str, *, everything: bool = True) -> Json:
    """A variable whose values are those of a label, several of which may be chosen."""
    current: Json = {"selected": True, "text": ["All"], "value": ["$__all"]}
    found: Json = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": values, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": everything,
        "current": current if everything else {},
    }
    return found | ({"allValue": ".*"} if everything else {})


def notes(here: Chosen, lanes: Chosen | None = None) -> list[Json]:
    """What changed, as marks on every panel; of these lanes, if not all."""
    reloaded = here.now("mxheed_config_last_reload_success_timestamp_seconds")
    started = here.now("process_start_time_seconds", job="mxheed")
    paced = (lanes or here).rate("mxheed_throttle_changes_total", "receiver", state="suspended")
    told = [
        ("receivers suspended", "red", f"topk(10, {paced} > 0)", "{{receiver}} suspended"),
        ("pacing not on", "purple", here.max("mxheed_mode", "instance, mode", mode="!on") + " == 1",
         "{{instance}}: {{mode}}"),
        ("configuration taken over", "blue", f"changes({reloaded}[$__rate_interval]) > 0",
         "{{instance}}: configuration"),
        ("started", "green",
         f"changes({started}[$__rate_interval]) > 0",
         "{{instance}} started"),
    ]  # fmt: skip
    return [
        {
            "name": name,
            "datasource": SOURCE,
            "enable": True,
            "iconColor": color,
            "expr": expression,
            "titleFormat": title,
            "step": "60s",
        }
        for name, color, expression, title in told
    ]


def row(title: str, *panels: Json, repeat: str = "") -> Row:
    """Panels under one title; repeated for each chosen value of a variable."""
    return title, repeat, panels


def dashboard(
    uid: str, says: str, variables: Sequence[Json], annotations: Sequence[Json], *rows: Row
) -> Json:
    """The whole page."""
    source: Json = {"name": "datasource", "label": "Prometheus", "type": "datasource"}
    source |= {"query": "prometheus", "current": {}}
    return {
        "title": f"mxheed: {_PAGES[uid]}",
        "uid": uid,
        "description": says,
        "tags": ["mxheed"],
        "editable": True,
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "links": [
            {
                "title": name,
                "type": "link",
                "url": f"/d/{other}",
                "icon": "dashboard",
                "tooltip": "",
                "tags": [],
                "asDropdown": False,
                "targetBlank": False,
                "includeVars": False,
                "keepTime": True,
            }
            for other, name in _PAGES.items()
            if other != uid
        ],
        "annotations": {"list": list(annotations)},
        "templating": {"list": [source, *variables]},
        "panels": [{**panel, "id": number} for number, panel in enumerate(_placed(rows), 1)],
    }


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    top = 0
    for title, repeat, panels in rows:
        head: Json = {"type": "row", "title": title, "collapsed": False, "panels": []}
        head["gridPos"] = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        yield head | ({"repeat": repeat} if repeat else {})
        top += 1
        left = height = 0
        for panel in panels:
            width = panel["gridPos"]["w"]
            if left + width > _COLUMNS:
                top, left, height = top + height, 0, 0
            yield panel | {"gridPos": {"x": left, "y": top, **panel["gridPos"]}}
            left, height = left + width, max(height, panel["gridPos"]["h"])
        top += height
