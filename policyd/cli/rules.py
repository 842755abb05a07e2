"""`mxheed rules`: check, test, list and explain the rules.

`rules_work` has the commands that measure them and draft new ones.

Contract: every sub-command loads the shipped rules and the site files given with `--rules`.
Failure: `check` and `test` print every mistake as file:line:column and end with exit code 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policyd.cli.rules_work import AsJson, Site, coverage, new, new_table

if TYPE_CHECKING:
    from rules.errors import Problem
    from rules.model import Rule, RuleSet

__all__ = ["register"]

EFFECTS = 40  # changed examples that a check lists


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="The rules: check, test, list, explain, coverage, new.")
    for command in (_check, _test, _list, _explain, coverage, new):
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
    if files:
        _tell_effects(ruleset)
    typer.echo(f"{len(ruleset.rules)} rules, {examples} examples: no mistakes")


def _tell_effects(ruleset: RuleSet) -> None:
    """Warn of shipped examples that the site files answer otherwise."""
    from rules import load
    from rules.effects import effects

    changed = list(effects(load(), ruleset))
    if not changed:
        return
    count = len(changed)
    typer.echo(
        f"warning: {count} shipped example{'s are' if count > 1 else ' is'} answered otherwise now:"
    )
    for effect in changed[:EFFECTS]:
        typer.echo(f"  {effect}")
    if count > EFFECTS:
        typer.echo(f"  and {count - EFFECTS} more")


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
    console, table = new_table(
        "rule", "category", "receiver", "scope", "stance", "rank", "examples"
    )
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
    from rules.source import nearest

    ruleset = load(site or ())
    rule = ruleset.get(name)
    if rule is None and name in ruleset.disabled:
        place = ruleset.disabled[name]
        raise UnknownRule(f"rule {name!r} is disabled: {place.file}:{place.line}:{place.column}")
    if rule is None:
        near = nearest(name, [rule.id for rule in ruleset.rules])
        raise UnknownRule(f"there is no rule {name!r}{near or '; see `mxheed rules list`'}")
    classifier = Classifier(ruleset)
    console, table = new_table("", "")
    table.show_header = False
    for key, value in [*_plain(rule).items(), *conditions(rule)]:
        if value not in (None, "", []):
            table.add_row(key, escape(str(value)))
    if name in ruleset.overrides:
        place = ruleset.overrides[name]
        table.add_row("changed by", escape(f"{place.file}:{place.line}"))
    console.print(table)
    for title, examples in (("wins", rule.examples), ("leaves", rule.near)):
        for example in examples:
            verdict = judge_example(classifier, rule, example)
            reply = example.reply.replace("\n", " ")
            console.print(f"{title}: {escape(reply)}\n  → {verdict.category} by {verdict.rule}")


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
