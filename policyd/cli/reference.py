"""The page of all commands, written from the commands themselves.

`python -m policyd.cli.reference > docs/commands.md`; a test compares the two.
Failure: a command or option without help raises `ValueError`, so it fails that test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from policyd.cli import application

__all__ = ["main", "page"]

INTRO = """\
# Commands

Exit codes: 0 done, 1 something to mend (told on standard error), 2 wrong usage, 3 an unexpected
error (one line tells where the traceback is), 4 (`doctor` only) nothing was found wrong, but not
everything could be looked at, 130 Ctrl-C.
`mxheed --version` prints the version, and what reads logs for reports.

This page is made from the program: `python -m policyd.cli.reference > docs/commands.md`.
"""


def page() -> str:
    """Every command with its arguments and options, as Markdown."""
    root = typer.main.get_command(application())
    return INTRO + "".join(_commands(root, "mxheed"))


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


def _commands(command: Any, name: str) -> Iterator[str]:
    if not hasattr(command, "commands"):
        yield from _command(command, name)
        return
    for word, child in command.commands.items():
        yield from _commands(child, f"{name} {word}")


def _command(command: Any, name: str) -> Iterator[str]:
    if not command.help:
        raise ValueError(f"{name} has no help")
    words = [_word(p) for p in command.params if p.param_type_name == "argument"]
    yield f"\n## `{' '.join([name, *words])}`\n\n{_flow(command.help)}\n\n"
    for option in command.params:
        if option.param_type_name != "option":
            continue
        if not option.help:
            raise ValueError(f"{name} {option.opts[0]} has no help")
        names = ", ".join(f"`{word}`" for word in (*option.opts, *option.secondary_opts))
        takes = "" if option.is_flag else f" *{option.metavar or option.name.upper()}*"
        yield f"- {names}{takes}: {_flow(option.help)}\n"


def _word(argument: Any) -> str:
    word = argument.name.upper() + ("…" if argument.nargs != 1 else "")
    return word if argument.required else f"[{word}]"


def _flow(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


if __name__ == "__main__":
    main()
