"""Which names a browser may know our pages by.

A page of a stranger may let its own name point at 127.0.0.1 (DNS rebinding), and the browser then
shows our pages to it as if they were its own. Such a request has the stranger's name in `Host`.

Contract: numbers, `localhost` and the names that are configured are ours; a request that names
nobody comes from no browser. Everything else is answered 421. Failure: none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["OurNames", "is_ours"]

_WORDS = "this server is not known by that name; serve.http_hosts lists further ones\n"


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether what stands in `Host`, with or without a port, may mean us."""
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    else:
        name, colon, port = host.rpartition(":")
        name = name if colon and port.isdecimal() else host
    name = name.lower().removesuffix(".")
    if name == "localhost" or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class OurNames:
    """An application that is asked only by names of ours."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower().removesuffix(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        for name, value in scope.get("headers", ()):
            if name == b"host" and not is_ours(value.decode("latin-1"), self._names):
                await PlainTextResponse(_WORDS, 421)(scope, receive, send)
                return
        await self._app(scope, receive, send)
