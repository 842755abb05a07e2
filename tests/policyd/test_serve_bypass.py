"""`mxheed bypass`: takes the sockets over, says the safe thing to everything, starts at once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from policyd.process import identity
from policyd.serve import bypass
from policyd.serve.listen import open_socket, parse
from policyd.serve.settings import ServeSettings

ROOT = Path(__file__).parents[2]
QUESTIONS = [
    (b"16:mx d1. 0 IN MX 1,", b"9:NOTFOUND ,"),
    (b"17:status 5.5.3 text,", b"9:NOTFOUND ,"),
    (b"13:whatever k 2 ,", b"9:NOTFOUND ,"),
    (b"0:,", b"9:NOTFOUND ,"),
]
POLICY = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=a@gmail.com\n\n"

# a daemon that hangs: it listens, accepts, and says nothing
HUNG = """
import socket, sys, time
from policyd.process.identity import declare
from policyd.serve.listen import open_socket, parse
assert sys.argv[1] != "mxheed" or declare()
held = [open_socket(parse(text)) for text in sys.argv[2:]]
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def running(*command: str) -> Generator[subprocess.Popen[str], None, None]:
    """A process of ours that is ended afterwards, whatever happens."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def bypassing(*arguments: str) -> tuple[str, ...]:
    return ("-m", "policyd.serve.bypass", *arguments)


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """What it prints, up to the line with these words."""
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line.rstrip())
        if words in line:
            return told
    assert process.stderr is not None
    raise AssertionError(f"{told} {process.stderr.read()}")


def ask(path: Path | int, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX if isinstance(path, Path) else socket.AF_INET) as line:
        line.settimeout(10)
        line.connect(str(path) if isinstance(path, Path) else ("127.0.0.1", path))
        line.sendall(question)
        return line.recv(1000)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_everything_gets_the_safe_answer(tmp_path: Path) -> None:
    """NOTFOUND to any map and key, DUNNO to any policy request; it says so, and cleans up."""
    path, port = tmp_path / "map.sock", free_port()
    given = (f"--socketmap=unix:{path}", f"--policy=inet:127.0.0.1:{port}")
    with running(*bypassing(*given)) as process:
        told = until(process, "nothing is paced")
        assert told[:2] == [
            f"mxheed bypass: NOTFOUND to everything at unix:{path}",
            f"mxheed bypass: DUNNO to everything at inet:127.0.0.1:{port}",
        ]
        for question, answer in QUESTIONS:
            assert ask(path, question) == answer
        assert ask(port, POLICY) == b"action=DUNNO\n\n"
        process.terminate()
        assert process.wait(10) == 0
    assert not path.exists()


@pytest.mark.needs("postmap")
def test_postfix_takes_its_answer(tmp_path: Path) -> None:
    """Postfix's own client sees "not found", not an error."""
    path = tmp_path / "map.sock"
    with running(*bypassing(f"--socketmap=unix:{path}")) as process:
        until(process, "nothing is paced")
        done = subprocess.run(
            ["postmap", "-q", "d1. 0 IN MX 10 mx.", f"socketmap:unix:{path}:mx"],
            capture_output=True, timeout=20, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_the_left_over_of_a_killed_daemon_is_taken_over(tmp_path: Path) -> None:
    """After kill -9 the socket's name is still there; the bypass serves it at once."""
    path = tmp_path / "map.sock"
    open_socket(parse(f"unix:{path}")).close()
    with running(*bypassing(f"--socketmap=unix:{path}")) as process:
        until(process, "nothing is paced")
        assert ask(path, b"4:mx x,") == b"9:NOTFOUND ,"


def test_a_hung_daemon_loses_its_unix_socket(tmp_path: Path) -> None:
    """New questions go to the bypass though the hung daemon still holds its socket."""
    path = tmp_path / "map.sock"
    with running("-c", HUNG, "mxheed", f"unix:{path}") as hung:
        until(hung, "ready")
        hung.send_signal(signal.SIGSTOP)
        with running(*bypassing(f"--socketmap=unix:{path}")) as process:
            told = until(process, "nothing is paced")
            assert f"hangs in process {hung.pid}" in told[0]
            assert ask(path, b"4:mx x,") == b"9:NOTFOUND ,"
            assert hung.poll() is None


def test_a_hung_daemon_is_ended_where_that_is_asked_for(tmp_path: Path) -> None:
    """--end-hung frees the clients that wait for it, and its TCP port."""
    path, port = tmp_path / "map.sock", free_port()
    addresses = (f"unix:{path}", f"inet:127.0.0.1:{port}")
    with running("-c", HUNG, "mxheed", *addresses) as hung:
        until(hung, "ready")
        hung.send_signal(signal.SIGSTOP)
        given = [f"--socketmap={address}" for address in addresses]
        with running(*bypassing("--end-hung", *given)) as process:
            until(process, "nothing is paced")
            assert hung.wait(10) == -signal.SIGKILL
            assert ask(path, b"4:mx x,") == b"9:NOTFOUND ,"
            assert ask(port, b"4:mx x,") == b"9:NOTFOUND ,"


def test_a_hung_bypass_is_ended_like_a_daemon(tmp_path: Path) -> None:
    """It, too, is one of ours."""
    path = tmp_path / "map.sock"
    with running(*bypassing(f"--socketmap=unix:{path}")) as hung:
        until(hung, "nothing is paced")
        hung.send_signal(signal.SIGSTOP)
        with running(*bypassing("--end-hung", f"--socketmap=unix:{path}")) as process:
            until(process, "nothing is paced")
            assert hung.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("name", ["listen.py", "policyd-spf", "mxheed", "mxheed.py"])
def test_a_stranger_that_hangs_is_not_ended(tmp_path: Path, name: str) -> None:
    """Only what has declared itself is ever ended, whatever its words are."""
    path, port = tmp_path / name, free_port()
    path.write_text(
        "import socket, time\n"
        f"held = socket.create_server(('127.0.0.1', {port}))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    with running(str(path)) as stranger:
        until(stranger, "ready")
        with running(*bypassing("--end-hung", f"--socketmap=inet:127.0.0.1:{port}")) as process:
            told, trouble = process.communicate(timeout=20)
        assert (process.returncode, stranger.poll()) == (1, None)
        assert f"hangs in process {stranger.pid} (" in told
        assert "not proven to be an mxheed of ours" in told
        assert "Address already in use" in trouble


def test_nobody_can_make_another_process_be_ended(tmp_path: Path) -> None:
    """Who takes the name of a stranger's number speaks for himself only."""
    path = tmp_path / "map.sock"
    with running("-c", HUNG, "stranger", f"unix:{path}") as stranger:
        until(stranger, "ready")
        with socket.socket(socket.AF_UNIX) as forged:
            forged.bind(identity._name(stranger.pid))
            forged.listen()
            assert not identity.is_ours(stranger.pid)
            assert not identity.end(stranger.pid)
        assert stranger.poll() is None


def test_some_processes_are_never_ended() -> None:
    """Process 1, ourselves, one that has gone: neither asked for nor by mistake."""
    script = "from policyd.process import identity as i; import os; assert i.declare(); " + (
        "print([i.end(p) for p in (1, 0, -1, os.getpid(), 2**22 - 1)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([False] * 5)


def test_a_mode_that_is_none_is_refused_with_words() -> None:
    """As every option: what is wrong and what is allowed, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "policyd.serve.bypass", "--mode", "rw"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'rw' is no mode; write three octal digits: 0660" in done.stderr


def test_a_healthy_daemon_keeps_its_sockets(tmp_path: Path) -> None:
    """The bypass refuses to steal from a process that answers, and points to `mxheed off`."""
    path = tmp_path / "map.sock"
    with running(*bypassing(f"--socketmap=unix:{path}")) as first:
        until(first, "nothing is paced")
        with running(*bypassing(f"--socketmap=unix:{path}")) as second:
            _, told = second.communicate(timeout=20)
        assert second.returncode == 1
        assert f"answered by process {first.pid} (" in told
        assert "`mxheed off`" in told
        assert ask(path, b"4:mx x,") == b"9:NOTFOUND ,"


def test_what_can_be_served_is_served(tmp_path: Path) -> None:
    """One bad address does not keep the others from being answered."""
    path = tmp_path / "map.sock"
    given = (f"--socketmap=unix:{path}", "--policy=unix:nonsense")
    with running(*bypassing(*given)) as process:
        until(process, "nothing is paced")
        assert ask(path, b"4:mx x,") == b"9:NOTFOUND ,"
        process.kill()
        assert process.stderr is not None
        assert "write inet:HOST:PORT or unix:/path" in process.stderr.read()


def test_the_defaults_are_those_of_the_daemon() -> None:
    """Without arguments it takes over the sockets of a daemon without configuration."""
    usual = ServeSettings()
    assert usual.socketmap == (bypass.SOCKETMAP,)
    assert usual.policy == (bypass.POLICY,)


def test_it_imports_nothing_but_the_standard_library() -> None:
    """What may be broken on this machine must not be needed: no package beyond Python's own."""
    script = (
        "import sys; before = set(sys.modules); import policyd.serve.bypass\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(names - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['policyd']"
