"""The configuration: one YAML file, read by one function for start, reload, check and tests.

Contract: `load` returns a whole valid `Config` or raises; `Config()` are the embedded defaults,
with which mxheed runs without any file. Each part of the program defines its own section; this
module only names them. A key that has moved is logged, with its new name.
Failure: `ConfigError` lists every mistake with file:line:column.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import rules
from policyd.errors import ConfigError, MxheedError
from policyd.memory.settings import MemorySettings
from policyd.receiver.names import name_problems
from policyd.serve.settings import ServeSettings
from policyd.settings.bind import bind
from policyd.settings.logs import check
from policyd.settings.lookup import LookupSettings
from policyd.settings.moved import settle
from policyd.settings.release import ReleaseSettings
from policyd.settings.restart import awaiting
from policyd.settings.units import Duration
from policyd.settings.zones import zone_named
from policyd.throttle.settings.pacing import PacingSettings
from rules.source import Node, Problem, parse, read_text

__all__ = [
    "Config",
    "LogSettings",
    "MetricsSettings",
    "RulesSettings",
    "StateSettings",
    "awaiting",
    "load",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the delivery log is read."""

    path: tuple[str, ...] = field(
        default=("auto",),
        metadata={
            "restart": True,
            "doc": "One log or a list of them: files, globs (`/var/log/hosts/{host}/mail.log`), "
            "`journal`, `journal:merge`, `journal:FOLDER`, `-` (standard input), `pipe:FILE`. "
            "Alone: `sample` (play the bundled sample day), or `auto`: the machine's mail log, "
            "else its journal, else the sample day.",
        },
    )
    olddir: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "The folder that rotated files are moved to (`olddir` of logrotate), as written "
            "there: absolute, or from the log's own folder.",
        },
    )
    timezone: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "The zone of stamps that tell none, such as `Europe/Berlin` or `UTC`. Empty: "
            "the machine's; a log in another zone is noticed, and allowed for.",
            "check": zone_named,
        },
    )
    hosts: Literal["report", "label", "ignore"] = field(
        default="report",
        metadata={
            "restart": True,
            "doc": "Where the machines that wrote the lines are told: on pages (`report`), in "
            "metrics as well (`label`), or nowhere (`ignore`). They are kept apart anyway.",
        },
    )
    here: tuple[str, ...] = field(
        default=(),
        metadata={
            "restart": True,
            "doc": "The names that this machine has in its logs. Empty: its host name; a log in "
            "which only one machine speaks is its own, whatever the name.",
        },
    )
    shared: tuple[str, ...] = field(
        default=(),
        metadata={
            "restart": True,
            "doc": "Machines that send from the same addresses as this one: what receivers tell "
            "them paces our mail, too. Lines of all others are only shown.",
        },
    )
    pools: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "doc": "Which source address pool a syslog name belongs to, such as "
            "`postfix/pool2/smtp: pool2`; what is not named belongs to the default pool."
        },
    )
    commit_interval: Duration = field(
        default=1.0,
        metadata={
            "restart": True,
            "doc": "How often position, counters and evidence are committed.",
            "min": 0.05,
            "max": 3600,
        },
    )

    def __post_init__(self) -> None:
        check(self.path)


@dataclass(frozen=True, slots=True)
class StateSettings:
    """What survives a restart."""

    file: str = field(
        default="",
        metadata={
            "restart": True,
            "doc": "The SQLite file. Empty: `mxheed.db` in systemd's state directory, else in "
            "`~/.local/state/mxheed` (root: `/var/lib/mxheed`).",
        },
    )


@dataclass(frozen=True, slots=True)
class RulesSettings:
    """The language that replies are read by."""

    site: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Your own rule files: they add, override by id, or disable rules."},
    )


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """What Prometheus sees."""

    receivers: int = field(
        default=200,
        metadata={
            "restart": True,
            "doc": "How many receivers have a label of their own; the rest are `other`.",
            "min": 1,
            "max": 10000,
        },
    )


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an operator can set; `Config()` is what runs without a file."""

    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()
    rules: RulesSettings = RulesSettings()
    memory: MemorySettings = field(default_factory=MemorySettings)
    metrics: MetricsSettings = MetricsSettings()
    serve: ServeSettings = field(default_factory=ServeSettings)
    pacing: PacingSettings = field(default_factory=PacingSettings)
    release: ReleaseSettings = field(default_factory=ReleaseSettings)
    lookup: LookupSettings = field(default_factory=LookupSettings)


def load(path: Path | None) -> Config:
    """The configuration in `path`; None gives the defaults.

    Raises `ConfigError` with all mistakes of the file and of the site rules that it names.
    """
    if path is None:
        return Config()
    try:
        text = read_text(path)
    except (OSError, ValueError) as wrong:
        raise MxheedError(f"cannot read the configuration {path}: {wrong}") from wrong
    problems: list[Problem] = []
    empty = all(not line or line.startswith("#") for line in map(str.strip, text.splitlines()))
    tree = None if empty else parse(text, str(path), problems)
    tree, hints = settle(tree)
    config = bind(Config, tree, problems)
    problems += site_problems(config, path, tree)
    if problems:
        raise ConfigError(sorted(problems))
    for hint in hints:
        _log.warning("%s", hint)
    return config


def site_files(config: Config, base: Path | None) -> list[Path]:
    """The site rule files; relative names count from the configuration's folder."""
    folder = base.parent if base else Path()
    return [folder / name for name in config.rules.site]


def site_problems(config: Config, base: Path | None, tree: Node | None = None) -> list[Problem]:
    """The mistakes in the site rule files, and the names in `tree` that no rules know."""
    files = site_files(config, base)
    if not files and tree is None:
        return []
    try:
        ruleset = rules.load(site=files)
    except rules.RulesError as wrong:
        return list(wrong.problems)
    return list(name_problems(tree, ruleset.receivers))
