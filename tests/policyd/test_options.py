"""Every option of every command: nonsense gets words and an exit code, never a traceback."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from policyd.cli import application, main, rounds

# an address without its kind, numbers out of range, what no file or terminal takes (the kernel
# lets no NUL into an argument)
NONSENSE = ("", "nonsense", "-1", "1e999", "\udcff", "a" * 5000, "[")
# arguments that a command needs before its options are looked at
NEEDED = {
    "classify": ["550 5.1.1 no such user"],
    "throttle explain": ["google"],
    "throttle pin": ["google", "free"],
    "throttle cancel": ["google"],
    "throttle extend": ["google", "10m"],
    "throttle set": ["google", "5/s"],
    "receivers": ["example.org"],
    "rules explain": ["google.ip.rate"],
}
LONG = {"report", "bypass"}  # reads whole logs; has a parser of its own (test_serve_bypass)


def options() -> Iterator[tuple[str, str]]:
    """Each command, and each of its options that takes a value."""

    def walk(command: Any, path: str) -> Iterator[tuple[str, str]]:
        for name, below in getattr(command, "commands", {}).items():
            yield from walk(below, f"{path} {name}".strip())
        if not hasattr(command, "commands") and path not in LONG:
            for option in command.params:
                if option.param_type_name == "option" and not option.is_flag:
                    yield path, option.opts[0]

    yield from walk(typer.main.get_command(application()), "")


@pytest.mark.parametrize(("command", "option"), list(options()))
def test_nonsense_gets_words_and_an_exit_code(
    command: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever is given, `main` returns: 0, or 1 or 2 with something on standard error."""

    async def run(*_: object) -> None:
        """The daemon itself is not meant here."""

    monkeypatch.setattr(rounds, "run", run)
    monkeypatch.chdir(tmp_path)
    for text in NONSENSE:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
        code = main([*command.split(), *NEEDED.get(command, []), f"{option}={text}"])
        said = capsys.readouterr()
        assert code in (0, 1, 2), text
        assert code == 0 or said.err, (text, said.out)


@pytest.mark.parametrize("option", ["http", "socketmap", "policy"])
@pytest.mark.parametrize("text", ["9825", "127.0.0.1:9825", "inet:9825", "inet:h:99999", "unix:x"])
def test_an_address_that_is_none_is_told_with_what_is_allowed(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--http 9825` names the option's form; it is wrong usage."""
    assert main(["run", f"--{option}", text]) == 2
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"{text!r} is no address; write inet:HOST:PORT or unix:/path" in told


@pytest.mark.parametrize(
    ("option", "text"),
    [("log", "a\nb"), ("state", "a\tb"), ("control", "x.sock"), ("control", "inet:127.0.0.1:9")],
)
def test_what_a_file_may_not_say_no_option_says(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names that would break a line of the log, and sockets that are no path."""
    assert main(["run", f"--{option}", text]) == 2
    assert repr(text) in " ".join(capsys.readouterr().err.replace("│", " ").split())
