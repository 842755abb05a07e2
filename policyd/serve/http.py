"""The status page, /metrics, /healthz and /api/state: for people, Prometheus and probes.

Contract: read only, no cookies, nothing loaded from elsewhere (the headers forbid it). The page is
the template in `policyd/web`; texts of remote servers are escaped there.
Failure: /metrics answers 503 until the log is caught up with, so that Prometheus never sees a
counter that is still being replayed; /healthz answers 503 and names what is not well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from policyd.serve import spelling
from policyd.serve.ports import Services
from policyd.serve.view import Page

__all__ = ["METRICS_TYPE", "app", "render"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_WEB = Path(__file__).parent.parent / "web"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_ORDER = {"suspended": 0, "probing": 1, "slowed": 2, "free": 3}  # the worst first
_FILES = {"page.css": "text/css", "page.js": "text/javascript", "mark.svg": "image/svg+xml"}


def app(services: Services) -> Starlette:
    """The application of the public address."""

    async def page(request: Request) -> Response:
        return HTMLResponse(render(services.page()), headers=_HEADERS)

    async def metrics(request: Request) -> Response:
        text = services.metrics()
        if text is None:
            return PlainTextResponse("the log is still being read\n", 503, {"Retry-After": "5"})
        return Response(text, headers={"Content-Type": METRICS_TYPE})

    async def healthz(request: Request) -> Response:
        troubles: Mapping[str, str] = services.troubles()
        body = {"status": "trouble" if troubles else "ok", "troubles": dict(troubles)}
        return JSONResponse(body, 503 if troubles else 200, headers=_HEADERS)

    async def state(request: Request) -> Response:
        return JSONResponse(_plain(services.page()), headers=_HEADERS)

    routes = [
        Route("/", page),
        Route("/metrics", metrics),
        Route("/healthz", healthz),
        Route("/api/state", state),
        *(Route(f"/{name}", _file(name, kind)) for name, kind in _FILES.items()),
    ]
    return Starlette(routes=routes)


def render(page: Page) -> str:
    """The status page as HTML."""
    troubled = [
        (row, lane)
        for row in page.receivers
        for lane in row.lanes
        if lane.state != "free" or lane.held
    ]
    troubled.sort(key=lambda found: (_ORDER.get(found[1].state, 9), -found[1].held))
    template = _environment().get_template("page.html")
    return template.render(page=page, now=page.now, troubled=troubled, totals=_totals(page))


def _totals(page: Page) -> dict[str, int]:
    sums = {
        outcome: sum(row.outcomes.get(outcome, 0) for row in page.receivers)
        for outcome in ("sent", "deferred", "bounced")
    }
    return {
        **sums,
        "made": sum(sums.values()),
        "held": sum(lane.held for row in page.receivers for lane in row.lanes),
        "unclassified": sum(row.unclassified for row in page.receivers),
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_WEB),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(spelling.FILTERS)
    return environment


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    body = (_WEB / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(body, media_type=kind, headers={**_HEADERS, "Cache-Control": "max-age=60"})

    return answer


def _plain(tree: Any) -> Any:
    """Values as JSON knows them (`asdict` cannot copy mapping proxies)."""
    if is_dataclass(tree):
        return {entry.name: _plain(getattr(tree, entry.name)) for entry in fields(tree)}
    if isinstance(tree, Mapping):
        return {key: _plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_plain(value) for value in tree]
    return tree
