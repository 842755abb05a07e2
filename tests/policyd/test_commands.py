"""The command line as a whole: help, exit codes, and the page that documents it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from logparse import native
from policyd.cli import COMMANDS, main
from policyd.cli.crash import NAME, tell
from policyd.cli.reference import page
from policyd.doctor.values import Finding, Level

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
        (["check", "/nonexistent.yaml"], 1, "mxheed: cannot read the configuration"),
        (["check", "a.yaml", "--config", "b.yaml"], 2, "name the file once"),
        (["check", "--confog", "x"], 2, "--config"),
        (["nonsense"], 2, "No such command"),
        (["repot"], 2, "Did you mean 'report'?"),
        (["rules", "tset"], 2, "Did you mean 'test'?"),
        (["--version"], 0, ""),
        (["report", "/nonexistent.log"], 1, "/nonexistent.log"),
    ],
)
def test_exit_codes_tell_what_kind_of_trouble_it_was(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 is done, 1 is something to mend, 2 is wrong usage; the words go to standard error."""
    assert main(arguments) == code
    assert said in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`mxheed --version` prints the version that is installed, and what reads, in one line."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mxheed {version('mxheed')} ({native.path})\n"


def test_check_takes_the_file_as_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`mxheed check FILE` reads that file."""
    file = tmp_path / "mxheed.yaml"
    file.write_text("pacing: {floor: 0.5}\n")
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no mistakes\n"


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        (["fine", "note"], 0),
        (["fine", "wrong", "unchecked"], 1),
        (["fine", "unchecked"], 4),
        (ZeroDivisionError("odd"), 3),
    ],
)
def test_the_doctor_that_fails_is_told_from_one_that_could_not_look(
    levels: list[Level] | Exception,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Something wrong, something not looked at, and an error of our own: three codes."""

    def examine(*_: object, **__: object) -> list[Finding]:
        if isinstance(levels, Exception):
            raise levels
        return [Finding(level, "what") for level in levels]

    monkeypatch.setattr("policyd.cli.doctor.examine", examine)
    monkeypatch.setattr("policyd.cli.doctor.machine", lambda settings: None)
    monkeypatch.setattr("policyd.cli.doctor.gather", lambda *facts: None)
    monkeypatch.setattr("policyd.cli.doctor._exim", lambda *facts: None)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert main(["doctor"]) == code
    capsys.readouterr()


def _break(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    def load(_: object) -> None:
        raise ZeroDivisionError(message)

    monkeypatch.setattr("policyd.config.load", load)


def test_what_nobody_thought_of_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected exception: exit code 3, one line without controls, the traceback in a file."""
    _break(monkeypatch, "odd\x1b[2J\n" + "x" * 100_000)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    for _ in range(3):
        assert main(["check"]) == 3
        said = capsys.readouterr().err
        kept = tmp_path / "state" / NAME
        assert said.count("\n") == 1
        assert "\x1b" not in said
        assert said.startswith("mxheed: unexpected error, please report: ZeroDivisionError: odd")
        assert said.endswith(f"; traceback in {kept}\n")
        assert len(said) < 600
    assert [path.name for path in kept.parent.iterdir()] == [NAME]  # one, however often
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.stat().st_size <= 65_536


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("mxheed --version >/dev/full", 1, "mxheed: No space left on device\n"),
        ("mxheed classify 550 >/dev/full", 1, "mxheed: No space left on device\n"),
        ("mxheed classify 550 >&-", 0, ""),
        ("mxheed classify 550 <&- >&- 2>&-", 0, ""),
        (
            "mxheed setup systemd --program /bin/true --write --root /dev/null",
            1,
            "mxheed: /dev/null/etc/sysusers.d/mxheed.conf: Not a directory\n",
        ),
    ],
)
def test_a_disk_or_a_stream_that_takes_nothing_is_no_fault_of_ours(
    command: str, code: int, said: str
) -> None:
    """What the machine refuses is told in a line, with the file; nothing is said to be done."""
    shell = command.replace("mxheed", '"$0" -m policyd.cli', 1)
    for unbuffered in ("", "1"):
        environ = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        ran = subprocess.run(
            ["sh", "-c", shell, sys.executable],
            cwd=ROOT, env=environ, capture_output=True, text=True,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr, ran.stdout) == (code, said, "")


def test_a_traceback_follows_no_link(tmp_path: Path) -> None:
    """Who may write to the folder cannot have another file overwritten."""
    other = tmp_path / "other"
    other.write_text("kept")
    (tmp_path / NAME).symlink_to(other)
    tell(ValueError("odd"), {"STATE_DIRECTORY": str(tmp_path)}, 1)
    assert other.read_text() == "kept"
    assert "ValueError: odd" in (tmp_path / NAME).read_text()


@pytest.mark.parametrize("environ", [{}, {"STATE_DIRECTORY": "/dev/null/none"}])
def test_without_a_place_the_traceback_is_told(environ: dict[str, str]) -> None:
    """No folder of ours: nothing is written, and nothing is lost."""
    try:
        raise ValueError("odd\x1b")
    except ValueError as error:
        said = tell(error, environ, 1)
    assert "the traceback follows\n" in said
    assert "test_commands.py" in said
    assert "\x1b" not in said


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
