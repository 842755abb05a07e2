"""Time zones by name, as a configuration gives them.

Contract: `zone_named` reads a name of the IANA database; "" is the machine's own zone (None).
Failure: `ValueError` with words for a name that is not known.
"""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["zone_named"]


def zone_named(name: str) -> tzinfo | None:
    """The zone of this name."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as wrong:
        raise ValueError(
            f"{name[:40]!r} is no time zone; names are such as Europe/Berlin or UTC"
        ) from wrong
