"""The command line as a whole: help, exit codes, and the page that documents it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from policyd.cli import COMMANDS, main
from policyd.cli.reference import page

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_of_commands_is_current() -> None:
    """docs/commands.md is what the program prints (`python -m policyd.cli.reference`)."""
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_knows_every_command(command: str) -> None:
    """The table of commands in the README names each command."""
    assert f"`mxheed {command}" in README


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check"], 0, ""),
        (["check", "--config", "/nonexistent.yaml"], 1, "mxheed: cannot read the configuration"),
        (["check", "--confog", "x"], 2, "No such option"),
        (["nonsense"], 2, "No such command"),
        (["report", "/nonexistent.log"], 1, "/nonexistent.log"),
    ],
)
def test_exit_codes_tell_what_kind_of_trouble_it_was(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 is done, 1 is something to mend, 2 is wrong usage; the words go to standard error."""
    assert main(arguments) == code
    assert said in capsys.readouterr().err


def test_bypass_starts_without_the_rest_of_the_program() -> None:
    """The responder of last resort imports nothing but the standard library."""
    script = (
        "import sys; from policyd.cli import main\n"
        "try: main(['bypass', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'typer', 'ruamel', 're2', 'starlette', 'uvloop', 'dns', 'pygtail'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command",
    [
        ("report", "--json", "policyd/sample/mail.log.gz"),
        ("setup", "postfix"),
        ("check", "--defaults"),
    ],
    ids=" ".join,
)
def test_a_pipe_gets_utf8_in_any_locale(command: tuple[str, ...]) -> None:
    """What is written to a file or read by a program does not hang on this machine's language."""
    found = [
        subprocess.run(
            [sys.executable, "-m", "policyd.cli", *command], cwd=ROOT, capture_output=True,
            env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}, check=True,
        ).stdout
        for encoding in ("utf-8", "ascii")
    ]  # fmt: skip
    assert found[0].decode("utf-8")
    assert found[0] == found[1]
