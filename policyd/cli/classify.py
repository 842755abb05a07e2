"""`mxheed classify`: what one reply (or a stream of them) means, and why.

Contract: with a reply, prints its verdict, the runner-up rules and why the winner won, and with
`--explain` marks where in the reply it was read; with `--json`, reads JSON lines {"reply",
"stage", "mx"} on standard input and writes one verdict per line, in order.
Failure: rules that do not load, or a line that is not such an object, end it with exit code 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rules import Classifier, Verdict
    from rules.evidence import Quote
    from rules.matching import Case

__all__ = ["as_json", "register"]

RUNNERS_UP = 8
STAGES = "connect, helo, starttls, auth, mail, rcpt, data, eod"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("classify")(classify)


def classify(
    reply: Annotated[
        str | None, typer.Argument(help="The reply, as received or as logged.")
    ] = None,
    mx: Annotated[
        str | None, typer.Option("--mx", metavar="HOST", help="The MX host that said it.")
    ] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help=f"When it was said: {STAGES}.")
    ] = None,
    site: Annotated[
        list[Path] | None, typer.Option("--rules", metavar="FILE", help="Your own rules too.")
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="JSON out; without REPLY: JSON lines in and out.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell where in the reply each thing was read.")
    ] = False,
) -> None:
    """Explain what a reply means and which rule says so."""
    from rules import Classifier, load
    from rules.model import STAGES as KNOWN

    if reply is None and not json_lines:
        raise typer.BadParameter("give a REPLY, or --json to read JSON lines")
    if stage is not None and stage not in KNOWN:
        raise typer.BadParameter(f"{stage!r} is no stage; allowed: {STAGES}")
    classifier = Classifier(load(site or ()))
    if reply is None:
        _stream(classifier, explain)
    elif json_lines:
        print(json.dumps(_row(classifier, reply, mx, stage, explain), ensure_ascii=False))
    else:
        case = classifier.case(reply, mx=mx, stage=stage, origin=None)
        _show(classifier, case)
        if explain:
            _mark(classifier.evidence(reply, case), reply)


def as_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON values."""
    return {
        "category": verdict.category,
        "rule": verdict.rule,
        "receiver": verdict.receiver,
        "scope": verdict.scope,
        "stance": verdict.stance,
        "suppress": verdict.suppress,
        "retry_after": verdict.retry_after,
        "hint": verdict.hint,
        "flags": list(verdict.flags),
        "captures": dict(verdict.captures),
        "code": verdict.code,
        "enhanced": verdict.enhanced,
    }


def _row(
    classifier: Classifier, reply: str, mx: str | None, stage: str | None, explain: bool
) -> dict[str, Any]:
    """A verdict as JSON values; with `explain`, also where it was read from."""
    made = as_json(classifier.classify(reply, mx=mx, stage=stage, origin=None))
    if explain:
        case = classifier.case(reply, mx=mx, stage=stage, origin=None)
        made["evidence"] = [
            {"what": one.what, "start": one.start, "end": one.end, "by": one.by}
            for one in classifier.evidence(reply, case)
        ]
    return made


def _mark(found: list[Quote], reply: str) -> None:
    from rules.evidence import marked

    print("\nread from" if found else "\nnothing in its text was read")
    for what, text, marks in marked(reply, found):
        print(f"  {what:9} {text}\n  {'':9} {marks}")


def _stream(classifier: Classifier, explain: bool) -> None:
    from policyd.cli.rows import rows

    sys.stdin.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    for row in rows(sys.stdin, "standard input"):
        made = _row(classifier, row.reply, row.mx, row.stage, explain)
        sys.stdout.write(json.dumps(made) + "\n")


def _show(classifier: Classifier, case: Case) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rules.explain import why_first

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    verdict = classifier.judge(case)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in as_json(verdict).items():
        if isinstance(value, dict):
            value = ", ".join(f"{kind} {found}" for kind, found in value.items())
        if isinstance(value, list):
            value = ", ".join(value)
        if value not in (None, ""):
            table.add_row(
                name, escape(str(value).lower() if value in (True, False) else str(value))
            )
    table.add_row("text", escape(case.reply.said[:400]))
    console.print(table)
    holding = classifier.holding(case)
    if not holding:
        console.print("\nNo rule holds. Draft one: mxheed rules new REPLY")
        return
    place = holding[0].rule.place
    console.print(f"\n{escape(holding[0].rule.id)} stands at {escape(place.file)}:{place.line}")
    for other in holding[1 : RUNNERS_UP + 1]:
        console.print(
            f"  before {escape(other.rule.id)} ({other.rule.category}): "
            f"{escape(why_first(holding[0], other))}"
        )
    if len(holding) > RUNNERS_UP + 1:
        console.print(f"  and {len(holding) - RUNNERS_UP - 1} more")
    if len(holding) == 1:
        console.print("  no other rule holds")
