"""The command line: one Typer application, put together from one module per command.

Contract: every command module offers ``register(app)``; a command raises, it never exits by itself.
Failure: `main` is the one place where exceptions become words on stderr and an exit code:
1 for what the operator can mend, 2 for wrong usage, 3 for what nobody thought of, 130 for Ctrl-C.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

__all__ = ["COMMANDS", "application", "main"]

# the order in which `mxheed --help` shows them
COMMANDS = (
    "run",
    "check",
    "classify",
    "report",
    "receivers",
    "throttle",
    "history",
    "trail",
    "forget",
    "reload",
    "rules",
    "setup",
    "doctor",
    "bypass",
    "exim-hand",
)


def application(*commands: str) -> typer.Typer:
    """Put the application together, of these commands or all; each imports what it needs."""
    import typer

    def named(
        version: bool = typer.Option(
            False, "--version", is_eager=True, callback=_version, help="Print the version."
        ),
    ) -> None:
        """What may stand before the command."""

    app = typer.Typer(
        name="mxheed",
        help="Heeds what every MX says: reads the delivery log, understands each reply, paces "
        "outbound mail per receiver.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    for name in commands or COMMANDS:
        import_module(f"policyd.cli.{name.replace('-', '_')}").register(app)
    # also so that typer does not take the name of an only command for a word
    app.callback()(named)
    return app


def _version(asked: bool) -> None:
    if asked:
        import typer

        from logparse.native import path
        from policyd.web.status import VERSION

        typer.echo(f"mxheed {VERSION} ({path})")
        raise typer.Exit


def _speak_utf8() -> None:
    """Files and pipes get UTF-8 in any locale; a terminal gets escapes for what it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            if stream.isatty():
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding="utf-8")


def _three_streams() -> None:
    """Who closed one of the three would find its number at a file of ours, and write into that."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  stays open


def _of_the_machine(error: Exception) -> str:
    """Words for a file that may not be written or a disk that is full; "": it is something else."""
    if not isinstance(error, OSError) or not (error.filename or error.errno == errno.ENOSPC):
        return ""
    where = f"{error.filename}: " if error.filename else ""
    return f"mxheed: {where}{error.strerror}".encode("utf-8", "backslashreplace").decode()


def _forget_output() -> None:
    """What cannot be written is not tried again when Python ends, for it would say so once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    _three_streams()
    if args[:1] == ["bypass"]:
        # the responder of last resort must start when nothing else can be imported
        from policyd.serve import bypass

        return bypass.main(args[1:])
    _speak_utf8()
    import typer

    from logparse.errors import LogError
    from policyd.errors import MxheedError
    from rules.errors import RulesError

    # ClickException: newer versions of typer carry a click of their own
    wrong_usage: Any = typer.BadParameter.__mro__[2]
    streams = sys.stdout, sys.stderr
    try:
        chosen = application(*[name for name in args[:1] if name in COMMANDS])
        result = chosen(args=args, standalone_mode=False, prog_name="mxheed")
        sys.stdout.flush()  # a full disk is told here, not after all is said
    except typer.Exit as stop:
        return stop.exit_code
    except wrong_usage as wrong:
        wrong.show()
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except (MxheedError, RulesError, LogError) as mendable:
        # an argument may hold bytes that are no text
        words = f"mxheed: {mendable}".encode("utf-8", "backslashreplace").decode()
        print(words, file=sys.stderr)
        return 1
    except (BrokenPipeError, SystemExit) as stop:
        sys.stdout, sys.stderr = streams  # typer wraps them, and ends the process by itself
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, BrokenPipeError):
            raise
        _forget_output()  # the reader (head, less) has seen enough
        return 0
    except Exception as unexpected:  # the edge: whatever it was, the operator gets one line
        if words := _of_the_machine(unexpected):
            print(words, file=sys.stderr)
            _forget_output()
            return 1
        from policyd.cli.crash import tell

        print(tell(unexpected, os.environ, os.geteuid()), file=sys.stderr)
        return 3
    return result if isinstance(result, int) else 0
