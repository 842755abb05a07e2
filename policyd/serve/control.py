"""The control API: what `mxheed throttle` and `mxheed off` say to the running daemon.

    GET  /throttle                      {"now", "lanes": […]}: every lane with something to tell
    GET  /throttle/RECEIVER[?pool=P]    {"now", "receiver", "lanes": […]}: explained
    POST /throttle/RECEIVER/VERB        pin, cancel, extend, set; arguments as a JSON object
    POST /off, /on                      {"active", "held"}: step aside, pace again

Contract: JSON both ways, on a unix socket of its own: who may open the socket may do all of this.
Failure: `{"error": words}` with 400 for what the throttle refuses, 404 for what does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from policyd.errors import ControlError
from policyd.serve.ports import Control

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
        return answer(lambda: {"lanes": control.lanes()})

    async def explain(request: Request) -> Response:
        receiver, pool = request.path_params["receiver"], request.query_params.get("pool")
        return answer(lambda: control.explain(receiver, pool))

    async def change(request: Request) -> Response:
        receiver, verb = request.path_params["receiver"], request.path_params["verb"]
        if verb not in VERBS:
            return JSONResponse({"error": f"no such verb; one of {', '.join(VERBS)}"}, 404)
        arguments = _arguments(await request.body())
        if arguments is None:
            return JSONResponse({"error": "the arguments must be a JSON object"}, 400)
        return answer(lambda: control.change(verb, receiver, arguments))

    async def off(request: Request) -> Response:
        return answer(lambda: control.switch(False))

    async def on(request: Request) -> Response:
        return answer(lambda: control.switch(True))

    return Starlette(
        routes=[
            Route("/throttle", lanes),
            Route("/throttle/{receiver}", explain),
            Route("/throttle/{receiver}/{verb}", change, methods=["POST"]),
            Route("/off", off, methods=["POST"]),
            Route("/on", on, methods=["POST"]),
        ]
    )


def _arguments(body: bytes) -> Mapping[str, Any] | None:
    if not body:
        return {}
    try:
        value = json.loads(body) if len(body) <= _LONGEST_BODY else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
