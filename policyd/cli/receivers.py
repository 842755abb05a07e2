"""`mxheed receivers`: which receiver is behind a domain, and why.

Contract: looks each domain's mail exchangers up (not with `--no-dns`), rolls them up and prints the
receiver with the rule that decided; `--json` prints an object a line, in the order asked.
Failure: rules that do not load end it with exit code 1; a domain DNS knows nothing of is shown as
such and is no failure.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from policyd.receiver.rollup import DomainRollup, Receivers

__all__ = ["as_json", "register", "why"]

_WHY = {
    "mx": "its mail exchangers",
    "mixed": "its mail exchangers belong to different receivers; the first decides",
    "implicit": "no MX record: its own host name",
    "literal": "an address",
    "null": "a null MX: takes no mail",
    "learnt": "learnt from deliveries",
    "consumer": "a consumer domain in the rules; DNS was not asked or did not answer",
    "unknown": "nothing is known: DNS has no such name, did not answer, or was not asked",
}
_HOW = {
    "exact": "exact rule",
    "suffix": "suffix rule",
    "registrable": "registrable domain",
    "host": "the host itself",
    "literal": "address",
    "null": "null MX",
    "unknown": "no host name",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("receivers")(receivers)


def receivers(
    domains: Annotated[
        list[str],
        typer.Argument(metavar="DOMAIN…", help="Domains, hosts in MX records, or - for stdin."),
    ],
    site: Annotated[
        list[Path] | None, typer.Option("--rules", metavar="FILE", help="Your own rules too.")
    ] = None,
    no_dns: Annotated[
        bool, typer.Option("--no-dns", help="Ask nobody: take each name for a mail exchanger.")
    ] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="An object a line.")] = False,
) -> None:
    """Show which receiver is behind a domain, and why."""
    from policyd.receiver.rollup import Receivers
    from rules import load

    names = [name for word in domains for name in (_stdin() if word == "-" else [word])]
    table = load(site or ()).receivers
    rollup = Receivers(table)
    tenants = {known.id for known in table.by_id.values() if known.per_tenant}
    found = (
        [rollup.of_mx(name, [(0, name)]) for name in names]
        if no_dns
        else asyncio.run(_look_up(rollup, names))
    )
    for one in found:
        if json_lines:
            print(json.dumps(as_json(one, tenants), ensure_ascii=False))
    if not json_lines:
        _show(found, tenants)


def _stdin() -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()]


async def _look_up(rollup: Receivers, names: list[str]) -> list[DomainRollup]:
    from policyd.receiver.lookup import MxLookup

    lookup = MxLookup(rollup, time.time)
    found: list[DomainRollup] = []
    for start in range(0, len(names), 500):  # below the number of look-ups that may wait
        some = names[start : start + 500]
        found += await asyncio.gather(*(lookup.look_up(name) for name in some))
    await lookup.close()
    return found


def as_json(rollup: DomainRollup, tenants: Collection[str]) -> dict[str, Any]:
    """A roll-up as plain JSON values."""
    return {
        "domain": rollup.domain,
        "receiver": rollup.receiver,
        "per_tenant": rollup.receiver in tenants,
        "how": rollup.how,
        "hosts": [host._asdict() for host in rollup.hosts],
        "others": list(rollup.others),
    }


def why(rollup: DomainRollup) -> str:
    """One sentence on what decided."""
    hosts = "; ".join(f"{host.host}: {_HOW[host.how]} {host.by}" for host in rollup.hosts)
    return f"{_WHY[rollup.how]} ({hosts})" if hosts else _WHY[rollup.how]


def _show(found: list[DomainRollup], tenants: Collection[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("domain", "receiver", "why")
    for rollup in found:
        shared = "; each customer has limits of its own" if rollup.receiver in tenants else ""
        cells = (rollup.domain, rollup.receiver, why(rollup) + shared)
        table.add_row(*(Text(cell) for cell in cells))  # Text: remote names are no markup
    Console().print(table)
