"""gzip for /metrics: a scraper asks for it, and the page is mostly the same words over and over.

Contract: `packed(make)` makes the same page compressed, in steps of a fraction of a millisecond;
None stays None. `takes_gzip` reads a request's Accept-Encoding: no other coding is offered.
Failure: none; a header that cannot be read asks for nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from policyd.serve.turns import Steps

__all__ = ["packed", "takes_gzip"]

_LEVEL = 1  # a tenth of the size for little time; more would cost answers more than it saves
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say that header and checksum shall be gzip's
_AT_A_TIME = 32_768  # bytes

Page = Sequence[bytes] | None


def packed(make: Callable[[], Steps[Page]]) -> Callable[[], Steps[Page]]:
    """What `make` makes, compressed."""

    def steps() -> Steps[Page]:
        page = yield from make()
        if page is None:
            return None
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        done: list[bytes] = []
        for piece in page:
            for begin in range(0, len(piece), _AT_A_TIME):
                done.append(packer.compress(piece[begin : begin + _AT_A_TIME]))
                yield
        return [*filter(None, done), packer.flush()]

    return steps


def takes_gzip(accepted: str) -> bool:
    """Whether the client named gzip, or anything, and did not refuse it with a weight of zero."""
    named: dict[str, bool] = {}
    for choice in accepted.lower().split(","):
        coding, *parameters = (part.strip() for part in choice.split(";"))
        weights = [text[2:].strip() for text in parameters if text.startswith("q=")]
        named[coding] = not weights or weights[0].strip("0.") != ""
    return named.get("gzip", named.get("x-gzip", named.get("*", False)))
