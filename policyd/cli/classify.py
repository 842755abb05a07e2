"""`mxheed classify`: what one reply (or a stream of them) means, and why.

Contract: with a reply, prints its verdict, the runner-up rules and why the winner won; with
`--json`, reads JSON lines {"reply", "stage", "mx"} on standard input and writes one verdict per
line, in order.
Failure: rules that do not load, or a line that is not such an object, end the command with exit
code 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rules import Classifier, Verdict, load
from rules.errors import RulesError

__all__ = ["as_json", "register"]


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


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def classify(
        reply: Annotated[
            str | None, typer.Argument(help="The reply, as logged or received.")
        ] = None,
        mx: Annotated[str | None, typer.Option(help="The MX host that said it.")] = None,
        stage: Annotated[
            str | None, typer.Option(help="connect, helo, starttls, auth, mail, rcpt, data, eod.")
        ] = None,
        site: Annotated[
            list[Path] | None, typer.Option("--rules", help="A site rule file; may be repeated.")
        ] = None,
        json_lines: Annotated[
            bool, typer.Option("--json", help="Read and write JSON lines.")
        ] = False,
    ) -> None:
        """Explain what a reply means."""
        classifier = Classifier(load(site or ()))
        if json_lines and reply is None:
            _stream(classifier)
            return
        if reply is None:
            raise typer.BadParameter("give a reply, or --json to read JSON lines")
        verdict = classifier.classify(reply, mx=mx, stage=stage, origin=None)
        print(json.dumps(as_json(verdict), ensure_ascii=False))


def _stream(classifier: Classifier) -> None:
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            reply = row["reply"]
        except (ValueError, TypeError, KeyError) as error:
            raise RulesError(f'line {number}: not a JSON object with "reply"') from error
        verdict = classifier.classify(
            str(reply), mx=row.get("mx"), stage=row.get("stage"), origin=None
        )
        sys.stdout.write(json.dumps(as_json(verdict), ensure_ascii=False) + "\n")
