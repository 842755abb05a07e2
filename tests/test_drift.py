"""Defaults, settings, addresses, commands, options and metrics in the documents are the code's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import MISSING, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

import rules
from policyd.cli import application
from policyd.config import Config, load
from policyd.metrics.table import TABLE
from policyd.serve import bypass
from policyd.settings.bind import schema
from policyd.settings.units import duration
from rules.source import Mapping, parse
from tests.drift import DOCUMENTS, ROOT, Block, blocks, commands, joined, plain, spans

SETTING = r"`([a-z_]+(?:\.[a-z_]+)*)`"
NEAR = r"[^`|.;()]{0,60}"
VALUE = r"`?([0-9][0-9,.]*)( ?[a-z]+)?`?"
FORMS = (
    rf"{SETTING}{NEAR}\((?:the default is |default:? )?{VALUE}(?: by default|, the default)?\)",
    rf"{SETTING}{NEAR}, by default {VALUE}",
    rf"{SETTING}{NEAR}\bis {VALUE} by default",
    rf"\| {SETTING} \| {VALUE} \|",
)
UNITS = {"min": "m", "minutes": "m", "hours": "h", "seconds": "s", "days": "d"}
# options of other programs that the documents name
OTHERS = {"--since", "--upgrade"}
TRIED = "CONTRIBUTING.md"  # whose recipes are carried out (test_recipes.py)


def settings(cls: type[Any] = Config, path: str = "") -> Iterator[tuple[str, object]]:
    """Every setting, by its path, with its default where that is plain."""
    for name, (entry, kind) in schema(cls).items():
        if is_dataclass(kind) and isinstance(kind, type):
            yield from settings(kind, f"{path}{name}.")
        else:
            plainly = entry.default if entry.default is not MISSING else None
            yield f"{path}{name}", plainly


SETTINGS = dict(settings())
SECTIONS = {part for name in SETTINGS for part in name.split(".")[:-1]}


def known(name: str) -> dict[str, object]:
    """The settings that are called so, or end so."""
    return {path: value for path, value in SETTINGS.items() if f".{path}".endswith(f".{name}")}


def told(text: str) -> Iterator[tuple[str, float]]:
    """Each default that a text names: which setting, how much."""
    for form in FORMS:
        for name, number, unit in re.findall(form, joined(text)):
            if known(name):
                amount, unit = number.rstrip(".,").replace(",", ""), unit.strip()
                unit = UNITS.get(unit, unit)
                yield name, duration(amount + unit) if unit in "msdhw" and unit else float(amount)


def wrong_commands(line: str, whole: bool) -> str:
    """Why this is no call of mxheed; "": it is one."""
    command, words, names = typer.main.get_command(application()), shlex.split(line)[1:], ["mxheed"]
    context = None
    while hasattr(command, "commands"):
        if whole:
            context = command.make_context(names[-1], list(words), parent=context)
            words = [*context._protected_args, *context.args]
        if not words or words[0].startswith("-") or words[0].isupper():
            break
        if words[0] not in command.commands:
            return f"{' '.join(names)} has no command {words[0]}"
        names.append(words.pop(0))
        command = command.commands[names[-1]]
    if names[-1] == "bypass":
        if whole:
            bypass._arguments(words)
        return ""
    if whole:
        command.make_context(names[-1], list(words), parent=context)
    for word in words:
        option = word.strip("[]")
        if option.startswith("--") and option not in {"--help", *options(command)}:
            return f"{' '.join(names)} has no option {option}"
    return ""


def options(command: Any) -> set[str]:
    """The options of a command and those below it."""
    found = {name for parameter in command.params for name in parameter.opts}
    for below in getattr(command, "commands", {}).values():
        found |= options(below)
    return found


def metric_mistakes(text: str) -> list[str]:
    """Names and labels of metrics that the table does not have."""
    table = {family.name: family for family in TABLE}
    mistakes = []
    for name, braces in re.findall(r"\b(mxheed_[a-z_]+)\b(?!\.)(?:\{([^}]*)\})?", text):
        family = table.get(name) or table.get(re.sub(r"_(bucket|sum|count)$", "", name))
        labels = set(re.findall(r"([a-z_]+)(?:,|=|$|\s*(?=,))", re.sub(r'"[^"]*"', "", braces)))
        if family is None:
            mistakes.append(name)
        elif wrong := labels - {*family.labels, "le", "instance", "job"}:
            mistakes.append(f"{name} has no label {wrong}")
    return mistakes


def load_block(text: str, folder: Path) -> None:
    """By the loader it is for."""
    file = folder / "block.yaml"
    file.write_text(text, "utf-8")
    tree = parse(text, "", [])
    assert isinstance(tree, Mapping)
    if tree.get("mxheed") is not None:
        rules.load(site=[file])
    else:
        load(file)


def is_configuration(block: Block) -> bool:
    """Whether it must load: what is called YAML, and what begins like a configuration."""
    first = block.text.partition(":")[0].strip()
    return block.language == "yaml" or (block.language == "" and first in schema(Config))


DOCUMENTED = [path for path in DOCUMENTS if path.name != TRIED]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTED]
each_document = pytest.mark.parametrize("path", DOCUMENTED, ids=NAMES)
BLOCKS = [block for path in DOCUMENTED for block in blocks(path) if is_configuration(block)]


def test_the_forms_are_found() -> None:
    """The documents name defaults in these forms, and the test sees them."""
    names = {name for path in DOCUMENTED for name, _ in told(plain(path))}
    assert {"serve.max_connections", "metrics.receivers", "free_after", "court.span"} <= names
    assert len(BLOCKS) >= 4
    assert sum(whole for path in DOCUMENTED for _, whole in commands(path)) >= 25


@pytest.mark.parametrize(
    "planted",
    [
        "`metrics.receivers` have a label of their own (500)",
        "`metrics.receivers` (default 500)",
        "`metrics.receivers` (500 by default)",
        "`metrics.receivers` counts busy ones, by default 500",
        "`metrics.receivers` is 500 by default",
        "| `metrics.receivers` | `500` | receivers |",
        "`release.timeout` (17 s)",
    ],
)
def test_a_default_that_has_drifted_is_found(planted: str) -> None:
    """In whichever form a document tells it."""
    ((name, value),) = told(planted)
    assert value not in known(name).values()
    ((name, value),) = told(re.sub("500", "200", planted).replace("17 s", "10 s"))
    assert value in known(name).values()


@each_document
def test_a_default_in_the_documents_is_that_of_the_code(path: Path) -> None:
    """`setting` (N) means N; where several settings are called so, one of them."""
    drifted = {name: v for name, v in told(plain(path)) if v not in known(name).values()}
    assert drifted == {}


@each_document
def test_settings_in_the_documents_exist(path: Path) -> None:
    """`section.name` is a setting, or a section with settings; so is its short form."""
    unknown = []
    for span in spans(path):
        name = span.partition(": ")[0]
        if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name) or name.split(".")[0] not in SECTIONS:
            continue
        parents = {one.rpartition(".")[0] for one in SETTINGS}
        tables = [one for one in SETTINGS if name.startswith(f"{one}.")]
        section = any(f".{one}".endswith(f".{name}") for one in parents)
        if not (known(name) or section or tables) and not name.endswith((".cf", ".yaml", ".md")):
            unknown.append(span)
    assert unknown == []


@each_document
def test_addresses_in_the_documents_are_the_defaults(path: Path) -> None:
    """127.0.0.1 and a port of ours: one of those that are listened at without a configuration."""
    serve = Config().serve
    usual = " ".join((*serve.socketmap, *serve.policy, *serve.http))
    found = re.findall(r"127\.0\.0\.1:98\d\d", path.read_text("utf-8"))
    assert [one for one in found if one not in usual] == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.document}:{block.text[:20]!r}")
def test_a_block_of_yaml_loads(block: Block, tmp_path: Path) -> None:
    """What can be copied from a document is taken by the loader, as it stands."""
    load_block(block.text, tmp_path)


@pytest.mark.parametrize(
    "planted",
    [
        "serve: {max_conections: 5}",
        "pacing:\n  door: {wait: 5 parsecs}",
        "mxheed: 2\npack: site\nrule: []",
    ],
)
def test_a_block_that_has_drifted_is_found(planted: str, tmp_path: Path) -> None:
    """A key or a value that the loader does not know."""
    with pytest.raises(Exception, match=r"unknown|is not|allowed"):
        load_block(planted, tmp_path)


@each_document
def test_commands_in_the_documents_exist(path: Path) -> None:
    """A line to type is parsed as it stands; a command spoken of exists, with its options."""
    wrong = [wrong_commands(line, whole) for line, whole in commands(path)]
    assert [one for one in wrong if one] == []


@pytest.mark.parametrize(
    ("planted", "whole"),
    [
        ("mxheed rules measure CORPUS", False),
        ("mxheed report --everything FILE", False),
        ("mxheed report --everything mail.log", True),
        ("mxheed throttle pin google", True),
        ("mxheed report --top many mail.log", True),
        ("mxheed bypass --sockets unix:/x", True),
    ],
)
def test_a_command_that_has_drifted_is_found(planted: str, whole: bool) -> None:
    """A command, an option, a word too few, a value of another kind."""
    try:
        wrong = wrong_commands(planted, whole)
    except (Exception, SystemExit) as refused:
        wrong = str(refused)
    assert wrong


@each_document
def test_options_in_the_documents_exist(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that is named by itself is one of some command."""
    with pytest.raises(SystemExit):
        bypass.main(["--help"])
    ours = options(typer.main.get_command(application())) | OTHERS | {"--help"}
    ours |= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    named = {re.split(r"[ =]", span)[0] for span in spans(path) if span.startswith("--")}
    assert named - ours == set()


@each_document
def test_metrics_in_the_documents_exist(path: Path) -> None:
    """By name, with no label that they do not have."""
    assert metric_mistakes(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    ["mxheed_messages_total", "mxheed_deliveries_total{host}", 'mxheed_replies_total{rule="x"}'],
)
def test_a_metric_that_has_drifted_is_found(planted: str) -> None:
    """A name, a label."""
    assert metric_mistakes(f"`{planted}` tells")
