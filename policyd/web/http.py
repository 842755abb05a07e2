"""The status page, /metrics, /healthz and /api/state: for people, Prometheus and probes.

Contract: read only, no cookies, nothing loaded from elsewhere (the headers forbid it). The page is
the template in `policyd/web`; texts of remote servers are escaped there. What takes long is made in
steps, once for all who ask meanwhile (`Shared`): Postfix's questions do not wait for pages.
Failure: /metrics answers 503 until the log is caught up with, so that Prometheus never sees a
counter that is still being replayed; /healthz answers 503 and names what is not well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from policyd.serve.turns import Steps, Turns, finish
from policyd.web import spelling
from policyd.web.packing import packed, takes_gzip
from policyd.web.ports import Services
from policyd.web.shared import Shared
from policyd.web.view import Page

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
_MOST = 60  # receivers on the page; /api/state has all
_SILENT = 600.0  # seconds without a question after which the page says so
_PIECES = 50  # of the template, in a step
_ORDER = {"suspended": 0, "probing": 1, "slowed": 2, "free": 3}  # the worst first
_FILES = {"page.css": "text/css", "page.js": "text/javascript", "mark.svg": "image/svg+xml"}


def app(services: Services, turns: Turns) -> Starlette:
    """The application of the public address."""

    def as_html() -> Steps[bytes]:
        return (yield from drawn((yield from services.page(_MOST))))

    def as_json() -> Steps[bytes]:
        return (yield from told((yield from services.page(None))))

    _template()  # read now, not while somebody waits
    html, values = Shared(as_html, turns), Shared(as_json, turns)
    numbers, zipped = Shared(services.metrics, turns), Shared(packed(services.metrics), turns)

    async def page(request: Request) -> Response:
        return HTMLResponse(await html.get(), headers=_HEADERS)

    async def metrics(request: Request) -> Response:
        packs = takes_gzip(request.headers.get("accept-encoding", ""))
        text = await (zipped if packs else numbers).get()
        if text is None:
            return PlainTextResponse("the log is still being read\n", 503, {"Retry-After": "5"})
        size = str(sum(map(len, text)))
        headers = {"Content-Type": METRICS_TYPE, "Content-Length": size, "Vary": "Accept-Encoding"}
        if packs:
            headers["Content-Encoding"] = "gzip"
        return StreamingResponse(_slowly(text), headers=headers)

    async def healthz(request: Request) -> Response:
        troubles: Mapping[str, str] = services.troubles()
        body = {
            "status": "trouble" if troubles else "ok",
            "troubles": dict(troubles),
            "log": _plain(services.logs()),
        }
        return JSONResponse(body, 503 if troubles else 200, headers=_HEADERS)

    async def state(request: Request) -> Response:
        return Response(await values.get(), media_type="application/json", headers=_HEADERS)

    routes = [
        Route("/", page),
        Route("/metrics", metrics),
        Route("/healthz", healthz),
        Route("/api/state", state),
        *(Route(f"/{name}", _file(name, kind)) for name, kind in _FILES.items()),
    ]
    return Starlette(routes=routes)


async def _slowly(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    """One in each turn of the loop."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


def render(page: Page) -> str:
    """The status page as HTML."""
    return finish(drawn(page)).decode()


def drawn(page: Page) -> Steps[bytes]:
    """The status page as HTML, in steps."""
    troubled = [
        (row, lane)
        for row in page.receivers
        for lane in row.lanes
        if lane.state != "free" or lane.held or lane.deferred or lane.pinned
    ]
    troubled.sort(key=lambda found: (_ORDER.get(found[1].state, 9), -found[1].held))
    silent = page.mode != "safe" and page.now - max(page.asked.values(), default=0.0) > _SILENT
    values = {
        "page": page,
        "silent": silent,
        "now": page.now,
        "troubled": troubled,
        "totals": page.totals,
    }
    pieces: list[str] = []
    for piece in _template().generate(values):
        pieces.append(piece)
        if not len(pieces) % _PIECES:
            yield
    return "".join(pieces).encode()


def told(page: Page) -> Steps[bytes]:
    """The same as JSON, in steps."""
    receivers: list[str] = []
    for row in page.receivers:
        receivers.append(_json(_plain(row)))
        yield
    rest = _json(_plain(replace(page, receivers=())))
    return rest.replace('"receivers":[]', f'"receivers":[{",".join(receivers)}]', 1).encode()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_WEB),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(spelling.FILTERS)
    return environment.get_template("page.html")


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
