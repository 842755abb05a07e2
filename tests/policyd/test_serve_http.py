"""HTTP under attack: slow, many, foreign; it gives way and never takes what the hooks need."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import resource
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from policyd.serve import accept
from policyd.serve.accept import AT_ONCE, Acceptor
from policyd.serve.listen import parse
from policyd.web import guest as web
from policyd.web.hosts import is_ours
from tests.policyd.daemon_process import DaemonProcess
from tests.policyd.serve_parts import services
from tests.policyd.test_serve_servers import get, settings, talk, while_serving


def connect(address: str) -> socket.socket:
    place = parse(address)
    return socket.create_connection((place.host, place.port), 20)


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True), ("127.0.0.1:9825", True), ("192.0.2.7:80", True), ("[::1]:9825", True),
        ("[2001:db8::1]", True), ("localhost", True), ("LOCALHOST:9825", True),
        ("localhost.:9825", True), ("mx.example.org", True), ("MX.example.org.:9825", True),
        ("evil.example", False), ("evil.example:9825", False), ("localhost.evil.example", False),
        ("mx.example.org.evil.example", False), ("127.0.0.1.evil.example", False),
        ("[evil.example]", False), ("", False), ("\xff", False), ("mx.example.org:x", False),
        ("127.0.0.1:9825:1", False), ("localhost@evil.example", False),
    ],
)  # fmt: skip
def test_a_name_is_ours_or_not(host: str, ours: bool) -> None:
    """Numbers, localhost and what is configured; nothing that only contains one of them."""
    assert is_ours(host, {"mx.example.org"}) is ours


def test_a_foreign_name_gets_no_page(tmp_path: Path) -> None:
    """A stranger's name that points here (DNS rebinding) is answered 421 on every path."""

    def ask(servers: Any) -> list[int]:
        found = []
        for host in ("evil.example:9825", "localhost:9825", "mx.example.org"):
            for path in ("/", "/metrics", "/api/state", "/healthz", "/nothing"):
                line = http.client.HTTPConnection("", timeout=10)
                line.sock = connect(servers.addresses["http"][0])
                line.request("GET", path, headers={"Host": host})
                found.append(line.getresponse().status)
                line.close()
        return found

    wanted = settings(tmp_path, http_hosts=("MX.example.org",))
    assert while_serving(wanted, services(), ask) == [421] * 5 + [200, 200, 200, 200, 404] * 2


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n",
     b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ids=["nothing", "half-a-line", "half-a-head", "kept-open"],
)  # fmt: skip
def test_a_connection_that_brings_no_request_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Whoever sends nothing, half a head, or keeps a connection without use, loses it."""
    monkeypatch.setattr(web, "PATIENCE", 0.1)
    monkeypatch.setattr(web, "TICK", 0.05)

    def ask(servers: Any) -> bytes:
        with connect(servers.addresses["http"][0]) as line:
            line.sendall(sent)
            last = b""
            with contextlib.suppress(ConnectionResetError):
                while data := line.recv(4096):
                    last = data
            return last[:12]

    expected = b"HTTP/1.1 200" if b"healthz" in sent else b""
    assert while_serving(settings(tmp_path), services(), ask) == expected


def test_an_answer_nobody_reads_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that stops reading does not keep its place and its page for ever."""
    monkeypatch.setattr(web, "LONGEST", 0.1)
    monkeypatch.setattr(web, "TICK", 0.05)

    def ask(servers: Any) -> bool:
        with connect(servers.addresses["http"][0]) as line:
            line.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            end = time.monotonic() + 15
            while time.monotonic() < end:
                try:  # a reset shows as soon as we send
                    line.sendall(b" ")
                except OSError:
                    return True
                time.sleep(0.05)
            return False

    big = services(metrics=lambda: b"x" * 50_000_000)
    assert while_serving(settings(tmp_path), big, ask)


def test_more_connections_than_places_end_the_idle_ones(tmp_path: Path) -> None:
    """Idle browsers neither keep others from the page nor grow beyond their number."""

    def ask(servers: Any) -> tuple[int, int]:
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(connect(servers.addresses["http"][0])) for _ in range(12)]
            code = get(servers, "/healthz")[0]
            ended = 0
            for line in lines[:9]:
                line.settimeout(5)
                with contextlib.suppress(ConnectionResetError):
                    assert line.recv(1) == b""
                ended += 1
            return code, ended

    assert while_serving(settings(tmp_path, http_connections=4), services(), ask) == (200, 9)


class Scarce(socket.socket):
    """A listener of a process that has no descriptor left for a while."""

    until = 0.0
    asked = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if time.monotonic() < self.until:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def scarce() -> Scarce:
    listener = Scarce(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    return listener


class Greeter(asyncio.Protocol):
    """Says hello."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"hello")  # type: ignore[attr-defined]
        transport.close()


def test_without_a_descriptor_the_listener_pauses_and_does_not_spin(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It tries once in each pause, says so once, and who waited meanwhile is let in."""
    monkeypatch.setattr(accept, "PAUSE", 0.05)

    async def come() -> tuple[bytes, int]:
        listener = scarce()
        listener.until = time.monotonic() + 0.2
        acceptor = Acceptor(listener, Greeter)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        asked = listener.asked
        acceptor.close()
        return said, asked

    said, asked = asyncio.run(come())
    assert said == b"hello"
    assert 1 < asked <= 0.2 / 0.05 + 3
    assert len([one for one in caplog.records if "Too many open files" in one.message]) == 1


def test_a_crowd_is_let_in_a_few_at_a_time() -> None:
    """However many wait, no more than a number are under way at a time."""

    async def come() -> tuple[int, int]:
        listener = scarce()
        lines = [socket.create_connection(listener.getsockname()) for _ in range(50)]
        acceptor = Acceptor(listener, Greeter)
        acceptor._accept()
        first = listener.asked
        for line in lines:
            assert await asyncio.to_thread(line.recv, 10) == b"hello"
            line.close()
        acceptor.close()
        return first, listener.asked

    first, _ = asyncio.run(come())
    assert first == AT_ONCE


def test_with_few_descriptors_hooks_and_pages_leave_each_other_theirs(tmp_path: Path) -> None:
    """`ulimit -n 64`, a hundred idle browsers and idle clients each: both are still answered."""
    daemon = DaemonProcess(tmp_path)
    daemon.log.touch()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 64
    daemon.start(files=64)
    try:
        page = daemon.address("status page").removeprefix("http://").rstrip("/")
        places = [f"inet:{page}", daemon.address("socketmaps"), daemon.address("policy service")]
        with contextlib.ExitStack() as stack:
            for address in places:
                for _ in range(100):
                    stack.enter_context(connect(address))
            assert daemon.ask("mx", "d. 0 IN MX 10 mx.") == "9:NOTFOUND ,"
            assert talk(places[1], b"4:mx x,") == [b"9:NOTFOUND ,"]
            asked = b"request=smtpd_access_policy\n\n"
            assert talk(places[2], asked) == [b"action=DUNNO\n\n"]
            assert daemon.get("/healthz")
            assert "files may be open" in daemon.read()
    finally:
        assert daemon.stop() == 0
