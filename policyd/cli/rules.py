"""`mxheed rules`: check, test, list and explain the rules; measure them on a corpus; draft a new
one.

Contract: every sub-command loads the shipped rules and the site files given with `--rules`.
Failure: `check` and `test` print every mistake as file:line:column and end with exit code 1.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from rules.errors import Problem
    from rules.model import Rule

__all__ = ["register"]

Site = Annotated[
    list[Path] | None, typer.Option("--rules", metavar="FILE", help="Your own rules too.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="The rules: check, test, list, explain, coverage, new.")
    for command in (_check, _test, _list, _explain, _coverage, _new):
        group.command(command.__name__.strip("_"))(command)
    app.add_typer(group, name="rules")


def _check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]…", help="Site files to check.")
    ] = None,
) -> None:
    """Check that the rules load, that each can fire, and that each wins its own examples."""
    from rules.check import check as examine
    from rules.loader import assemble

    ruleset, problems = assemble(files or ())
    _fail([*problems, *examine(ruleset)])
    examples = sum(len(rule.examples) + len(rule.near) for rule in ruleset.rules)
    typer.echo(f"{len(ruleset.rules)} rules, {examples} examples: no mistakes")


def _test(site: Site = None) -> None:
    """Run every example and near miss, and the conformance vectors of the language."""
    from rules import load
    from rules.check import check as examine
    from rules.vectors import run

    ruleset = load(site or ())
    done, failures = run()
    _fail([*examine(ruleset), *failures])
    examples = sum(len(rule.examples) for rule in ruleset.rules)
    near = sum(len(rule.near) for rule in ruleset.rules)
    typer.echo(f"{examples} examples, {near} near misses, {done} conformance vectors: all hold")


def _list(
    category: Annotated[
        str | None, typer.Option("--category", help="Only this category or group.")
    ] = None,
    receiver: Annotated[
        str | None, typer.Option("--receiver", help="Only rules that name this receiver.")
    ] = None,
    site: Site = None,
    as_json: AsJson = False,
) -> None:
    """List the rules in matching order."""
    from rules import load

    chosen = [
        rule
        for rule in load(site or ()).rules
        if (category is None or f"{rule.category}.".startswith(f"{category}."))
        and (receiver is None or receiver in (rule.when.receivers or ("generic",)))
    ]
    if as_json:
        typer.echo(json.dumps([_plain(rule) for rule in chosen]))
        return
    console, table = _table("rule", "category", "receiver", "scope", "stance", "rank", "examples")
    for rule in chosen:
        receivers = ", ".join(rule.when.receivers) or "generic"
        count = str(len(rule.examples))
        table.add_row(
            rule.id, rule.category, receivers, rule.scope, rule.stance, str(rule.rank), count
        )
    console.print(table)
    console.print(f"{len(chosen)} rules")


def _explain(
    name: Annotated[str, typer.Argument(metavar="RULE", help="The id of the rule.")],
    site: Site = None,
) -> None:
    """Show a rule: what it asks for, what follows, and what its examples come to."""
    from rich.markup import escape

    from rules import Classifier, UnknownRule, load
    from rules.check import judge_example
    from rules.explain import conditions
    from rules.source import oneof

    ruleset = load(site or ())
    rule = ruleset.get(name)
    if rule is None:
        near = oneof(name, [rule.id for rule in ruleset.rules]).partition("allowed:")[0].strip()
        raise UnknownRule(f"there is no rule {name!r}; {near or 'see `mxheed rules list`'}")
    classifier = Classifier(ruleset)
    console, table = _table("", "")
    table.show_header = False
    for key, value in [*_plain(rule).items(), *conditions(rule)]:
        if value not in (None, "", []):
            table.add_row(key, escape(str(value)))
    console.print(table)
    for title, examples in (("wins", rule.examples), ("leaves", rule.near)):
        for example in examples:
            verdict = judge_example(classifier, rule, example)
            reply = example.reply.replace("\n", " ")
            console.print(f"{title}: {escape(reply)}\n  → {verdict.category} by {verdict.rule}")


def _coverage(
    corpus: Annotated[
        Path, typer.Argument(metavar="CORPUS", help='JSON lines with "reply", "mx", "stage".')
    ],
    site: Site = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Rows in each table.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show which rules a corpus sets off, and what stays unknown, grouped by its text."""
    from policyd.cli.rows import rows
    from rules import Classifier, RulesError, load
    from rules.coverage import measure

    try:
        with corpus.open(encoding="utf-8", errors="backslashreplace") as lines:
            found = measure(Classifier(load(site or ())), rows(lines, str(corpus)))
    except OSError as error:
        raise RulesError(f"{corpus}: cannot be read: {error.strerror}") from error
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "replies": found.replies,
                    "known": round(found.share, 4),
                    "categories": dict(found.categories.most_common()),
                    "rules": dict(found.rules.most_common()),
                    "unknown": [
                        {"count": count, "template": shape, "reply": found.samples[shape]}
                        for shape, count in found.unknown.most_common()
                    ],
                    "silent": list(found.silent),
                }
            )
        )
        return
    console, table = _table("replies", "rule")
    for name, count in found.rules.most_common(top):
        table.add_row(str(count), name)
    console.print(table)
    if found.unknown:
        _, unknown = _table("replies", "unknown text")
        for shape, count in found.unknown.most_common(top):
            unknown.add_row(str(count), _escape(shape))
        console.print(unknown)
    console.print(
        f"{found.replies} replies, {found.share:.1%} known, {len(found.rules)} rules fired, "
        f"{len(found.silent)} did not, {len(found.unknown)} unknown texts"
    )


def _new(
    reply: Annotated[str, typer.Argument(help="The reply, as received or as logged.")],
    mx: Annotated[
        str | None, typer.Option("--mx", metavar="HOST", help="The MX host that said it.")
    ] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="When it was said.")] = None,
    site: Site = None,
) -> None:
    """Draft a site rule for a reply, with the reply as its example, ready to edit."""
    from rules import Classifier, load
    from rules.draft import draft

    today = datetime.now(UTC).date().isoformat()
    text = draft(Classifier(load(site or ())), reply, mx=mx, stage=stage, seen=today)
    typer.echo(text, nl=False)


def _fail(problems: list[Problem]) -> None:
    """Print mistakes, all of them, and end with exit code 1."""
    for problem in dict.fromkeys(sorted(problems)):
        typer.echo(str(problem))
    if problems:
        count = len(dict.fromkeys(problems))
        typer.echo(f"mxheed: {count} mistake{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(1)


def _plain(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "category": rule.category,
        "scope": rule.scope,
        "stance": rule.stance,
        "suppress": rule.suppress,
        "retry": rule.retry,
        "receivers": list(rule.when.receivers),
        "rank": rule.rank,
        "vague": rule.vague,
        "place": f"{rule.place.file}:{rule.place.line}",
        "source": rule.source,
        "seen": rule.seen,
        "examples": len(rule.examples),
    }


def _table(*columns: str) -> tuple[Console, Table]:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return console, table


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
