"""Lists of lookup tables, as Postfix's parameters hold them.

Contract: pure. Tables are parted by commas or blanks, outside of braces (`inline:{ {a=b}, … }`).
`merged` puts ours behind those that are there: theirs are asked first, so what they decide stays
decided while we are away, and we see what they leave. Failure: none; a brace that never closes
ends the list.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["merged", "tables", "without"]


def tables(value: str) -> Iterator[str]:
    """The tables of a list, in order."""
    depth, table = 0, ""
    for character in value:
        depth += (character == "{") - (character == "}")
        if depth <= 0 and (character == "," or character.isspace()):
            if table:
                yield table
            table = ""
        else:
            table += character
    if table:
        yield table


def without(value: str, ours: str) -> list[str]:
    """The tables that are not ours: `socketmap:ADDRESS:NAME`, whatever the name."""
    address = ours.rpartition(":")[0]
    return [table for table in tables(value) if table.rpartition(":")[0] != address]


def merged(value: str, ours: str) -> str:
    """The list with our table at its end."""
    return ", ".join([*without(value, ours), ours])
