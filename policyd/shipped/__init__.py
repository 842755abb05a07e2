"""What an installation brings along beside the program: systemd units, a user, a configuration.

In the source these are links into contrib/, in an installation they are files.

Contract: reads only. Failure: `OSError` where an installation is damaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["PROGRAM", "configuration", "sysusers", "units"]

PROGRAM = "/opt/mxheed/bin/mxheed"  # as the units have it

_FOLDER = Path(__file__).parent


def units() -> Mapping[str, str]:
    """The units by their names."""
    found = sorted((_FOLDER / "systemd").glob("*.*"))
    return {
        one.name: one.read_text("utf-8") for one in found if one.suffix in (".service", ".socket")
    }


def sysusers() -> str:
    """The user, for systemd-sysusers."""
    return (_FOLDER / "systemd" / "mxheed.sysusers").read_text("utf-8")


def configuration() -> str:
    """A configuration to begin with; it fits the units and contrib/postfix."""
    return (_FOLDER / "mxheed.yaml").read_text("utf-8")
