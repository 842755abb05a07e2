"""The native part (`native.c`), as far as Python calls it."""

from logparse.native import Row

VERSION: int

def scan(
    block: bytes,
    places: list[int],
    index: int,
    relays: dict[bytes, Row],
    minutes: dict[bytes, int],
) -> int: ...
def parse(block: bytes, place: int) -> tuple[bytes, ...] | None: ...
