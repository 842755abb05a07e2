"""Whatever browser this machine has: Chromium, Chrome or Firefox, without a window.

Contract: `find()` gives the first that runs, or None (Ubuntu has programs of these names that only
point to a snap). `look(browser, url, folder)` loads a page, lets its script run for `SECONDS`, and
returns what is then shown, what the page complained about, and a picture. `living` loads a page and
gives a function that evaluates an expression in it, while real time goes on.
Failure: CalledProcessError, or TimeoutExpired, with the browser's words.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import functools
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Evaluate", "Seen", "find", "living", "look"]

NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "firefox-esr",
    "firefox",
)  # fmt: skip
SECONDS = 12

Evaluate = Callable[[str], Any]


class Seen(NamedTuple):
    """What a page came to."""

    document: str
    complaints: list[str]
    picture: bytes


@functools.cache
def find() -> str | None:
    """The first browser that can tell its version."""
    for name in filter(shutil.which, NAMES):
        done = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and re.search(r"(?:Chrom\w+|Firefox) \d", done.stdout):
            return name
    return None


def look(browser: str, url: str, folder: Path) -> Seen:
    """Load a page and let it live for a while."""
    return (_firefox if "firefox" in browser else _chromium)(browser, url, folder)


@contextlib.contextmanager
def living(browser: str, url: str, folder: Path, size: str = "1280,900") -> Iterator[Evaluate]:
    """A page that stays open."""
    if "firefox" in browser:
        with _firefox_at(browser, folder, size) as remote:
            remote.call("WebDriver:Navigate", url=url)
            yield lambda expression: remote.script(f"return {expression}")
        return
    with _Pipe(browser, folder, size) as pipe:
        target = pipe.call("Target.createTarget", url=url)["targetId"]
        session = pipe.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

        def evaluate(expression: str) -> Any:
            done = pipe.call("Runtime.evaluate", session, expression=expression, returnByValue=True)
            if "exceptionDetails" in done:
                raise OSError(str(done["exceptionDetails"]))
            return done["result"].get("value")

        yield evaluate


class _Pipe:
    """Chromium's remote control over two pipes: JSON texts, each with a NUL behind it."""

    def __init__(self, browser: str, folder: Path, size: str) -> None:
        (told, tell), (hear, said) = os.pipe(), os.pipe()
        # numbers that the shell's redirections cannot hit
        ours = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (told, said)]
        for end in (told, said):
            os.close(end)
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{ours[0]} 4>&{ours[1]}', browser,
             "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={folder}/profile", f"--window-size={size}",
             "--remote-debugging-pipe"],
            pass_fds=ours, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in ours:
            os.close(end)
        self._tell, self._hear = os.fdopen(tell, "wb", 0), os.fdopen(hear, "rb")
        self._number = 0

    def __enter__(self) -> _Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._tell.close()
        self._hear.close()

    def call(self, method: str, session: str = "", **parameters: Any) -> Any:
        self._number += 1
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            asked["sessionId"] = session
        self._tell.write(json.dumps(asked).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            pass  # events
        if "error" in answer:
            raise OSError(f"{method}: {answer['error']}")
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        text = b""
        while (byte := self._hear.read(1)) != b"\0":
            if not byte:
                raise OSError("the browser has gone")
            text += byte
        found: dict[str, Any] = json.loads(text)
        return found


def _chromium(browser: str, url: str, folder: Path) -> Seen:
    done = subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={folder}/profile", "--window-size=1280,1400",
         f"--screenshot={folder}/page.png", "--enable-logging=stderr", "--log-level=0",
         f"--virtual-time-budget={SECONDS * 1000}", "--dump-dom", url],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    said = re.findall(r"CONSOLE.*", done.stderr)
    complaints = [line for line in said if "source: chrome://" not in line]  # its own pages'
    return Seen(done.stdout, complaints, (folder / "page.png").read_bytes())


class _Marionette:
    """Firefox's remote control: JSON arrays, each behind its length."""

    def __init__(self, port: int) -> None:
        self._line = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._stream = self._line.makefile("rwb")
        self._read()  # its greeting

    def call(self, command: str, **parameters: Any) -> Any:
        text = json.dumps([0, 1, command, parameters]).encode()
        self._stream.write(b"%d:%b" % (len(text), text))
        self._stream.flush()
        _, _, error, result = self._read()
        if error:
            raise OSError(f"{command}: {error['message']}")
        return result.get("value") if isinstance(result, dict) else result

    def script(self, text: str) -> Any:
        return self.call("WebDriver:ExecuteScript", script=text, args=[])

    def close(self) -> None:
        self._stream.close()
        self._line.close()

    def _read(self) -> Any:
        size = b""
        while (byte := self._stream.read(1)) != b":":
            size += byte
        return json.loads(self._stream.read(int(size)))


@contextlib.contextmanager
def _firefox_at(browser: str, folder: Path, size: str) -> Iterator[_Marionette]:
    profile, (width, height) = folder / "profile", size.split(",")
    profile.mkdir()
    (profile / "user.js").write_text('user_pref("marionette.port", 0);\n')
    process = subprocess.Popen(
        [browser, "--headless", "--no-remote", "--profile", str(profile), "--marionette",
         "-remote-allow-system-access", f"--width={width}", f"--height={height}"],
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        remote = _Marionette(_port(profile / "MarionetteActivePort"))
        remote.call("WebDriver:NewSession")
        yield remote
        remote.close()
    finally:
        process.kill()
        process.wait()


def _firefox(browser: str, url: str, folder: Path) -> Seen:
    with _firefox_at(browser, folder, "1280,1400") as remote:
        remote.call("WebDriver:Navigate", url=url)
        time.sleep(SECONDS)  # real time: Firefox has no virtual one
        document = remote.script("return document.documentElement.outerHTML")
        picture = remote.call("WebDriver:TakeScreenshot", full=False)
        remote.call("Marionette:SetContext", value="chrome")
        said = remote.script("return Services.console.getMessageArray().map(String)")
    return Seen(document, [line for line in said if url in line], base64.b64decode(picture))


def _port(path: Path) -> int:
    """The port that Firefox chose, as soon as it is written down."""
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text().strip()):
        if time.monotonic() > end:
            raise TimeoutError("Firefox does not come up")
        time.sleep(0.05)
    return int(path.read_text())
