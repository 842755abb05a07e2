"""One `mxheed run` as a person starts it, on ports of its own."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.patience import stretched

ROOT = Path(__file__).resolve().parents[2]


class DaemonProcess:
    """Starts it, reads what it says, asks its pages."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.folder = folder
        self.log = folder / "mail.log"
        self.config = folder / "mxheed.yaml"
        self.sections: dict[str, Any] = {
            "log": {"path": str(self.log), "commit_interval": "100ms"},
            "state": {"file": str(folder / "state.db")},
            "serve": {
                "socketmap": ["inet:127.0.0.1:0", f"unix:{folder}/map"],
                "policy": ["inet:127.0.0.1:0"],
                "http": ["inet:127.0.0.1:0"],
                "control": str(folder / "control"),
            },
            "release": {"enabled": False},
            **sections,
        }
        self.output = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, pipe: bool = False, files: int | None = None) -> None:
        """Start it and wait until it has said where it listens; `files` is its `ulimit -n`."""
        self.config.write_text(json.dumps(self.sections))
        command = [sys.executable, "-m", "policyd.cli", "run", "--config", str(self.config)]
        if files is not None:
            command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # as a service: SIGHUP is no terminal's
        )
        self.output = ""
        self.until(lambda: "Ctrl-C" in self.read(), "it says where it listens")

    def read(self) -> str:
        """Everything it said so far."""
        assert self.process is not None
        assert self.process.stdout is not None
        while select.select([self.process.stdout], [], [], 0)[0]:
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                break
            self.output += data.decode()
        return self.output

    def until(self, happened: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
        """Wait for something; fails with its output when it does not come."""
        began = time.monotonic()
        while time.monotonic() - began < stretched(seconds):
            if result := happened():
                return result
            if self.process is not None and self.process.poll() is not None:
                break
            select.select([], [], [], 0.02)
        raise AssertionError(f"not seen: {what}\n{self.read()}")

    def address(self, words: str) -> str:
        """The first address it printed behind these words."""
        found = re.search(rf"^ *{words} +(\S+)$", self.output, re.MULTILINE)
        assert found is not None, self.output
        return found[1]

    def get(self, path: str) -> str:
        """A page's text."""
        with urlopen(self.address("status page").rstrip("/") + path, timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def metric(self, series: str) -> float:
        """One number of /metrics; 0.0 where the series, or the whole page, is not there yet."""
        try:
            page = self.get("/metrics")
        except HTTPError:  # 503 until the log is caught up with
            return 0.0
        for line in page.splitlines():
            if line.startswith(series + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def ask(self, name: str, key: str) -> str:
        """Ask a socketmap."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(self.folder / "map"))
            request = f"{name} {key}".encode()
            line.sendall(b"%d:%b," % (len(request), request))
            return line.recv(4096).decode()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, if it has not ended, and return its exit code."""
        assert self.process is not None
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return self.process.wait(20)
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        self.read()
        self.process.stdout.close()
        return code
