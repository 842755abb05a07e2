"""A program that runs beside a test."""

from __future__ import annotations

import re
import subprocess
import threading

from tests.policyd.dashboards import ROOT

__all__ = ["PATIENCE", "Program"]

PATIENCE = 90.0  # seconds; a busy machine needs most of it, an idle one a few


class Program:
    """A program that runs until the end of a `with`; its output is read as it comes."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )
        self._said: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                with self._news:
                    self._said.append(line)
                    self._news.notify_all()

    def says(self, pattern: str) -> re.Match[str]:
        """The first match in its output, as soon as there is one."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, "".join(self._said))

        with self._news:
            match = self._news.wait_for(found, timeout=PATIENCE)
        assert match, f"no {pattern!r} in:\n{''.join(self._said)}"
        return match

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._reader.join()
