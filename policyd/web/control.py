"""The control API: what `mxheed throttle` and `mxheed off` say to the running daemon.

    GET  /throttle                      {"now", "active", "mode", "lanes": […]}: what is to be told
    GET  /throttle/RECEIVER[?pool=P]    {"now", "receiver", "lanes": […]}: explained
    POST /throttle/RECEIVER/VERB        pin, cancel, extend, set; arguments as a JSON object
    POST /off, /on                      {"active", "held"}: step aside, pace again; /off: "release"
    GET  /release                       {"enabled", "trouble", counts}: can held messages be let go?
    POST /reload                        {"reloaded", "awaiting"}: the configuration was read anew

Contract: JSON both ways, on a unix socket of its own: who may open the socket may do all of this.
Failure: `{"error": words}` with 400 for what the throttle refuses, 404 or 405 for what does not
exist, 500 for a mistake of ours. A body is read no further than it may be long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from policyd.errors import ControlError
from policyd.web.ports import Control

__all__ = ["VERBS", "app"]

VERBS = ("pin", "cancel", "extend", "set")
_LONGEST_BODY = 10_000


def app(control: Control, clock: Callable[[], float]) -> Starlette:
    """The application of the control socket."""

    def answer(tell: Callable[[], Mapping[str, Any]]) -> Response:
        try:
            return JSONResponse({"now": clock(), **tell()})
        except ControlError as refused:
            return JSONResponse({"error": str(refused)}, 400)

    async def lanes(request: Request) -> Response:
        return answer(control.overview)

    async def explain(request: Request) -> Response:
        receiver, pool = request.path_params["receiver"], request.query_params.get("pool")
        return answer(lambda: control.explain(receiver, pool))

    async def change(request: Request) -> Response:
        receiver, verb = request.path_params["receiver"], request.path_params["verb"]
        if verb not in VERBS:
            return JSONResponse({"error": f"no such verb; one of {', '.join(VERBS)}"}, 404)
        arguments = _arguments(await _body(request))
        if arguments is None:
            return JSONResponse({"error": "the arguments must be a JSON object"}, 400)
        return answer(lambda: control.change(verb, receiver, arguments))

    async def off(request: Request) -> Response:
        stepped = control.switch(False)  # first: mail flows, whatever the hand says
        stepped["release"] = await control.release()
        return answer(lambda: stepped)

    async def release(request: Request) -> Response:
        told = await control.release()
        return answer(lambda: told)

    async def reload(request: Request) -> Response:
        try:
            told = await control.reload()
        except ControlError as refused:
            return JSONResponse({"error": str(refused)}, 400)
        return answer(lambda: told)

    async def on(request: Request) -> Response:
        return answer(lambda: control.switch(True))

    return Starlette(
        routes=[
            Route("/throttle", lanes),
            Route("/throttle/{receiver:path}", explain),
            Route("/throttle/{receiver:path}/{verb}", change, methods=["POST"]),
            Route("/off", off, methods=["POST"]),
            Route("/on", on, methods=["POST"]),
            Route("/release", release),
            Route("/reload", reload, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _nothing_there, Exception: _our_mistake},
    )


async def _nothing_there(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, HTTPException)
    words = f"{request.method} {request.url.path}: {wrong.detail}"
    return JSONResponse({"error": words}, wrong.status_code, wrong.headers)


async def _our_mistake(request: Request, wrong: Exception) -> Response:
    return JSONResponse({"error": "the daemon failed; its log says why"}, 500)


async def _body(request: Request) -> bytes | None:
    """What was sent; None: more than any of our commands sends."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_BODY:
            return None
    return body


def _arguments(body: bytes | None) -> Mapping[str, Any] | None:
    if not body:
        return None if body is None else {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
