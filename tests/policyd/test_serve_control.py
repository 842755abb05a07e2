"""The control socket and the commands that speak to it: mxheed throttle, off, on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from policyd.cli import main
from policyd.errors import ControlError
from policyd.serve.listeners import open_listeners
from policyd.serve.paths import SocketPlace, control_path, control_places
from policyd.serve.settings import ServeSettings
from policyd.servers import serve
from policyd.web.asking import ask, find
from tests.policyd.serve_parts import Operator, services


class Daemon(AbstractContextManager["Daemon"]):
    """A control socket served from a thread, with an operator that remembers."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "control.sock")
        self.operator = Operator()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        wanted = ServeSettings(socketmap=(), policy=(), http=(), control=self.path)
        answers = services(control=self.operator)
        servers = await serve(wanted, answers, open_listeners(wanted))
        self._ready.set()
        await self._stop.wait()
        await servers.close()

    def __enter__(self) -> Daemon:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def mxheed(self, *words: str) -> int:
        return main([*words, "--socket", self.path])


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Daemon(tmp_path_factory.mktemp("control")) as running:
        yield running


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("throttle pin google suspended --for 30m",
         ("pin", "google", {"state": "suspended", "seconds": 1800.0})),
        ("throttle pin google slowed --rate 30/min --pool two",
         ("pin", "google", {"state": "slowed", "seconds": 3600.0, "rate": 0.5, "pool": "two"})),
        ("throttle cancel mx:example.net", ("cancel", "mx:example.net", {})),
        ("throttle extend google 10m", ("extend", "google", {"seconds": 600.0})),
        ("throttle set google 5/s", ("set", "google", {"rate": 5.0})),
        ("throttle set google 200/h", ("set", "google", {"rate": pytest.approx(0.0555, abs=1e-3)})),
        ("throttle set google 2.5", ("set", "google", {"rate": 2.5})),
        ("throttle explain google --pool two", ("explain", "google", "two")),
        ("throttle explain a?b#c%2f", ("explain", "a?b#c%2f", None)),
        ("throttle explain a/b", ("explain", "a/b", None)),
        ("throttle cancel a/b", ("cancel", "a/b", {})),
        ("off", ("switch", False)),
        ("on", ("switch", True)),
    ],
)  # fmt: skip
def test_each_command_says_one_thing_to_the_daemon(
    daemon: Daemon, words: str, told: tuple[Any, ...]
) -> None:
    """What is typed arrives as verb, receiver and numbers."""
    daemon.operator.told.clear()
    assert daemon.mxheed(*words.split()) == 0
    assert daemon.operator.told == [told]


def test_stepping_aside_fails_in_words_where_nothing_can_be_let_go(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds nothing more, but what is held waits: that is said, with what to do."""
    daemon.operator.trouble = "`postqueue -i 0000000000`: not allowed; do this"
    try:
        assert daemon.mxheed("off") == 1
    finally:
        daemon.operator.trouble = ""
    told = capsys.readouterr()
    assert told.out == "stepped aside\n"
    assert "what is held cannot be let go: `postqueue -i 0000000000`: not allowed" in told.err
    assert "postqueue -f lets them go now" in told.err
    assert daemon.mxheed("off") == 0
    assert "7 held messages are being let go" in capsys.readouterr().out


def test_a_reload_tells_whether_the_new_configuration_is_in_use(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusal is an exit code and the daemon's own words."""
    assert daemon.mxheed("reload") == 0
    daemon.operator.trouble = "mxheed.yaml:1:1: unknown"
    try:
        assert daemon.mxheed("reload") == 1
    finally:
        daemon.operator.trouble = ""
    assert "mxheed.yaml:1:1: unknown" in capsys.readouterr().err


def test_a_list_has_a_line_for_each_lane(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """State, since, until, waiting and the last reply; remote words cannot drive the terminal."""
    assert daemon.mxheed("throttle", "list") == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert re.search(r"google\s+suspended \(pinned\)\s+2 min ago\s+in 5 min\s+7\s+421", line)
    assert "\x1b" not in line


def test_an_explanation_has_its_evidence(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rule, category in words, counts, times, reply, and what is next."""
    assert daemon.mxheed("throttle", "explain", "google") == 0
    text = capsys.readouterr().out
    for words in (
        "google suspended (pinned)",
        "3 × flow.rate (too much mail from us for now), rule google.ip.rate",
        "first 2 min ago, last 2 min ago, mx.google.com",
        "421 4.7.28 slow down\\u001b[31m",
        "next   One message probes it.",
    ):
        assert words in text


def test_json_is_the_daemons_answer_as_it_came(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """--json is for programs: the lanes with all their fields."""
    assert daemon.mxheed("throttle", "list", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["now"] == 1000.0
    assert answer["lanes"][0]["reasons"][0]["rule"] == "google.ip.rate"


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ("throttle explain nobody", 1, "mxheed: nothing was sent to 'nobody' yet"),
        ("throttle set google fast", 2, "'fast' is no rate; write 5/s, 30/min or 200/h"),
        ("throttle set google 0/s", 2, "'0/s' is no rate"),
        ("throttle extend google soon", 2, "a duration such as 30s"),
        ("throttle set google", 2, "Missing argument"),
    ],
)
def test_mistakes_are_told_in_words(
    daemon: Daemon,
    capsys: pytest.CaptureFixture[str],
    words: str,
    code: int,
    complaint: str,
) -> None:
    """The daemon's refusal ends with 1, wrong usage with 2."""
    assert daemon.mxheed(*words.split()) == code
    assert complaint in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_without_a_daemon_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path that was tried is named."""
    path = tmp_path / "nobody"
    assert main(["throttle", "list", "--socket", str(path)]) == 1
    assert f"no daemon listens at {path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no usable answer"),
        (b"garbage\r\n\r\n", "no usable answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{", "no usable answer"),
        (b'HTTP/1.1 400 Bad\r\nContent-Length: 13\r\n\r\n{"error":"x"}', "^x$"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n[]", r"^\[\]$"),
    ],
)
def test_a_daemon_that_answers_nonsense_is_an_error_in_words(
    tmp_path: Path, answer: bytes, words: str
) -> None:
    """Whatever comes back, the command ends with words, not with a traceback."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def reply() -> None:
            line, _ = listener.accept()
            with line:
                line.recv(10_000)
                line.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(ControlError, match=words):
            ask(str(tmp_path / "s"), "GET", "/throttle")
        thread.join()


def raw(path: str, request: bytes) -> tuple[int, Any]:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(path)
        line.sendall(request)
        head, _, body = b"".join(iter(lambda: line.recv(65536), b"")).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body) if body.startswith(b"{") else None


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (post("/throttle/google/pin", b"not json"), 400),
        (post("/throttle/google/pin", b"[1]"), 400),
        (post("/throttle/google/pin", b'{"x":"' + b"y" * 20_000 + b'"}'), 400),
        (post("/throttle/google/pin", b"x" * 20_000_000)[:100_000], 400),
        (post("/throttle/google/pin", b"[" * 9_900), 400),
        (post("/throttle/google/pin", b"\xff"), 400),
        (post("/throttle/a%2Fb", b"{}"), 404),
        (post("/throttle/google/destroy", b"{}"), 404),
        (post("/throttle/google", b"{}"), 405),
        (b"GET /off HTTP/1.0\r\nHost: x\r\n\r\n", 405),
        (b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", 404),
    ],
)
def test_what_the_api_does_not_know_changes_nothing(
    daemon: Daemon, request_: bytes, code: int
) -> None:
    """Bad bodies, verbs and methods are refused in words, before the throttle hears of them.

    A body that is too long is answered before it has come.
    """
    daemon.operator.told.clear()
    status, answer = raw(daemon.path, request_)
    assert (status, [*answer]) == (code, ["error"])
    assert daemon.operator.told == []


def test_a_mistake_of_ours_is_told_in_json_too(daemon: Daemon) -> None:
    """The command finds words in the answer whatever happens inside."""
    status, answer = raw(daemon.path, post("/throttle/broken/cancel", b"{}"))
    assert (status, answer) == (500, {"error": "the daemon failed; its log says why"})


RUN = "/nonexistent/mxheed"
UNKNOWN = 2**31 - 7  # nobody has this number


@pytest.mark.parametrize(
    ("configured", "environ", "uid", "path"),
    [
        ("unix:/x/c.sock", {"RUNTIME_DIRECTORY": "/run/mxheed"}, 0, "/x/c.sock"),
        ("", {"RUNTIME_DIRECTORY": "/run/a:/run/b"}, 7, "/run/a/control.sock"),
        ("", {}, 0, f"{RUN}/control.sock"),
        ("", {"XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/run/user/7/mxheed/control.sock"),
        ("", {"HOME": "/home/a"}, 7, "/home/a/.local/state/mxheed/control.sock"),
        ("", {}, UNKNOWN, f"/run/user/{UNKNOWN}/mxheed/control.sock"),
    ],
)
def test_the_commands_look_where_the_daemon_listens(
    configured: str, environ: dict[str, str], uid: int, path: str
) -> None:
    """Both sides find the same place without a configuration; systemd's is the usual one."""
    assert control_path(configured, environ, uid, RUN) == path
    assert path in [place.path for place in control_places(configured, environ, uid, RUN)]


def test_a_daemon_takes_the_shared_folder_if_it_may(tmp_path: Path) -> None:
    """By hand or by systemd: where /run/mxheed is the daemon's own, its socket is there."""
    environ = {"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert control_path("", environ, os.geteuid() or 7, str(tmp_path)) == f"{tmp_path}/control.sock"


def test_nobody_elses_socket_is_spoken_to(tmp_path: Path) -> None:
    """What listens at a place must belong to whom the place belongs to; the next one is asked."""
    mine = frozenset({os.geteuid()})
    heard = []
    with socket.socket(socket.AF_UNIX) as strange:
        strange.bind(f"{tmp_path}/strange.sock")
        strange.listen()
        places = [SocketPlace(f"{tmp_path}/strange.sock", frozenset({UNKNOWN}))]
        with pytest.raises(ControlError, match="not trusted, not asked"):
            ask(places[0], "POST", "/off", {})
        with Daemon(tmp_path) as daemon:
            found = find(
                [
                    *places,
                    SocketPlace(f"{tmp_path}/none.sock", mine),
                    SocketPlace(daemon.path, mine),
                ]
            )
        strange.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                wire, _ = strange.accept()
                heard.append(wire.recv(100))
                wire.close()
    assert (found.place.path, found.pid, found.uid) == (daemon.path, os.getpid(), os.geteuid())
    assert heard == [b"", b""]


def test_all_places_are_told_where_no_daemon_is(tmp_path: Path) -> None:
    """The operator sees where it was looked, and what was there."""
    with pytest.raises(ControlError) as told:
        find([SocketPlace(f"{tmp_path}/a.sock"), SocketPlace(f"{tmp_path}/b.sock")])
    assert str(told.value).count("no daemon listens at") == 2
