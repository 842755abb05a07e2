"""The sockets together, for real: Postfix's own client asks, HTTP answers, everything closes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from policyd.errors import InUseError, ListenError
from policyd.serve.early import answering
from policyd.serve.listen import open_socket, parse
from policyd.serve.listeners import open_listeners
from policyd.serve.settings import ServeSettings
from policyd.servers import Servers, serve
from policyd.web.ports import Services
from tests.policyd.serve_parts import services

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [
    asyncio.new_event_loop,
    uvloop.new_event_loop,
]


def settings(folder: Path, **changed: Any) -> ServeSettings:
    usual: dict[str, Any] = {
        "socketmap": (f"unix:{folder}/map.sock", "inet:127.0.0.1:0"),
        "policy": (f"unix:{folder}/policy.sock", "inet:127.0.0.1:0"),
        "http": ("inet:127.0.0.1:0",),
        "control": f"{folder}/control.sock",
    }
    return ServeSettings(**{**usual, **changed})


def while_serving(
    wanted: ServeSettings,
    answers: Services,
    ask: Callable[[Servers], Any],
    loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
    **more: Any,
) -> Any:
    """Serve, run `ask` in a thread, close; returns what `ask` did."""

    async def both() -> Any:
        servers = await serve(wanted, answers, open_listeners(wanted, **more))
        try:
            return await asyncio.to_thread(ask, servers)
        finally:
            await servers.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(both())


def postmap(key: str, table: str) -> tuple[int, str]:
    """What Postfix's own client gets for a key."""
    done = subprocess.run(
        ["postmap", "-q", key, table], capture_output=True, text=True, timeout=20, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.rstrip("\n")


def url(servers: Servers, path: str) -> str:
    return f"http://{servers.addresses['http'][0].removeprefix('inet:')}{path}"


def get(servers: Servers, path: str) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(url(servers, path), timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode(), dict(refused.headers)


def talk(address: str, *messages: bytes) -> list[bytes]:
    """Send messages on one connection, reading an answer after each."""
    place = parse(address)
    with socket.socket(socket.AF_UNIX if place.path else socket.AF_INET) as line:
        line.settimeout(10)
        line.connect(place.path or (place.host, place.port))
        found = []
        for message in messages:
            line.sendall(message)
            found.append(line.recv(65536))
        return found


@pytest.mark.needs("postmap")
@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_postfix_itself_gets_its_answers_over_tcp_and_unix(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """postmap, Postfix's own client, asks each map over both kinds of socket."""
    maps = {
        "mx": lambda key, session, pool: b"OK IGNORE" if b"held" in key else b"NOTFOUND ",
        "transport": lambda key, session, pool: b"OK mx-google:" if b"gmail" in key else b"",
    }

    def ask(servers: Servers) -> list[tuple[int, str]]:
        found = []
        for address in servers.addresses["socketmap"]:
            table = f"socketmap:{address}"
            found += [
                postmap("d.held. 0 IN MX 10 mx.held.", f"{table}:mx"),
                postmap("d.free. 0 IN MX 10 mx.free.", f"{table}:mx/two"),
                postmap("User@gmail.com", f"{table}:transport"),
                postmap("*", f"{table}:transport"),
                postmap("x", f"{table}:nosuchmap"),
            ]
        return found

    found = while_serving(settings(tmp_path), services(maps=maps), ask, loop)
    one = [(0, "IGNORE"), (1, ""), (0, "mx-google:"), (1, ""), (1, "")]
    assert found == one * 2


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_one_connection_carries_many_policy_requests(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """An smtpd keeps its connection: every request on it is answered, over TCP and unix."""
    request = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=a@b\n\n"

    def ask(servers: Servers) -> list[bytes]:
        return [one for place in servers.addresses["policy"] for one in talk(place, *[request] * 3)]

    found = while_serving(settings(tmp_path), services(), ask, loop)
    assert found == [b"action=DUNNO\n\n"] * 6


def test_the_pages_answer_and_forbid_what_they_do_not_need(tmp_path: Path) -> None:
    """Status page, metrics, health and state are there; nothing may be loaded from elsewhere."""

    def ask(servers: Servers) -> dict[str, tuple[int, str, dict[str, str]]]:
        paths = ("/", "/metrics", "/healthz", "/api/state", "/page.css", "/page.js", "/mark.svg")
        return {path: get(servers, path) for path in (*paths, "/nothing")}

    found = while_serving(settings(tmp_path), services(), ask)
    codes = {path: code for path, (code, _, _) in found.items()}
    assert codes == {**dict.fromkeys(codes, 200), "/nothing": 404}
    assert found["/metrics"][1] == "mxheed_build_info 1\n"
    assert json.loads(found["/healthz"][1]) == {
        "status": "ok",
        "troubles": {},
        "log": {"followed": 0, "sources": []},
    }
    assert json.loads(found["/api/state"][1])["version"] == "1.2.3"
    assert "mail.example.org" in found["/"][1]
    assert "default-src 'none'" in found["/"][2]["content-security-policy"]


def test_metrics_are_not_there_before_the_log_is_caught_up_with(tmp_path: Path) -> None:
    """A replay must not look like a burst: until it is over, /metrics is unavailable."""
    code, text, _ = while_serving(
        settings(tmp_path),
        services(metrics=lambda: None),
        lambda servers: get(servers, "/metrics"),
    )
    assert (code, "still being read" in text) == (503, True)


def test_what_is_not_well_is_named(tmp_path: Path) -> None:
    """/healthz is 503 with words while something is wrong, and so is the page's notice."""
    troubles = {"log": "mail.log cannot be read"}

    def ask(servers: Servers) -> tuple[int, Any]:
        code, text, _ = get(servers, "/healthz")
        return code, json.loads(text)

    found = while_serving(settings(tmp_path), services(troubles=lambda: troubles), ask)
    code, body = found
    assert (code, body["status"], body["troubles"]) == (503, "trouble", troubles)


def test_a_page_that_breaks_takes_nothing_else_along(tmp_path: Path) -> None:
    """An error behind the status page is a 500; Postfix's questions are still answered."""

    def broken() -> Any:
        raise RuntimeError("inside")

    def ask(servers: Servers) -> tuple[int, list[bytes]]:
        code, _, _ = get(servers, "/")
        return code, talk(servers.addresses["socketmap"][0], b"4:mx x,")

    code, answers = while_serving(settings(tmp_path), services(page=broken), ask)
    assert (code, answers) == (500, [b"4:OK x,"])


def test_the_control_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600 unless a group is configured; the hooks' sockets are 0660."""

    def ask(servers: Servers) -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    found = while_serving(settings(tmp_path), services(), ask)
    hooks = dict.fromkeys(("map.sock", "policy.sock", "exim"), 0o660)
    assert found == hooks | {"control.sock": 0o600}


def test_closing_ends_connections_and_takes_the_sockets_away(tmp_path: Path) -> None:
    """After close a client sees the end of its connection at once, and the paths are gone."""
    lines: list[socket.socket] = []

    def ask(servers: Servers) -> None:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(10)
        line.connect(str(tmp_path / "map.sock"))
        line.sendall(b"4:mx x,")
        assert line.recv(100) == b"4:OK x,"
        lines.append(line)

    while_serving(settings(tmp_path), services(), ask)
    with lines[0] as line:
        assert line.recv(100) == b""
    assert list(tmp_path.iterdir()) == []


def test_a_second_daemon_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    """The one that comes second says what is in use and closes what it had opened."""

    def ask(servers: Servers) -> list[bytes]:
        other = settings(tmp_path, socketmap=(f"unix:{tmp_path}/other.sock",))
        with pytest.raises(InUseError, match=r"policy\.sock: another process serves it") as told:
            while_serving(other, services(), lambda servers: None)
        assert f", by process {os.getpid()} (" in str(told.value)
        assert "choose another: --policy unix:/path, or serve.policy" in str(told.value)
        assert not (tmp_path / "other.sock").exists()
        return talk(servers.addresses["socketmap"][0], b"4:mx x,")

    assert while_serving(settings(tmp_path), services(), ask) == [b"4:OK x,"]


def test_passed_sockets_stand_in_for_the_configured_ones(tmp_path: Path) -> None:
    """What systemd passes is served instead, stays open after close, and is not removed."""
    path = tmp_path / "passed.sock"
    listener = open_socket(parse(f"unix:{path}"))
    wanted = settings(tmp_path, socketmap=(f"unix:{tmp_path}/never.sock",))

    def ask(servers: Servers) -> list[bytes]:
        assert not (tmp_path / "never.sock").exists()
        return talk(f"unix:{path}", b"4:mx x,")

    with listener:
        for _ in range(2):  # a restart finds it open
            found = while_serving(wanted, services(), ask, passed={"socketmap": [listener]})
            assert found == [b"4:OK x,"]
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))  # nobody serves; systemd's queue takes the connection


def test_a_passed_socket_with_a_strange_name_is_refused(tmp_path: Path) -> None:
    """The names are few and the message lists them."""
    with socket.socket(socket.AF_UNIX) as listener:
        passed = {"mxheed.socket": [listener]}
        with pytest.raises(ListenError, match="one of socketmap, policy, exim, http, control"):
            while_serving(settings(tmp_path), services(), lambda servers: None, passed=passed)


@pytest.mark.parametrize(
    "bad",
    [{"mode": "rw"}, {"mode": "999"}, {"http": ("8080",)}, {"policy": ("unix:here",)}],
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    """Addresses and modes are checked when the configuration is read."""
    with pytest.raises(ValueError, match=r"no address|octal"):
        ServeSettings(**bad)


def test_a_thousand_connections_are_served_at_once(tmp_path: Path) -> None:
    """Every smtp and smtpd process holds a connection of its own; none waits for another."""

    def ask(servers: Servers) -> set[bytes]:
        lines = []
        for _ in range(1000):
            line = socket.socket(socket.AF_UNIX)
            line.settimeout(10)
            line.connect(str(tmp_path / "map.sock"))
            lines.append(line)
        for line in lines:
            line.sendall(b"4:mx x,")
        answers = {line.recv(100) for line in lines}
        for line in lines:
            line.close()
        return answers

    assert os.sysconf("SC_OPEN_MAX") > 2100
    assert while_serving(settings(tmp_path), services(), ask) == {b"4:OK x,"}


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_clients_that_come_while_it_stops_do_not_keep_it(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Connections the kernel accepted during the stop are dropped; uvloop would wait for ever."""
    lines: list[socket.socket] = []

    async def stop_in_a_rush() -> None:
        wanted = settings(tmp_path)
        servers = await serve(wanted, services(), open_listeners(wanted))
        for _ in range(300):
            line = socket.socket(socket.AF_UNIX)
            line.connect(str(tmp_path / "map.sock"))
            lines.append(line)
        await asyncio.sleep(0)
        await servers.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(stop_in_a_rush())
    for line in lines:
        with line:
            line.settimeout(10)
            # dropped: the end, or a reset for those that never left the kernel's queue
            with contextlib.suppress(ConnectionResetError):
                assert line.recv(1) == b""


@pytest.mark.needs("postmap")
def test_questions_are_answered_safely_while_the_daemon_is_loading(tmp_path: Path) -> None:
    """Before the rules are read every hook lets mail go; then the daemon's answers take over."""
    wanted = settings(tmp_path)
    listeners = open_listeners(wanted)
    with answering(listeners):
        for address in listeners.addresses["socketmap"]:
            assert postmap("d. 0 IN MX 10 mx.", f"socketmap:{address}:mx") == (1, "")
            assert talk(address, b"4:mx x,", b"8:status y,") == [b"9:NOTFOUND ,"] * 2
        for address in listeners.addresses["policy"]:
            assert talk(address, b"request=smtpd_access_policy\n\n") == [b"action=DUNNO\n\n"]

    async def take_over() -> list[bytes]:
        servers = await serve(wanted, services(), listeners)
        try:
            return await asyncio.to_thread(talk, f"unix:{tmp_path}/map.sock", b"4:mx x,")
        finally:
            await servers.close()

    assert uvloop.run(take_over()) == [b"4:OK x,"]


def test_a_start_that_fails_stops_the_early_answers(tmp_path: Path) -> None:
    """When loading raises, nothing goes on answering behind its back."""
    listeners = open_listeners(settings(tmp_path))
    with pytest.raises(RuntimeError, match="rules"), answering(listeners):
        raise RuntimeError("the rules are broken")
    assert "mxheed-early" not in {thread.name for thread in threading.enumerate()}
    listeners.close()
    assert list(tmp_path.iterdir()) == []


def test_the_limit_of_open_files_is_raised_for_the_connections(tmp_path: Path) -> None:
    """A login shell allows 1,024 files; the daemon takes what its connections need."""
    script = (
        "import resource\n"
        "from policyd.serve.listeners import open_listeners\n"
        "from policyd.serve.settings import ServeSettings\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))\n"
        "any = ('inet:127.0.0.1:0',)\n"
        f"wanted = ServeSettings(any, any, (), {str(tmp_path / 'c')!r}, max_connections=1500)\n"
        "open_listeners(wanted).close()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert int(done.stdout) == 3 * 1500 + 64 + 16 + 256
