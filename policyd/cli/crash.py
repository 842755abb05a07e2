"""The last words of a command that met what nobody thought of.

Contract: `tell` makes one line for standard error of an unexpected exception, and keeps the
traceback in a file of mode 0600 beside the state file: one file, the newest, of bounded size. It
never writes where others may write, and no control character of an exception reaches a terminal.
Failure: where nothing can be written the line is followed by the traceback itself.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

from policyd.errors import MxheedError
from policyd.store.place import state_file

__all__ = ["NAME", "tell"]

NAME = "last-error.txt"
_MOST = 65_536  # characters of a traceback; its end says most
_LONGEST = 200  # characters of what the exception says


def tell(error: BaseException, environ: Mapping[str, str], uid: int) -> str:
    """What standard error gets."""
    trace = "".join(traceback.format_exception(error))[-_MOST:]
    try:
        where, rest = f"traceback in {_keep(trace, environ, uid)}", ""
    except (OSError, MxheedError):
        where, rest = "the traceback follows", f"\n{_plain(trace, keep=chr(10))}"
    said = _plain(f"{type(error).__name__}: {error}"[:_LONGEST])
    return f"mxheed: unexpected error, please report: {said}; {where}{rest}"


def _keep(trace: str, environ: Mapping[str, str], uid: int) -> Path:
    """Write a file of our own, then give it the name: no link is followed, no half file seen."""
    folder = state_file("", environ, uid).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(prefix=f".{NAME}.", dir=folder)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(trace)
        os.replace(made, folder / NAME)
    except OSError:
        os.unlink(made)
        raise
    return folder / NAME


def _plain(text: str, keep: str = "") -> str:
    return "".join(char if char.isprintable() or char in keep else "?" for char in text)
