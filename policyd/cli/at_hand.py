"""The configuration that a command of the operator's is about.

The daemon is always told its file. Who asks about it afterwards means that one: without `--config`
these commands take the installed file where there is one, so that nobody judges the embedded
defaults by mistake.

Contract: `at_hand` returns the configuration and the file it came from; None: the defaults.
Failure: as `policyd.config.load`.
"""

from __future__ import annotations

from pathlib import Path

from policyd import config as configuration
from policyd.shipped.unitfiles import CONFIG

__all__ = ["HELP", "INSTALLED", "at_hand", "option"]

INSTALLED = Path(CONFIG)
HELP = f"The daemon's configuration; without: {INSTALLED} if it is there, else the defaults."


def at_hand(named: Path | None) -> tuple[configuration.Config, Path | None]:
    """The file that was named, else the installed one, else the defaults."""
    if named is None and INSTALLED.exists():
        named = INSTALLED
    return configuration.load(named), named


def option(path: Path | None) -> list[str]:
    """The words that name this file to another command."""
    return ["--config", str(path)] if path else []
